"""List: what stands in a repository, by tag."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from builder.digest import Digest
from builder.errors import IntegrityError
from builder.oci import media
from builder.oci.index import parse_index
from builder.registry.model import Registry, Repository
from builder.registry.parallel import DEFAULT_WORKERS
from builder.registry.tags import is_attached, parse_immutable


@dataclass(frozen=True, slots=True, kw_only=True)
class TagView:
    """A tag, and what it stands for."""

    tag: str
    stack: str
    """Of an immutable tag; empty for a channel."""
    digest: Digest | None
    """None where what stands there is no manifest that we know."""
    kind: str
    """Media type."""
    platforms: tuple[str, ...]
    """Of an index."""
    same_as: tuple[str, ...] = ()
    """Of a channel: the immutable tags of the same image, newest first; of those, the channels."""


def list_tags(
    registry: Registry,
    repository: Repository,
    *,
    stack: str | None = None,
    attached: bool = False,
    workers: int = DEFAULT_WORKERS,
) -> tuple[TagView, ...]:
    """List tags: immutable ones by stack, newest first, then channels.

    Args:
        registry: where to look.
        repository: whose tags.
        stack: only images of this one: its immutable tags, and the channels that stand for one of them.
        attached: list tags that only lead from an image to what refers to it, too.
        workers: questions at a time.
    """
    tags = [tag for tag in registry.tags(repository) if attached or not is_attached(tag)]
    if stack is not None:
        tags = [tag for tag in tags if (parsed := parse_immutable(tag)) is None or parsed.stack == stack]
    with ThreadPoolExecutor(max_workers=workers) as pool:
        views = [view for view in pool.map(lambda tag: _look(registry, repository, tag), tags) if view is not None]
    linked = [replace(view, same_as=_same_as(view, views)) for view in views]
    channels = [view for view in linked if not view.stack and (stack is None or view.same_as)]
    dated = sorted((view for view in linked if view.stack), key=_age, reverse=True)
    return (*sorted(dated, key=lambda view: view.stack), *sorted(channels, key=lambda view: view.tag))


def _age(view: TagView) -> tuple[str, int]:
    parsed = parse_immutable(view.tag)
    return (parsed.day, parsed.number) if parsed else ("", 0)


def _same_as(view: TagView, views: Iterable[TagView]) -> tuple[str, ...]:
    others = [one for one in views if one.digest == view.digest and bool(one.stack) != bool(view.stack)]
    by_name = sorted(others, key=lambda one: one.tag)
    return tuple(one.tag for one in sorted(by_name, key=_age, reverse=True))


def _look(registry: Registry, repository: Repository, tag: str) -> TagView | None:
    parsed = parse_immutable(tag)
    stack = parsed.stack if parsed else ""
    try:
        found = registry.manifest(repository.at(tag))
    except IntegrityError:
        return TagView(tag=tag, stack=stack, digest=None, kind="", platforms=())
    if found is None:
        return None
    platforms: tuple[str, ...] = ()
    if found.media_type == media.INDEX:
        try:
            platforms = tuple(str(one.platform) for one in parse_index(found.data).manifests if one.platform)
        except IntegrityError:
            platforms = ()
    return TagView(tag=tag, stack=stack, digest=found.digest, kind=found.media_type, platforms=platforms)
