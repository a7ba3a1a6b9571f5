"""What ran where, as looks at clusters recorded it. Each question costs the entries of the time that it asks about.

A look that saw what the one before saw is recorded once in `REPEAT_S`: what was recorded still ran until then.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from builder.ledger.entry import Entry
from builder.ledger.events import Seen
from builder.ledger.model import LedgerReader
from builder.ledger.queries import event_of

REPEAT_S: Final = 86_400
_PAGE: Final = 100


def digests_seen_since(ledger: LedgerReader, epoch: int) -> frozenset[str]:
    """List the digests of images that were seen running, or finished, at a time or after it.

    Args:
        ledger: of what was seen.
        epoch: the time, seconds since the epoch.

    Returns:
        Digests of indexes where the ledger knew them, else as nodes told them.
    """
    return frozenset(
        image.digest for entry in _iter_since(ledger, epoch - REPEAT_S) for image in event_of(entry, Seen).images
    )


def last_sight(ledger: LedgerReader, cluster: str, stack: str, channel: str, *, since: int = 0) -> Entry | None:
    """Find the last look at a cluster for a channel; None where there was none since a time.

    Args:
        ledger: of what was seen.
        cluster: its name.
        stack: empty for pods of no target.
        channel: empty for pods of no target.
        since: seconds since the epoch.
    """
    for entry in _iter_since(ledger, since, "cluster", cluster):
        seen = event_of(entry, Seen)
        if (seen.stack, seen.channel) == (stack, channel) and entry.time >= since:
            return entry
    return None


def _iter_since(ledger: LedgerReader, epoch: int, name: str = "kind", value: str = Seen.kind) -> Iterator[Entry]:
    """Iterate over looks, the newest first; clocks may go back, so that only a whole page of older ones ends it."""
    before: int | None = None
    while True:
        page = ledger.find(name, value, kinds=(Seen.kind,), before=before, limit=_PAGE)
        yield from (entry for entry in page if entry.time >= epoch)
        if len(page) < _PAGE or all(entry.time < epoch for entry in page):
            return
        before = page[-1].number
