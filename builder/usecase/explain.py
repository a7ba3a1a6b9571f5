"""Explain: why an image is another than the one before of its stack, or that it is the same."""

from __future__ import annotations

from dataclasses import dataclass

from builder.history.explain import Explanation, explain
from builder.history.image import ImageRecord
from builder.ledger.model import LedgerReader
from builder.ledger.queries import RecordedImage
from builder.usecase.recorded import build_before, find_recorded, iter_builds_before, open_record


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """What came out."""

    image: ImageRecord
    repeats: RecordedImage | None
    """The build right before, where it gave the same digest."""
    explanation: Explanation | None
    """Against the nearest build with another digest; None for a stack's first image."""


def explain_image(ledger: LedgerReader, text: str, against: str | None = None) -> Explained:
    """Explain an image against the build before of its stack, or against another image.

    Raises:
        LedgerError: the ledger has no build of it.
    """
    found = find_recorded(ledger, text)
    record = open_record(ledger, found, name=text)
    if against is not None:
        other: RecordedImage | None = find_recorded(ledger, against)
        last = None
    else:
        other = build_before(ledger, found.entry, found.built)
        last = next(iter_builds_before(ledger, found.entry, found.built), None)
    before = open_record(ledger, other, name=against or "", like=record) if other else None
    return Explained(
        image=record,
        repeats=last if last is not None and last.built.digest == record.digest else None,
        explanation=explain(before, record) if before else None,
    )
