"""What a ledger is to the rest of this project: what is appended, what is read, and the Protocol of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from builder.digest import Digest
from builder.ledger.entry import Actor, Entry
from builder.ledger.events import Event
from builder.ledger.note import Checkpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDocument:
    """A document that an event speaks of."""

    data: bytes
    like: Digest | None = None
    """A document that is in the ledger already and much the same: as the one before of its stack."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEntry:
    """What is to be appended."""

    event: Event
    documents: Sequence[NewDocument] = field(default=())
    key: str = ""
    """Under which it counts once, however often it is appended; empty where each counts."""


class LedgerReader(Protocol):
    """Reads a ledger: one state of it for each call."""

    def head(self) -> Checkpoint:
        """Read name, number of entries and root."""

    def entries(self, first: int = 0, last: int | None = None) -> Iterator[Entry]:
        """Iterate over entries by number, from `first` up to and without `last`."""

    def find(
        self, name: str, value: str, *, kinds: Sequence[str] = (), before: int | None = None, limit: int | None = None
    ) -> tuple[Entry, ...]:
        """List entries that have a mark (marks.py), the newest first.

        Args:
            name: of the mark.
            value: of the mark.
            kinds: of entries; all where empty.
            before: number that they are below.
            limit: most to list.
        """

    def values(self, name: str, prefix: str = "", limit: int | None = None) -> tuple[str, ...]:
        """List the values that a mark has, sorted: those that begin with a prefix."""

    def document(self, digest: Digest) -> bytes | None:
        """Read a document; None where it is not there."""


class ProvingLedger(LedgerReader, Protocol):
    """Reads, and proves that what was read is in a ledger of this head."""

    def lines(self, first: int = 0, last: int | None = None) -> Iterator[bytes]:
        """Iterate over entries as they are kept."""

    def root_at(self, size: int) -> bytes:
        """Find the root that the first `size` entries have."""

    def edge(self, size: int) -> tuple[bytes, ...]:
        """List the roots of the full subtrees of the first `size` entries, the largest first."""

    def proof(self, number: int, size: int) -> tuple[bytes, ...]:
        """List the hashes that prove an entry to be among the first `size`."""

    def consistency(self, old: int, size: int) -> tuple[bytes, ...]:
        """List the hashes that prove the first `old` entries to be the beginning of the first `size`."""


class Ledger(LedgerReader, Protocol):
    """Reads and appends."""

    def author(self, here: Actor) -> Actor:
        """Say whom entries will name that this program's user appends, known here as `here`."""

    def append(self, entries: Sequence[NewEntry], actor: Actor, *, size: int | None = None) -> tuple[Entry, ...]:
        """Append entries, all or none; they are on the disk when this returns.

        Args:
            entries: in their order. In place of one whose key the ledger has, the entry of that key is returned.
            actor: who appends them.
            size: entries that the ledger must have until then, so that what was read of it and what is appended are one
                decision.

        Raises:
            LedgerMovedError: it has more; nothing was appended.
            LedgerUnavailableError: nothing was appended.
            LedgerError: the ledger is damaged, an event is none, or a key is that of another event.
        """
