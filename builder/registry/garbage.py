"""What a repository may let go of: chosen from its tags, manifests and what they refer to. Pure.

Invariants:
- what is kept is kept whole: children of kept indexes, referrers of kept manifests, and the tags that lead to them;
- a channel keeps what it stands for, whatever its age;
- what cannot be told to be garbage stays: tags that lead to referrers of manifests that no tag leads to.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from builder.digest import Digest
from builder.registry.tags import is_attached, of_stack, parse_immutable


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldManifest:
    """A manifest in a repository, and where it leads."""

    digest: Digest
    size: int
    """Of the manifest itself."""
    children: tuple[Digest, ...] = ()
    """Manifests below an index."""
    referrers: tuple[Digest, ...] = ()
    """Manifests whose subject it is."""
    blobs: tuple[tuple[Digest, int], ...] = ()
    """Config and layers, with their sizes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What a repository holds, as far as its tags lead to it."""

    tags: Mapping[str, Digest]
    manifests: Mapping[Digest, HeldManifest]


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
    reasons = {tag: _reason(tag, digest, plain, contents, retention) for tag, digest in plain.items()}
    kept = _closure((plain[tag] for tag, reason in reasons.items() if reason), attached, contents)
    known = _closure(plain.values(), attached, contents)
    unknown = {tag: digest for tag, digest in attached.items() if _subject(tag) not in known}
    kept |= _closure(unknown.values(), attached, contents)
    # A tag that no rule keeps stays where another keeps what it stands for: its manifest is deleted under all names.
    kept_tags = {
        tag: reason or "another tag keeps it" for tag, reason in reasons.items() if reason or plain[tag] in kept
    }
    garbage = _ordered(plain, known - kept, contents)
    return GarbagePlan(
        kept=kept_tags,
        dropped=tuple(sorted(tag for tag, digest in contents.tags.items() if digest in garbage)),
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
    held = contents.manifests.get(digest)
    return {digest, *(held.children if held else ())}


def _subject(tag: str) -> Digest:
    return Digest(tag.removeprefix("sha256-")[:64])


def _closure(roots: Iterable[Digest], attached: Mapping[str, Digest], contents: Contents) -> set[Digest]:
    """Gather all that some manifests need and all that refers to them."""
    by_subject: dict[Digest, list[Digest]] = {}
    for tag, digest in attached.items():
        by_subject.setdefault(_subject(tag), []).append(digest)
    found: set[Digest] = set()
    waiting = list(roots)
    while waiting:
        digest = waiting.pop()
        if digest in found:
            continue
        found.add(digest)
        waiting += by_subject.get(digest, ())
        held = contents.manifests.get(digest)
        if held is not None:
            waiting += [*held.children, *held.referrers]
    return found


def _ordered(plain: Mapping[str, Digest], garbage: set[Digest], contents: Contents) -> tuple[Digest, ...]:
    """Put roots first, by tag: no tag may stand for an image that is half gone."""
    order: dict[Digest, None] = {}
    for tag in sorted(plain):
        if plain[tag] in garbage:
            order.setdefault(plain[tag])
    below = sorted(garbage - set(order), key=lambda digest: (_is_referrer(digest, contents), digest))
    return (*order, *below)


def _is_referrer(digest: Digest, contents: Contents) -> bool:
    return any(digest in held.referrers for held in contents.manifests.values())


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
