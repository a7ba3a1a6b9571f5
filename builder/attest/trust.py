"""Whose signatures hold: stacks/keys.toml, or keys that a verb was given.

    [[keys]]
    name = "ci-2027"
    public = \"\"\"
    -----BEGIN PUBLIC KEY-----
    ...
    -----END PUBLIC KEY-----
    \"\"\"
    may = ["signature", "provenance"]              # kinds; all where it is left out
    stacks = ["core"]                              # all where it is left out
    builders = ["urn:airflow-kubler:builder:..."]  # that its provenance may name; any of ours where it is left out
    from = 2027-01-01
    until = 2028-01-01                             # from this moment on it signs no more
    revoked = 2027-05-17T09:00:00Z                 # nothing that was first seen from then on holds
    reason = "the laptop was stolen"

A signature says nothing about when it was made, and who has a key can write any time into what he signs. So the moment that
counts is when it was first seen: when a ledger recorded it, else now. Pure.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from builder.attest.keys import PublicKey, parse_public_key
from builder.attest.kinds import kind_of, predicate_type
from builder.errors import InvalidInputError
from builder.oci.config import format_time
from builder.stack.names import is_name, nearest
from builder.stack.table import Issues, Table, parse_table

FILE: Final = "stacks/keys.toml"
_MOST_KEYS: Final = 100
"""Each bundle is tried with each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustedKey:
    """Somebody, and what he may sign."""

    name: str
    key: PublicKey
    may: tuple[str, ...] = ()
    """Predicate types; all where empty."""
    stacks: tuple[str, ...] = ()
    """All where empty."""
    builders: tuple[str, ...] = ()
    """Of provenance; any of ours where empty."""
    since: int | None = None
    """Seconds since the epoch, as the two below."""
    until: int | None = None
    revoked: int | None = None
    reason: str = ""

    def objection(self, predicate: str, stack: str, seen: int) -> str:
        """Say why a signature of this key does not hold; empty where it does.

        Args:
            predicate: type of what is signed.
            stack: of the image; empty for an image of no stack of ours.
            seen: when the signature was first seen, in seconds since the epoch.
        """
        if self.may and predicate not in self.may:
            return f"may not sign {kind_of(predicate)}"
        if self.stacks and stack not in self.stacks:
            return f"may not sign images of {stack or 'no stack'}"
        if self.since is not None and seen < self.since:
            return f"was first seen at {format_time(seen)}, and the key is valid from {format_time(self.since)} on"
        if self.revoked is not None and seen >= self.revoked:
            why = f" ({self.reason})" if self.reason else ""
            return f"was first seen at {format_time(seen)}, and the key was revoked at {format_time(self.revoked)}{why}"
        if self.until is not None and seen >= self.until:
            return f"was first seen at {format_time(seen)}, and the key was valid until {format_time(self.until)}"
        return ""

    @property
    def is_timed(self) -> bool:
        """Tell whether it matters when a signature was first seen."""
        return any(moment is not None for moment in (self.since, self.until, self.revoked))


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """All who may sign."""

    keys: tuple[TrustedKey, ...] = field(default=())

    def find(self, signer: str) -> TrustedKey | None:
        """Find a key by its fingerprint."""
        return next((one for one in self.keys if one.key.fingerprint == signer), None)

    @property
    def public_keys(self) -> tuple[PublicKey, ...]:
        """List the keys."""
        return tuple(one.key for one in self.keys)


def parse_trust(data: bytes, *, file: str = FILE, stacks: Iterable[str]) -> Trust:
    """Read stacks/keys.toml.

    Args:
        data: its bytes.
        file: how errors name it.
        stacks: names of the project's stacks.

    Raises:
        IssuesError: with everything that is wrong.
        StackError: it is not TOML at all.
    """
    top = parse_table(data, file=file)
    known = tuple(stacks)
    rows = top.tables("keys")
    if not rows:
        top.wrong("keys", "names nobody", hint="write a table [[keys]] for each key")
    if len(rows) > _MOST_KEYS:
        top.wrong("keys", f"names {len(rows)} keys; at most {_MOST_KEYS} are tried")
    read = [_read_key(row, known) for row in rows[:_MOST_KEYS]]
    top.close()
    keys = tuple(key for key in read if key is not None)
    _check_distinct(keys, top.issues)
    top.issues.raise_any()
    return Trust(keys=keys)


def _read_key(row: Table, stacks: Sequence[str]) -> TrustedKey | None:
    name = row.text("name", required=True, hint='as "ci-2027"')
    if name is not None and not is_name(name):
        row.wrong("name", f"{name[:80]!r} cannot name a key", hint="use lower-case letters, digits, single hyphens")
    key = _read_public(row)
    may = _read_may(row)
    named = _some(row, "stacks")
    for stack in named:
        if stack not in stacks:
            row.wrong("stacks", f"no stack {stack[:80]!r}", hint=nearest(stack, stacks, "stack"))
    builders = _some(row, "builders")
    since, until, revoked = (_seconds(row.moment(key)) for key in ("from", "until", "revoked"))
    reason = row.text("reason") or ""
    row.close()
    if since is not None and until is not None and until <= since:
        row.wrong("until", "is not after `from`: the key would never be valid")
    if key is None or name is None:
        return None
    return TrustedKey(
        name=name,
        key=key,
        may=may,
        stacks=named,
        builders=builders,
        since=since,
        until=until,
        revoked=revoked,
        reason=reason,
    )


def _read_may(row: Table) -> tuple[str, ...]:
    found = []
    for position, kind in enumerate(_some(row, "may")):
        try:
            found.append(predicate_type(kind))
        except InvalidInputError as error:
            row.wrong(f"may[{position}]", error.message, hint=error.hint)
    return tuple(found)


def _some(row: Table, key: str) -> tuple[str, ...]:
    """Read a list that restricts; one that is empty would allow all, which nobody means by it."""
    found = row.texts(key)
    if found == ():
        row.wrong(key, "is empty", hint="leave the key out for all")
    return found or ()


def _read_public(row: Table) -> PublicKey | None:
    text = row.block("public")
    hint = 'write what stands in the file that ends in .pub, between """'
    if text is None:
        if not row.has("public"):
            row.wrong("public", "is missing", hint=hint)
        return None
    try:
        return parse_public_key(text.strip().encode() + b"\n", file="")
    except InvalidInputError as error:
        row.wrong("public", error.message, hint=hint)
        return None


def _seconds(moment: dt.date | dt.datetime | None) -> int | None:
    """Give a moment as seconds since the epoch; a date is its beginning in UTC."""
    if moment is None:
        return None
    if not isinstance(moment, dt.datetime):
        moment = dt.datetime(moment.year, moment.month, moment.day, tzinfo=dt.UTC)
    return int(moment.timestamp())


def _check_distinct(keys: Sequence[TrustedKey], issues: Issues) -> None:
    seen: dict[str, int] = {}
    for position, key in enumerate(keys):
        for what in (key.name, key.key.fingerprint):
            if what in seen:
                issues.add(f"keys[{position}]", f"{what} stands in keys[{seen[what]}] already", hint="join both")
            seen[what] = position
