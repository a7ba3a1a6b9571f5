"""What a ledger's service is sent and answers, as JSON: the same shapes on both sides. Pure.

Entries are answered as they are kept, each the text of its canonical JSON: who has them can hash them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final, TypeVar

import msgspec

from builder.canonical import dump_json
from builder.digest import Digest
from builder.errors import InvalidInputError
from builder.ledger.entry import MAX_KEY, Entry, parse_entry
from builder.ledger.events import Begun, dump_event, parse_event
from builder.ledger.identity import identity_of
from builder.ledger.model import NewDocument, NewEntry
from builder.service.address import Scope

MOST_ENTRIES: Final = 500
"""In one question or answer."""
LARGEST_PAGE: Final = 8 << 20
"""Bytes of entries after which an answer is cut."""
MOST_BYTES: Final = 64 << 20
"""Of one question's body."""
SAFE_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
"""Of a file of a night."""
NIGHT_NAME: Final = re.compile(r"20[0-9]{6}\.[1-9][0-9]{0,5}")

NAMED_BY_DIGEST: Final = "sha256-"

_S = TypeVar("_S", bound=msgspec.Struct)


class SentDocument(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A document that comes with an entry."""

    data: bytes
    """In base64."""
    like: str = ""
    """Digest of one that is much the same; empty for none."""


class SentEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An entry to append."""

    kind: str
    data: dict[str, Any]
    key: str
    """Never empty: an answer may be lost, and what was asked is asked again."""
    documents: list[SentDocument] = []


class Append(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Entries to append, all or none."""

    entries: list[SentEntry]
    size: int | None = None
    """Entries that the ledger must have until then."""
    host: str = ""
    run: str = ""
    program: str = ""
    """Of who asks. Its name is that of its token."""


class Me(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks, as the service knows him."""

    name: str
    method: str
    may: list[str] = []


class Entries(msgspec.Struct, frozen=True, kw_only=True):
    """Entries, each as it is kept."""

    entries: list[str]
    more: bool = False
    """There are others behind the last one."""


class Values(msgspec.Struct, frozen=True, kw_only=True):
    """Values of a mark."""

    values: list[str]


class Lend(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A word that a night runs, or does no more."""

    owner: str
    hours: int = 1


def parse(data: bytes, shape: type[_S], what: str) -> _S:
    """Read JSON of a shape; raises InvalidInputError."""
    try:
        return msgspec.json.decode(data, type=shape)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise InvalidInputError(f"is not of the form of {what}: {error}") from error


def send_entry(new: NewEntry, key: str) -> SentEntry:
    """Write an entry for sending."""
    documents = [SentDocument(data=one.data, like=str(one.like) if one.like else "") for one in new.documents]
    return SentEntry(kind=new.event.kind, data=dump_event(new.event), key=key, documents=documents)


def receive_entry(sent: SentEntry) -> NewEntry:
    """Read an entry that was sent.

    Raises:
        InvalidInputError: it is of no kind that is known, begins a ledger, or has no key.
        LedgerError: it has not the shape of its kind.
    """
    event = parse_event(sent.kind, sent.data)
    if event is None or sent.kind == Begun.kind:
        raise InvalidInputError(f"nothing of the kind {sent.kind[:80]!r} can be appended")
    if not 0 < len(sent.key) <= MAX_KEY:
        raise InvalidInputError(f"an entry needs a key of 1 to {MAX_KEY} characters")
    documents = [
        NewDocument(data=one.data, like=Digest.parse(one.like) if one.like else None) for one in sent.documents
    ]
    return NewEntry(event=event, documents=documents, key=sent.key)


def read_entries(lines: Sequence[str]) -> tuple[Entry, ...]:
    """Read entries that were answered; raises LedgerError where one is none."""
    return tuple(parse_entry(line.encode()) for line in lines)


def scoped_key(scope: Scope, new: NewEntry) -> str:
    """Make the key under which an event counts once within a try: how long it took makes it no other."""
    told = dict(scope.tries).get(new.event.kind, 0)
    return Digest.of(dump_json([scope.name, told, str(identity_of(new.event))])).hex


def kept_as(digest: str) -> str:
    """Name the file of a night that a lock is kept in, by the digest of its bytes."""
    return digest.replace(":", "-")


def title_of(data: bytes) -> str:
    """Read what a problem says; empty where it is none."""
    try:
        value = msgspec.json.decode(data)
    except (msgspec.MsgspecError, RecursionError):
        return ""
    title = value.get("title") if isinstance(value, dict) else None
    return title[:500] if isinstance(title, str) else ""
