"""What a repository may let go of: chosen from its tags, manifests and what they refer to. Pure.

Invariants:
- what is kept is kept whole: children of kept indexes, referrers of kept manifests, and the tags that lead to them;
- a channel keeps what it stands for, whatever its age; what ran stays, whether or not a tag leads to it;
- what cannot be told to be garbage stays: tags that lead to referrers of manifests that no tag leads to.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from builder.digest import Digest
from builder.registry.tags import is_attached, of_stack, parse_immutable, subject_of


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldManifest:
    """A manifest in a repository, and where it leads."""

    digest: Digest
    size: int
    """Of the manifest itself."""
    children: tuple[Digest, ...] = ()
    """Manifests below an index."""
    referrers: tuple[Digest, ...] = ()
    """Manifests whose subject it is, by their own word: what a list says of others may be anybody's."""
    blobs: tuple[tuple[Digest, int], ...] = ()
    """Config and layers, with their sizes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What a repository holds, as far as its tags, and digests that ran, lead to it."""

    tags: Mapping[str, Digest]
    manifests: Mapping[Digest, HeldManifest]
    unread: Mapping[str, str] = field(default_factory=dict)
    """Referrers and lists of them that cannot be read, and why: left alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """What is to be kept."""

    today: dt.date
    days: int
    """Immutable tags of so many days before stay."""
    last: int
    """So many of the newest immutable tags of each stack stay."""
    ran: frozenset[Digest] = field(default_factory=frozenset)
    """Of images, indexes or single platforms, that ran lately."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GarbagePlan:
    """What goes, and why the rest stays."""

    kept: Mapping[str, str]
    """Why, by tag; tags that lead to referrers are left out."""
    dropped: tuple[str, ...]
    """Tags that go, sorted."""
    garbage: tuple[Digest, ...]
    """Manifests to delete, in this order: an image's index before what is below it and what refers to it."""
    freed_bytes: int
    """Of blobs and manifests that nothing kept needs; the registry frees them when it collects its own garbage."""
    unknown: int
    """Tags of referrers of manifests that no tag leads to: left alone."""


def plan_garbage(contents: Contents, retention: Retention) -> GarbagePlan:
    """Choose what goes.

    Args:
        contents: of the repository.
        retention: the rules.
    """
    plain = {tag: digest for tag, digest in contents.tags.items() if not is_attached(tag)}
    attached = {tag: digest for tag, digest in contents.tags.items() if is_attached(tag)}
    near = _neighbours(attached, contents)
    reasons = {tag: _reason(tag, digest, plain, contents, retention) for tag, digest in plain.items()}
    ran = (digest for digest in retention.ran if digest in contents.manifests)
    kept = _closure((*(plain[tag] for tag, reason in reasons.items() if reason), *ran), near)
    known = _closure(plain.values(), near)
    unknown = {tag: digest for tag, digest in attached.items() if subject_of(tag) not in known | kept}
    kept |= _closure(unknown.values(), near)
    # A tag that no rule keeps stays where another keeps what it stands for: its manifest is deleted under all names.
    kept_tags = {
        tag: reason or "another tag keeps it" for tag, reason in reasons.items() if reason or plain[tag] in kept
    }
    garbage = _ordered(plain, {digest for digest in known - kept if digest in contents.manifests}, near)
    gone = set(garbage)
    return GarbagePlan(
        kept=kept_tags,
        dropped=tuple(sorted(tag for tag, digest in contents.tags.items() if digest in gone)),
        garbage=garbage,
        freed_bytes=_sizes(garbage, contents) - _shared(garbage, kept, contents),
        unknown=len(unknown),
    )


def _reason(tag: str, digest: Digest, plain: Mapping[str, Digest], contents: Contents, retention: Retention) -> str:
    """Say why a tag keeps what it stands for; empty where it does not."""
    parsed = parse_immutable(tag)
    if parsed is None:
        return "a channel"
    if tag in of_stack(plain, parsed.stack)[: retention.last]:
        return f"one of the last {retention.last} of {parsed.stack}"
    if (age := _age(parsed.day, retention.today)) is None or age <= retention.days:
        return f"of the last {retention.days} days"
    if not retention.ran.isdisjoint(_below(digest, contents)):
        return "it ran"
    return ""


def _age(day: str, today: dt.date) -> int | None:
    """Count days; None for what is no day: that is kept."""
    try:
        return (today - dt.datetime.strptime(day, "%Y%m%d").replace(tzinfo=dt.UTC).date()).days
    except ValueError:
        return None


def _below(digest: Digest, contents: Contents) -> set[Digest]:
    """Gather a manifest and its children, and theirs."""
    found: set[Digest] = set()
    waiting = [digest]
    while waiting:
        one = waiting.pop()
        if one not in found:
            found.add(one)
            held = contents.manifests.get(one)
            waiting += held.children if held is not None else ()
    return found


def _closure(roots: Iterable[Digest], near: Callable[[Digest], Iterable[Digest]]) -> set[Digest]:
    """Gather all that some manifests need and all that refers to them."""
    found: set[Digest] = set()
    waiting = list(roots)
    while waiting:
        digest = waiting.pop()
        if digest not in found:
            found.add(digest)
            waiting += near(digest)
    return found


def _neighbours(attached: Mapping[str, Digest], contents: Contents) -> Callable[[Digest], Iterable[Digest]]:
    """Make what lists, for a manifest, what it needs and what refers to it: children first."""
    by_subject: dict[Digest, list[Digest]] = {}
    for tag, digest in attached.items():
        by_subject.setdefault(subject_of(tag), []).append(digest)

    def near(digest: Digest) -> Iterable[Digest]:
        held = contents.manifests.get(digest)
        if held is not None:
            yield from held.children
            yield from held.referrers
        yield from by_subject.get(digest, ())

    return near


def _ordered(
    plain: Mapping[str, Digest], garbage: set[Digest], near: Callable[[Digest], Iterable[Digest]]
) -> tuple[Digest, ...]:
    """Put each image, by tag, before what is below it and refers to it, and that right after the last that needs it.

    So no tag stands for an image that is half gone, and where deleting ends early, little is left that no tag leads to.
    """
    after = {digest: [one for one in dict.fromkeys(near(digest)) if one in garbage] for digest in garbage}
    needed = Counter(one for others in after.values() for one in others)
    roots = dict.fromkeys(plain[tag] for tag in sorted(plain) if plain[tag] in garbage)
    order: dict[Digest, None] = {}
    # Whatever refers to itself in a circle comes last, in any order.
    for first in (*roots, *sorted(garbage)):
        waiting = [first]
        while waiting:
            digest = waiting.pop(0)
            if digest in order:
                continue
            order[digest] = None
            needed.subtract(after[digest])
            waiting += [one for one in after[digest] if needed[one] <= 0 and one not in roots]
    return tuple(order)


def _sizes(digests: Iterable[Digest], contents: Contents) -> int:
    manifests = [contents.manifests[digest] for digest in digests if digest in contents.manifests]
    return sum(held.size for held in manifests) + sum(_blobs(digests, contents).values())


def _shared(garbage: Iterable[Digest], kept: Iterable[Digest], contents: Contents) -> int:
    needed = _blobs(kept, contents)
    return sum(size for digest, size in _blobs(garbage, contents).items() if digest in needed)


def _blobs(digests: Iterable[Digest], contents: Contents) -> dict[Digest, int]:
    found: dict[Digest, int] = {}
    for digest in digests:
        held = contents.manifests.get(digest)
        found.update(held.blobs if held is not None else ())
    return found
