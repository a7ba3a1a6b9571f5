"""A ledger behind its service: read and appended to over HTTP. What is answered is checked: entries are parsed, documents hashed."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec.structs import replace

from builder.digest import Digest
from builder.errors import DigestMismatchError, InvalidInputError, LedgerError, LedgerMovedError
from builder.ledger.entry import Actor, Entry
from builder.ledger.note import Checkpoint, parse_checkpoint
from builder.service.caller import Question
from builder.service.wire import (
    MOST_ENTRIES,
    Append,
    Entries,
    Me,
    Values,
    parse,
    read_entries,
    scoped_key,
    send_entry,
)

if TYPE_CHECKING:
    from builder.ledger.model import NewEntry
    from builder.service.address import Scope
    from builder.service.caller import Caller, Reply

_MOVED: Final = 409


class RemoteLedger:
    """A Ledger over HTTP.

    Args:
        caller: asks its service.
        scope: of what is appended (ServiceAddress.scope).
        page: most entries to ask for at a time.
    """

    def __init__(self, caller: Caller, scope: Scope | None = None, page: int = MOST_ENTRIES) -> None:
        self._caller = caller
        self._scope = scope
        self._page = page

    def author(self, here: Actor) -> Actor:
        """Say whom entries will name: who has the token."""
        me = parse(self._checked(self._get("/v1/me")).body, Me, "an answer")
        return replace(here, name=me.name, method=me.method)

    def append(self, entries: Sequence[NewEntry], actor: Actor, *, size: int | None = None) -> tuple[Entry, ...]:
        """Append entries, all or none, each once, however often an answer is lost.

        The service names who appends by the token; of `actor` it takes host, run and program.
        """
        body = Append(
            entries=[send_entry(one, self._key(one, size)) for one in entries],
            size=size,
            host=actor.host,
            run=actor.run,
            program=actor.program,
        )
        reply = self._caller.ask(Question(method="POST", path="/v1/entries", body=msgspec.json.encode(body)))
        if reply.status == _MOVED:
            raise LedgerMovedError(reply.title, context=self._caller.url, hint="run it again")
        return self._entries(reply)[0]

    def head(self) -> Checkpoint:
        """Read name, number of entries and root."""
        reply = self._checked(self._caller.ask(Question(method="GET", path="/v1/head")))
        return parse_checkpoint(reply.body, file=self._caller.url)[0]

    def entries(self, first: int = 0, last: int | None = None) -> Iterator[Entry]:
        """Iterate over entries by number."""
        position = first
        while last is None or position < last:
            count = self._page if last is None else min(self._page, last - position)
            found, more = self._entries(self._get("/v1/entries", first=str(position), limit=str(count)))
            yield from found
            if not more or not found:
                return
            position = found[-1].number + 1

    def find(
        self, name: str, value: str, *, kinds: Sequence[str] = (), before: int | None = None, limit: int | None = None
    ) -> tuple[Entry, ...]:
        """List entries that have a mark, the newest first."""
        found: list[Entry] = []
        while limit is None or len(found) < limit:
            count = self._page if limit is None else min(self._page, limit - len(found))
            asked = [("name", name), ("value", value), ("limit", str(count)), *(("kind", kind) for kind in kinds)]
            asked += [] if before is None else [("before", str(before))]
            page, more = self._entries(
                self._caller.ask(Question(method="GET", path="/v1/marks/entries", parameters=tuple(asked)))
            )
            found += page
            if not more or not page:
                break
            before = page[-1].number
        return tuple(found)

    def values(self, name: str, prefix: str = "", limit: int | None = None) -> tuple[str, ...]:
        """List the values that a mark has, sorted."""
        asked = {"limit": str(limit)} if limit is not None else {}
        reply = self._checked(self._get("/v1/marks/values", name=name, prefix=prefix, **asked))
        return tuple(parse(reply.body, Values, "an answer").values)

    def document(self, digest: Digest) -> bytes | None:
        """Read a document; None where it is not there."""
        reply = self._get(f"/v1/documents/{digest}")
        if reply.status == 404:
            return None
        data = self._checked(reply).body
        if Digest.of(data) != digest:
            raise DigestMismatchError(f"is answered as {Digest.of(data)}", context=f"{self._caller.url}: {digest}")
        return data

    def _key(self, new: NewEntry, size: int | None) -> str:
        """Give an entry its key: of what was decided by a state of the ledger, one for this call alone."""
        if new.key:
            return new.key
        if self._scope is not None and size is None:
            return scoped_key(self._scope, new)
        return secrets.token_hex(16)

    def _get(self, path: str, **asked: str) -> Reply:
        return self._caller.ask(Question(method="GET", path=path, parameters=tuple(asked.items())))

    def _checked(self, reply: Reply) -> Reply:
        if reply.status in {413, 422}:
            raise InvalidInputError(reply.title, context=self._caller.url)
        if reply.status != 200:
            hint = "is that the address of a ledger's service?" if reply.status == 404 else ""
            raise LedgerError(reply.title, context=self._caller.url, hint=hint)
        return reply

    def _entries(self, reply: Reply) -> tuple[tuple[Entry, ...], bool]:
        answer = parse(self._checked(reply).body, Entries, "an answer")
        return read_entries(answer.entries), answer.more
