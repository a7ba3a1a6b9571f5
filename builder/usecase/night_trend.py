"""The nights before one, for its plots: from reports on disk, else from the ledger, where a machine forgets."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Protocol

from builder.digest import Digest
from builder.errors import BuilderError
from builder.ledger.events import Nightly
from builder.ledger.queries import event_of, iter_found
from builder.nightly.trend import MOST_NIGHTS, NightSample, Point, make_trend, parse_sample, sample_of

if TYPE_CHECKING:
    from builder.ledger.model import LedgerReader
    from builder.nightly.summary import NightSummary


class ReportShelf(Protocol):
    """Keeps reports."""

    def names(self) -> tuple[str, ...]:
        """List nights, oldest first."""

    def report(self, name: str) -> bytes | None:
        """Read a night's report.json; None where it is not over."""


def read_trend(shelf: ReportShelf, ledger: LedgerReader | None, last: NightSummary) -> tuple[Point, ...]:
    """Find how the nights up to one went, the oldest first.

    Args:
        shelf: reports on disk.
        ledger: knows nights of other machines too.
        last: the night itself; later ones are left out.
    """
    names = shelf.names()
    until = names.index(last.night) if last.night in names else len(names)
    reports = (shelf.report(name) for name in names[:until][-MOST_NIGHTS:])
    samples = [sample_of(last)]
    samples += [found for data in reports if data is not None and (found := parse_sample(data)) is not None]
    if ledger is not None:
        samples += islice(_recorded(ledger), MOST_NIGHTS)
    return make_trend(one for one in samples if one.began <= last.began)


def _recorded(ledger: LedgerReader) -> Iterator[NightSample]:
    """Iterate over the nights on record, the newest first; those whose report is gone or of another form are left out."""
    for entry in iter_found(ledger, "kind", Nightly.kind, first=MOST_NIGHTS):
        try:
            event = event_of(entry, Nightly)
            data = ledger.document(Digest.parse(event.report)) if event.report else None
        except BuilderError:
            continue
        found = parse_sample(data) if data is not None else None
        if found is not None:
            yield found
