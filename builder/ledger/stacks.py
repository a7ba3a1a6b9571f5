"""Whose image an event is about: filled in when it is appended, so that one question finds all that happened to a stack.

Who tests, scans or deletes an image knows its digest alone. The ledger knows the stack from the image's build. What is
filled in is part of the entry: marks stay a function of the entry alone.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from builder.ledger.events import (
    Attested,
    Event,
    LicencesJudged,
    Pushed,
    Rebuilt,
    Removed,
    Scanned,
    Seen,
    Signed,
    Tested,
)

StackOf = Callable[[str], str]
"""Gives the stack of an image by a digest; empty where it is not known."""


def name_stacks(event: Event, stack_of: StackOf) -> Event:
    """Fill in the stacks of the images that an event is about; what it says itself stays."""
    match event:
        case Tested() | Scanned() | LicencesJudged() | Rebuilt() | Pushed() | Signed() | Attested():
            return event if event.stack else replace(event, stack=stack_of(event.digest))
        case Seen(images=images):
            found = {stack_of(image.digest) for image in images}
            return replace(event, stacks=tuple(sorted({*event.stacks, *found} - {""})))
        case Removed(digests=digests):
            found = {stack_of(digest) for digest in digests}
            return replace(event, stacks=tuple(sorted({*event.stacks, *found} - {""})))
        case _:
            return event
