"""What `gc` must keep since it ran, or since a channel of the ledger stands for it."""

from __future__ import annotations

from pathlib import Path
from typing import IO

from builder.cli.output import note
from builder.cli.root import Context
from builder.digest import Digest
from builder.usecase.registry_gc import parse_digests


def digests_to_keep(context: Context, ran: IO[str] | None, days: int) -> frozenset[Digest]:
    """List the digests of images that ran, and that channels stand for.

    Args:
        context: names the ledger; there may be none.
        ran: says what ran; else the ledger does, by what `drift` recorded.
        days: that the ledger is asked about.
    """
    named = parse_digests(ran.read(), context=ran.name) if ran else frozenset()
    place = context.recording()
    if place is None:
        return named
    from builder.ledger.queries import channels_of
    from builder.ledger.sightings import digests_seen_since
    from builder.wiring.ledgers import clock, open_ledger

    with open_ledger(place) as ledger:
        channels = {state.digest for state in channels_of(ledger)}
        seen = frozenset() if ran else digests_seen_since(ledger, clock() - days * 86_400)
    if not ran:
        said = f"{len(seen)} images ran in the last {days} days" if seen else "nothing was seen running; `drift` looks"
        note(f"{place.name if isinstance(place, Path) else place}: {said}")
    return named | frozenset(map(Digest.parse, {*channels, *seen}))
