"""What makes an event the same as another: how long it took, and what was there already, do not. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from builder.canonical import dump_json
from builder.digest import Digest
from builder.ledger.entry import Entry
from builder.ledger.events import (
    Attested,
    Built,
    Event,
    Locked,
    Nightly,
    Pushed,
    Scanned,
    Signed,
    Tested,
    dump_event,
    parse_event,
)

_SAME: Final[Mapping[str, tuple[str, ...]]] = {
    Locked.kind: ("stack", "lock"),
    Built.kind: ("stack", "digest", "lock", "engine"),
    Tested.kind: ("digest", "name", "passed"),
    Scanned.kind: ("digest", "result", "scanner", "counts"),
    # A second try sends nothing and moves no tag.
    Pushed.kind: ("digest", "repository"),
    # Keys sign with chance: the same signature is never made twice.
    Signed.kind: ("digest", "repository", "signer"),
    Attested.kind: ("digest", "repository", "predicate_type", "signer", "name"),
    Nightly.kind: ("night", "results"),
}
"""Fields by kind; all of them for others."""


def identity_of_entry(entry: Entry) -> Digest | None:
    """Hash what makes an entry's event the one that it is; None for one of a kind that this program does not know."""
    event = parse_event(entry.kind, entry.data)
    return None if event is None else identity_of(event)


def identity_of(event: Event) -> Digest:
    """Hash what makes an event the one that it is."""
    said: Mapping[str, Any] = dump_event(event)
    return Digest.of(dump_json([event.kind, [said.get(name) for name in _SAME.get(event.kind, tuple(sorted(said)))]]))
