"""Garbage collection of a repository: read what is there, choose, delete; nothing is deleted by looking.

What tags and what ran lead to must be read whole, or nothing is deleted. What merely refers to images, or lists what does, is
anybody's: what of that cannot be read is left alone, and told.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Final

from builder.digest import Digest
from builder.errors import BuilderError, InvalidInputError, RegistryError
from builder.registry.answers import RegistryTroubleError, lies_in_object
from builder.registry.documents import INDEXES, MANIFESTS, parse_links
from builder.registry.garbage import Contents, GarbagePlan, HeldManifest
from builder.registry.model import Reference, Registry, Repository
from builder.registry.parallel import DEFAULT_WORKERS
from builder.registry.tags import is_attached, is_referrers_list, subject_of

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_REFUSED: Final = (400, 403, 405, 409, 412)
_KNOWN: Final = (*INDEXES, *MANIFESTS)


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


def read_contents(
    registry: Registry,
    repository: Repository,
    *,
    ran: frozenset[Digest] = frozenset(),
    workers: int = DEFAULT_WORKERS,
) -> Contents:
    """Read every manifest that a tag or a digest that ran leads to, what is below it and what refers to it.

    Args:
        registry: where to look.
        repository: whose manifests.
        ran: digests that may be here: what runs without a tag must not lose what it shares with garbage.
        workers: questions at a time.

    Raises:
        RegistryError: something cannot be read: then nothing can be told to be garbage.
        IntegrityError: an image is not what its digest says, or of a kind that is not known here.
    """
    tags = registry.tags(repository)
    with ThreadPoolExecutor(max_workers=workers, thread_name_prefix="gc") as pool:
        reader = _Reader(registry, repository, pool)
        plain = reader.tags([tag for tag in tags if not is_attached(tag)], must=True)
        reader.follow((*plain.values(), *sorted(ran)), lambda one: one.children, must=True)
        images = frozenset(reader.manifests)
        attached = reader.tags([tag for tag in tags if is_attached(tag)], must=False)
        everything = (*reader.manifests, *attached.values())
        reader.follow(everything, lambda one: (*one.children, *one.referrers), must=False)
    return Contents(tags=plain | attached, manifests=reader.confirmed(attached, images), unread=reader.unread)


class _Reader:
    """Reads manifests of a repository, each once."""

    def __init__(self, registry: Registry, repository: Repository, pool: ThreadPoolExecutor) -> None:
        self._registry = registry
        self._repository = repository
        self._pool = pool
        self._subjects: dict[Digest, Digest | None] = {}
        self.manifests: dict[Digest, HeldManifest] = {}
        self.unread: dict[str, str] = {}

    def tags(self, tags: Sequence[str], *, must: bool) -> dict[str, Digest]:
        """Read what tags stand for; those that are gone meanwhile are left out."""
        found = zip(tags, self._read(tags, must=must), strict=True)
        return {tag: held.digest for tag, held in found if held is not None}

    def follow(
        self, digests: Iterable[Digest], near: Callable[[HeldManifest], Iterable[Digest]], *, must: bool
    ) -> None:
        """Read what digests lead to."""
        seen: set[Digest] = set()
        waiting = list(dict.fromkeys(digests))
        while waiting:
            seen.update(waiting)
            self._read([digest for digest in waiting if digest not in self.manifests], must=must)
            there = [self.manifests[digest] for digest in waiting if digest in self.manifests]
            waiting = list(dict.fromkeys(other for one in there for other in near(one) if other not in seen))

    def confirmed(self, attached: Mapping[str, Digest], images: Collection[Digest]) -> Mapping[Digest, HeldManifest]:
        """Give all manifests, with those referrers alone that themselves say what they refer to.

        Args:
            attached: tags of what refers to manifests.
            images: what is no mere list of referrers, whatever tags say.
        """
        listed: dict[Digest, set[Digest]] = {}
        for tag, digest in attached.items():
            if is_referrers_list(tag) and digest not in images:
                listed.setdefault(digest, set()).add(subject_of(tag))
        return {
            digest: replace(
                held,
                referrers=tuple(one for one in held.referrers if self._subjects.get(one) == digest),
                children=tuple(
                    one for one in held.children if digest not in listed or self._subjects.get(one) in listed[digest]
                ),
            )
            for digest, held in self.manifests.items()
        }

    def _read(self, points: Sequence[str | Digest], *, must: bool) -> list[HeldManifest | None]:
        found = list(self._pool.map(lambda point: self._ask(point, must=must), points))
        for point, (held, subject, why) in zip(points, found, strict=True):
            if held is not None:
                self.manifests[held.digest] = held
                self._subjects[held.digest] = subject
            if why:
                self.unread[str(held.digest if held is not None else point)] = why
        return [held for held, _, _ in found]

    def _ask(self, point: str | Digest, *, must: bool) -> tuple[HeldManifest | None, Digest | None, str]:
        """Read a manifest, and ask what refers to it; of what is left out, why."""
        reference = self._repository.at(point)
        try:
            manifest = self._registry.manifest(reference)
            if manifest is None:
                return None, None, ""
            links = parse_links(manifest.data, manifest.media_type, context=str(reference))
        except BuilderError as error:
            if not lies_in_object(error):
                raise
            if must:
                raise RegistryError(
                    error.message,
                    context=str(reference),
                    hint="what it needs cannot be known, so nothing is deleted here: delete that one yourself, or mend it",
                ) from error
            return None, None, error.message
        referrers, why = self._referrers(manifest.digest)
        held = HeldManifest(
            digest=manifest.digest,
            size=len(manifest.data),
            children=tuple(child.digest for child in links.manifests if child.media_type in _KNOWN),
            referrers=referrers,
            blobs=tuple(
                (blob.digest, blob.size)
                for blob in (*links.blobs, *(child for child in links.manifests if child.media_type not in _KNOWN))
            ),
        )
        return held, links.subject, why

    def _referrers(self, digest: Digest) -> tuple[tuple[Digest, ...], str]:
        try:
            return tuple(one.descriptor.digest for one in self._registry.referrers(self._repository, digest)), ""
        except BuilderError as error:
            if not lies_in_object(error):
                raise
            return (), f"the list of its referrers: {error.message}"


def delete_garbage(
    registry: Registry,
    repository: Repository,
    contents: Contents,
    plan: GarbagePlan,
    told: Callable[[Digest], None] = lambda _: None,
) -> int:
    """Delete manifests in the order of a plan; returns how many were there.

    Where tags outlive their manifest in a registry, they are deleted too, before anything that the image needs.

    Raises:
        RegistryError: the registry refuses; what was deleted before is gone.
    """
    count = 0
    tags: dict[Digest, list[str]] = {}
    for tag in plan.dropped:
        tags.setdefault(contents.tags[tag], []).append(tag)
    for digest in plan.garbage:
        count += _delete(registry, repository.at(digest))
        for tag in tags.get(digest, ()):
            found = registry.manifest(repository.at(tag))
            if found is not None and found.digest == digest:
                _delete(registry, repository.at(tag))
        told(digest)
    return count


def _delete(registry: Registry, reference: Reference) -> bool:
    try:
        return registry.delete(reference)
    except RegistryTroubleError as error:
        if error.status not in _REFUSED:
            raise
        raise RegistryError(
            f"deleting is refused: {error.message}",
            context=str(reference),
            hint="let it: docker-registry wants storage.delete.enabled, others a right to delete, or no rule of immutable tags",
        ) from error


def check_moved(
    registry: Registry, repository: Repository, contents: Contents, plan: GarbagePlan, *, deleted: bool = False
) -> None:
    """Refuse where a tag has moved to garbage since it was read.

    Args:
        registry: where to look.
        repository: as it was read.
        contents: what was there.
        plan: what is garbage.
        deleted: the plan was carried out meanwhile.

    Raises:
        RegistryError: somebody pushes or tags just now.
    """
    garbage = set(plan.garbage)
    for tag in registry.tags(repository):
        if tag in plan.dropped or is_attached(tag):
            continue
        try:
            now = registry.manifest(repository.at(tag))
        except BuilderError as error:
            raise RegistryError(error.message, context=str(repository.at(tag))) from error
        if now is None or contents.tags.get(tag) == now.digest:
            continue
        # An image pushed just now may share a platform with one that goes: it was not sent again.
        links = parse_links(now.data, now.media_type, context=str(repository.at(tag)))
        below = {child.digest for child in links.manifests if child.media_type in _KNOWN}
        if not garbage.isdisjoint({now.digest, *below}):
            did = "was deleted" if deleted else "is about to go"
            raise RegistryError(
                f"was moved to an image that {did}, or that shares a platform with one",
                context=str(repository.at(tag)),
                hint="push that image again: what it lacks is sent" if deleted else "run it again",
            )
