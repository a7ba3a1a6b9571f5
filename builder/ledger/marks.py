"""By what entries are found: a function of the entry alone, so that an index of marks can be made again and compared."""

from __future__ import annotations

from collections.abc import Iterator

from builder.ledger.entry import Entry
from builder.ledger.events import (
    Approved,
    Attested,
    Built,
    Event,
    LicencesJudged,
    Locked,
    Nightly,
    Promoted,
    Pushed,
    Rebuilt,
    Removed,
    Requested,
    Scanned,
    Seen,
    Signed,
    Tested,
    parse_event,
)

Mark = tuple[str, str]
"""A name and a value, as `("stack", "core")`."""


def marks_of(entry: Entry) -> tuple[Mark, ...]:
    """List the marks of an entry, sorted, without repeats.

    - `kind`: of each entry.
    - `key`: of what was given one.
    - `stack`: of what names one, or is about an image of one.
    - `digest`: of what is about an image: its index, manifests and configs.
    - `lock`: of what is about a lock, by its digest.
    - `channel`, as `core prod`: of what asks for a move of it, agrees to it, or is one.
    - `repository`, `cluster`: of what happened in one.
    - `tag`, as `prod registry.example.org/team/airflow`: of pushes that moved it.
    """
    event = parse_event(entry.kind, entry.data)
    found = {("kind", entry.kind)} | ({("key", entry.key)} if entry.key else set())
    if event is not None:
        found.update(_iter_marks(event))
    return tuple(sorted(found))


def _iter_marks(event: Event) -> Iterator[Mark]:
    match event:
        case Built():
            yield from _marks_of_build(event)
        case Locked(stack=stack, lock=lock):
            yield from (("stack", stack), ("lock", lock))
        case Pushed(digest=digest, repository=repository, stack=stack):
            yield from (("digest", digest), ("repository", repository), *_named(stack))
            yield from (("tag", f"{move.tag} {repository}") for move in event.tags)
        case Tested() | Scanned() | LicencesJudged() | Rebuilt():
            yield from (("digest", event.digest), *_named(event.stack))
        case Signed() | Attested():
            yield from (("digest", event.digest), ("repository", event.repository), *_named(event.stack))
        case Requested() | Approved() | Promoted():
            channel = f"{event.stack} {event.channel}"
            yield from (("stack", event.stack), ("digest", event.digest), ("channel", channel))
        case Seen(images=images, cluster=cluster, stack=stack):
            yield from (*(("digest", image.digest) for image in images), ("cluster", cluster))
            yield from _named(stack, *event.stacks)
        case Removed(repository=repository, digests=digests):
            yield from (("repository", repository), *(("digest", digest) for digest in digests))
            yield from _named(*event.stacks)
        case Nightly(results=results):
            yield from _named(*(one.stack for one in results))
            yield from (("digest", one.digest) for one in results if one.digest)


def _marks_of_build(event: Built) -> Iterator[Mark]:
    yield from (("stack", event.stack), ("lock", event.lock), ("digest", event.digest))
    for platform in event.platforms:
        yield from (("digest", platform.manifest), ("digest", platform.config))


def _named(*stacks: str) -> tuple[Mark, ...]:
    return tuple(("stack", stack) for stack in stacks if stack)
