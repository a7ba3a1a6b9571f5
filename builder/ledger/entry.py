"""One entry of the ledger: canonical JSON that names the entry before it by hash.

    {"actor":{...},"data":{...},"documents":[...],"kind":"build","number":7,"previous":"sha256:...","time":"2026-11-30T07:23:11Z"}

Beside these it has a `key` where its writer gave one: what is appended again under the same key counts once.

Invariants:
- An entry's bytes are the canonical JSON of its value: sorted keys, no white space, UTF-8. They are kept as written, and hashed
  as they are kept.
- `number` counts from 0 without gaps; `previous` is the hash of the entry before, and of nothing for the first.
- Order is by number. `time` is what the writer's clock said: it may go back, which is told, not refused.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from builder.canonical import dump_json
from builder.digest import Digest
from builder.errors import InvalidInputError, LedgerError
from builder.ledger.merkle import leaf_hash

NOTHING: Final = Digest.of(b"")
"""What the first entry names as the one before it."""

MAX_ENTRY_BYTES: Final = 1 << 20
MAX_KEY: Final = 200
"""Characters of a key."""


class Actor(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who did it, and where."""

    name: str
    """As the method knows him: a user of this machine, a subject of an identity provider."""
    method: str
    """How that is known: `local` for nobody but the machine's own word."""
    host: str = ""
    run: str = ""
    """Address of the run of a continuous integration, where there is one."""
    program: str = ""
    """As `airflow-kubler 0.1.0`."""


class StoredDocument(msgspec.Struct, frozen=True, kw_only=True):
    """A document that came into the ledger with an entry."""

    digest: str
    stored: str
    """Digest of the row that keeps it: changes there show here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An entry, parsed."""

    number: int
    previous: Digest
    time: int
    """Seconds since the epoch."""
    kind: str
    actor: Actor
    data: Mapping[str, Any]
    """What happened: events.py gives it a shape by kind."""
    documents: tuple[StoredDocument, ...]
    hash: Digest
    """Of its bytes, as a leaf of the Merkle tree: what the next entry names."""
    key: str = ""
    """Given by who appended it, for what may be sent twice; empty for none."""

    @property
    def moment(self) -> str:
        """Write its time as RFC 3339."""
        return format_time(self.time)


class _Written(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An entry as JSON has it."""

    actor: Actor
    data: dict[str, Any]
    documents: list[StoredDocument]
    kind: str
    number: int
    previous: str
    time: str
    key: str = ""


def dump_entry(
    *,
    number: int,
    previous: Digest,
    time: int,
    kind: str,
    actor: Actor,
    data: Mapping[str, Any],
    documents: Sequence[StoredDocument] = (),
    key: str = "",
) -> bytes:
    """Write an entry: bytes are stable.

    Raises:
        LedgerError: it is too large to be one, or its key is.
    """
    if len(key) > MAX_KEY:
        raise LedgerError(f"a key of {len(key)} characters; at most {MAX_KEY} are kept", context=kind)
    value = {
        "actor": msgspec.to_builtins(actor),
        "data": data,
        "documents": msgspec.to_builtins(list(documents)),
        "kind": kind,
        "number": number,
        "previous": str(previous),
        "time": format_time(time),
    }
    written = dump_json(value | {"key": key} if key else value)
    if len(written) > MAX_ENTRY_BYTES:
        raise LedgerError(f"an entry of {len(written)} bytes; at most {MAX_ENTRY_BYTES} are kept", context=kind)
    return written


def parse_entry(written: bytes) -> Entry:
    """Read an entry.

    Raises:
        LedgerError: it is none, or not in canonical form.
    """
    try:
        value = msgspec.json.decode(written, type=_Written)
        entry = Entry(
            number=value.number,
            previous=Digest.parse(value.previous),
            time=parse_time(value.time),
            kind=value.kind,
            actor=value.actor,
            data=value.data,
            documents=tuple(value.documents),
            hash=Digest(leaf_hash(written).hex()),
            key=value.key,
        )
    except (msgspec.MsgspecError, InvalidInputError, ValueError, RecursionError) as error:
        raise LedgerError(f"is no entry: {error}") from error
    return entry


def canonical_bytes(entry: Entry) -> bytes:
    """Write an entry again: the bytes that it is kept as, where it is whole."""
    return dump_entry(
        number=entry.number,
        previous=entry.previous,
        time=entry.time,
        kind=entry.kind,
        actor=entry.actor,
        data=entry.data,
        documents=entry.documents,
        key=entry.key,
    )


def is_canonical(written: bytes, entry: Entry) -> bool:
    """Tell whether an entry's bytes are the canonical form of its value."""
    return canonical_bytes(entry) == written


def format_time(epoch: int) -> str:
    """Write seconds since the epoch as RFC 3339, in UTC.

    >>> format_time(0)
    '1970-01-01T00:00:00Z'
    """
    return dt.datetime.fromtimestamp(epoch, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_time(text: str) -> int:
    """Read what `format_time` writes; raises ValueError."""
    epoch = int(dt.datetime.fromisoformat(text).timestamp())
    if format_time(epoch) != text:
        raise ValueError(f"not a time as 2026-11-30T07:23:11Z: {text[:40]!r}")
    return epoch
