"""A made-up ledger of the shipped stacks: what docs/graph.svg is drawn from. Digests and sizes are made up."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from builder.ledger.events import Event, Promoted
from builder.ledger.model import NewEntry
from tests.support.ledgers import digest_of, make_build, make_ledger

STACKS = {
    "core": ("trixie", 131_600_000, {"prod": 2, "staging": 3}),
    "aws": ("trixie", 164_200_000, {"prod": 1, "staging": 3}),
    "gcp": ("trixie", 212_900_000, {"prod": 3}),
    "analytics": ("trixie", 301_400_000, {"staging": 3}),
    "core-py311": ("bookworm", 128_300_000, {"prod": 3}),
    "legacy": ("bookworm", 119_700_000, {"prod": 3}),
}
"""Base, bytes, and which of three builds each channel stands for."""


def make_shipped_ledger(path: Path) -> Path:
    """Make it: three builds of each stack, and channels."""
    events: list[Event] = []
    for night in (1, 2, 3):
        for stack, (base, size, _) in STACKS.items():
            built = make_build(stack, str(night), size_bytes=size + night * 100_000)
            events.append(replace(built, base=base, base_lock=digest_of(base)))
    for stack, (_, _, channels) in STACKS.items():
        for channel, night in channels.items():
            digest = make_build(stack, str(night)).digest
            events.append(Promoted(stack=stack, channel=channel, digest=digest, rules=digest_of("rules")))
    make_ledger(path, [NewEntry(event=event) for event in events])
    return path
