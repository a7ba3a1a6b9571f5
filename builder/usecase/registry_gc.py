"""Garbage collection of a repository: read what is there, choose, delete; nothing is deleted by looking."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

from builder.digest import Digest
from builder.errors import BuilderError, InvalidInputError, RegistryError
from builder.registry.documents import INDEXES, MANIFESTS, parse_links
from builder.registry.garbage import Contents, GarbagePlan, HeldManifest
from builder.registry.model import ManifestBytes, Registry, Repository
from builder.registry.parallel import DEFAULT_WORKERS

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_REFUSED = (400, 403, 405)


def parse_digests(text: str, *, context: str) -> frozenset[Digest]:
    """Find all digests in a text: a list, image references, or what a cluster says of its pods.

    Raises:
        InvalidInputError: there is none: who asked what runs was not answered, and nothing may be deleted on that.
    """
    found = frozenset(Digest.parse(one) for one in _DIGEST.findall(text))
    if not found:
        raise InvalidInputError(
            "holds no digest of an image", context=context, hint="leave --ran out where nothing runs from here"
        )
    return found


def read_contents(registry: Registry, repository: Repository, *, workers: int = DEFAULT_WORKERS) -> Contents:
    """Read every manifest that a tag leads to, what is below it and what refers to it.

    Raises:
        RegistryError: something cannot be read: then nothing can be told to be garbage.
        IntegrityError: a manifest is not what its digest says, or of a kind that is not known here.
    """
    tags = registry.tags(repository)
    with ThreadPoolExecutor(max_workers=workers, thread_name_prefix="gc") as pool:
        found = pool.map(lambda tag: registry.manifest(repository.at(tag)), tags)
        roots = {tag: manifest for tag, manifest in zip(tags, found, strict=True) if manifest is not None}
        manifests: dict[Digest, HeldManifest] = {}
        waiting = {manifest.digest: manifest for manifest in roots.values()}
        while waiting:
            held = list(pool.map(lambda one: _hold(registry, repository, one), waiting.values()))
            manifests.update((one.digest, one) for one in held)
            named = {digest for one in held for digest in (*one.children, *one.referrers)}
            new = sorted(named - manifests.keys())
            read = pool.map(lambda digest: registry.manifest(repository.at(digest)), new)
            waiting = {manifest.digest: manifest for manifest in read if manifest is not None}
    return Contents(tags={tag: manifest.digest for tag, manifest in roots.items()}, manifests=manifests)


def _hold(registry: Registry, repository: Repository, manifest: ManifestBytes) -> HeldManifest:
    links = parse_links(manifest.data, manifest.media_type, context=str(repository.at(manifest.digest)))
    known = (*INDEXES, *MANIFESTS)
    others = [child for child in links.manifests if child.media_type not in known]
    return HeldManifest(
        digest=manifest.digest,
        size=len(manifest.data),
        children=tuple(child.digest for child in links.manifests if child.media_type in known),
        referrers=tuple(one.descriptor.digest for one in registry.referrers(repository, manifest.digest)),
        blobs=tuple((blob.digest, blob.size) for blob in (*links.blobs, *others)),
    )


def delete_garbage(
    registry: Registry,
    repository: Repository,
    garbage: Iterable[Digest],
    told: Callable[[Digest], None] = lambda _: None,
) -> int:
    """Delete manifests in the order given; returns how many were there.

    Raises:
        RegistryError: the registry refuses; what was deleted before is gone.
    """
    count = 0
    for digest in garbage:
        try:
            count += registry.delete(repository.at(digest))
        except RegistryError as error:
            if getattr(error, "status", 0) in _REFUSED:
                raise RegistryError(
                    f"deleting is refused: {error.message}",
                    context=str(repository.at(digest)),
                    hint="let it: docker-registry wants storage.delete.enabled, others a right to delete",
                ) from error
            raise
        told(digest)
    return count


def check_moved(registry: Registry, repository: Repository, contents: Contents, plan: GarbagePlan) -> None:
    """Refuse where a tag has moved to garbage since it was read.

    Raises:
        RegistryError: somebody pushes or tags just now.
    """
    garbage = set(plan.garbage)
    known = (*INDEXES, *MANIFESTS)
    for tag in registry.tags(repository):
        if tag in plan.dropped:
            continue
        try:
            now = registry.manifest(repository.at(tag))
        except BuilderError as error:
            raise RegistryError(error.message, context=str(repository.at(tag))) from error
        if now is None or contents.tags.get(tag) == now.digest:
            continue
        # An image pushed just now may share a platform with one that goes: it was not sent again.
        links = parse_links(now.data, now.media_type, context=str(repository.at(tag)))
        below = {child.digest for child in links.manifests if child.media_type in known}
        if not garbage.isdisjoint({now.digest, *below}):
            raise RegistryError(
                "was moved to an image that is about to go, or that shares a platform with one",
                context=str(repository.at(tag)),
                hint="run it again",
            )
