"""Images pushed whole: what is there is found out first, blobs go in parallel, manifests after them, tags last.

A repository that is broken off in never shows a tag, nor a manifest whose blobs are missing. What a registry holds as a
manifest it holds with all blobs, which it must by the specification: those are not asked for one by one, unless it then says
that it misses some.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from builder.digest import Digest
from builder.errors import IntegrityError, RegistryError
from builder.oci.descriptor import Descriptor
from builder.registry.answers import RegistryTroubleError
from builder.registry.documents import INDEXES, MANIFESTS, parse_links
from builder.registry.model import BlobPushed, ManifestBytes, Outcome, Registry, Repository
from builder.registry.parallel import DEFAULT_WORKERS, parallel
from builder.registry.pulling import survey
from builder.registry.shipment import BlobSource, Shipment

_FEW: Final = 8
"""Blobs that are asked for one by one all the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferPlan:
    """What a push would do: all that `--dry-run` shows."""

    repository: Repository
    tags: tuple[str, ...]
    manifests: tuple[ManifestBytes, ...]
    """Not there yet, children first."""
    root: ManifestBytes
    blobs: tuple[Descriptor, ...]
    """Not there yet."""
    present: tuple[Descriptor, ...]
    """Blobs that are there already."""
    stale_tags: tuple[str, ...]
    """Tags that do not stand for the root yet."""

    @property
    def bytes_to_send(self) -> int:
        """Bytes of blobs and manifests, if none can be mounted."""
        return sum(blob.size for blob in self.blobs) + sum(len(manifest.data) for manifest in self.manifests)


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferReport:
    """What a push did."""

    descriptor: Descriptor
    """Of the root."""
    pushed: tuple[tuple[Descriptor, BlobPushed], ...]
    """For each blob that was not known to be there."""

    @property
    def sent_bytes(self) -> int:
        """Bytes of blobs that went over the wire."""
        return sum(result.sent_bytes for _, result in self.pushed)

    def count(self, outcome: Outcome) -> int:
        """Count blobs by what became of them."""
        return sum(result.outcome is outcome for _, result in self.pushed)


def plan_push(
    registry: Registry,
    repository: Repository,
    shipment: Shipment,
    tags: Sequence[str] = (),
    *,
    near: Sequence[str] = (),
    workers: int = DEFAULT_WORKERS,
) -> TransferPlan:
    """Find out what of a shipment a repository holds; nothing is written.

    Args:
        registry: where to.
        repository: of the registry.
        shipment: what is to be there.
        tags: what is to stand for its root.
        near: tags of images that may share blobs with it: their manifests tell of many blobs in few questions.
        workers: questions at a time.
    """

    def holds(manifest: ManifestBytes) -> bool:
        found = registry.manifest(repository.at(manifest.digest))
        return found is not None and found.data == manifest.data

    there = parallel(holds, shipment.manifests, workers)
    absent = tuple(m for m, present in zip(shipment.manifests, there, strict=True) if not present)
    needed = {blob.digest for manifest in absent for blob in _blobs_of(manifest)}
    held = _held_by(registry, repository, near) if len(needed) > _FEW else frozenset()
    asked = tuple(blob for blob in shipment.blobs if blob.digest in needed - held)
    found = parallel(lambda blob: registry.has_blob(repository, blob.digest), asked, workers)
    missing = {blob.digest for blob, present in zip(asked, found, strict=True) if not present}
    return TransferPlan(
        repository=repository,
        tags=tuple(tags),
        manifests=absent,
        root=shipment.root,
        blobs=tuple(blob for blob in shipment.blobs if blob.digest in missing),
        present=tuple(blob for blob in shipment.blobs if blob.digest not in missing),
        stale_tags=tuple(tag for tag in tags if not _stands_for(registry, repository, tag, shipment.root)),
    )


def _held_by(registry: Registry, repository: Repository, tags: Sequence[str]) -> frozenset[Digest]:
    """Collect the blobs of images that a repository holds; of one that cannot be read nothing is known."""
    held: set[Digest] = set()
    for tag in tags:
        with contextlib.suppress(RegistryError, IntegrityError):
            held.update(blob.digest for blob in survey(registry, repository.at(tag)).blobs)
    return frozenset(held)


def _blobs_of(manifest: ManifestBytes) -> tuple[Descriptor, ...]:
    links = parse_links(manifest.data, manifest.media_type, context=str(manifest.digest))
    return (*links.blobs, *(child for child in links.manifests if child.media_type not in (*INDEXES, *MANIFESTS)))


def _stands_for(registry: Registry, repository: Repository, tag: str, root: ManifestBytes) -> bool:
    try:
        found = registry.manifest(repository.at(tag))
    except IntegrityError:
        # Something else stands there, which nobody needs to understand in order to replace it.
        return False
    return found is not None and found.digest == root.digest


def push(
    registry: Registry,
    plan: TransferPlan,
    source: BlobSource,
    *,
    mount_from: Sequence[Repository] = (),
    workers: int = DEFAULT_WORKERS,
    progress: Callable[[Descriptor, BlobPushed], None] = lambda *_: None,
) -> TransferReport:
    """Carry a plan out: blobs, then manifests by digest, children first, then tags.

    Args:
        registry: where to.
        plan: of `plan_push`; others may have pushed in between.
        source: of the blobs.
        mount_from: repositories of the same registry that may lend blobs.
        workers: blobs at a time.
        progress: is told of each blob.

    Raises:
        RegistryError: it did not go through; what was sent is kept by the registry, and no tag was set.
        DigestMismatchError: a blob of the source is damaged.
    """

    def send(blob: Descriptor) -> BlobPushed:
        result = registry.push_blob(
            plan.repository, blob, lambda offset: source.open_at(blob, offset), mount_from, is_missing=True
        )
        progress(blob, result)
        return result

    def send_if_missing(blob: Descriptor) -> BlobPushed:
        return registry.push_blob(plan.repository, blob, lambda offset: source.open_at(blob, offset), mount_from)

    # The largest first: a small one is not what all wait for in the end.
    ordered = sorted(plan.blobs, key=lambda blob: (-blob.size, blob.digest))
    results = parallel(send, ordered, workers)
    if plan.manifests:
        try:
            _push_manifests(registry, plan)
        except RegistryTroubleError as error:
            if not _misses_blobs(error):
                raise
            # Images of the registry name blobs that it has lost: those that were taken for present are looked at one by one.
            mended = parallel(send_if_missing, plan.present, workers)
            results += [result for result in mended if result.outcome is not Outcome.PRESENT]
            ordered += [
                blob for blob, one in zip(plan.present, mended, strict=True) if one.outcome is not Outcome.PRESENT
            ]
            _push_manifests(registry, plan)
    for tag in plan.stale_tags:
        registry.push_manifest(plan.repository, plan.root.data, plan.root.media_type, tag)
    return TransferReport(descriptor=plan.root.descriptor, pushed=tuple(zip(ordered, results, strict=True)))


def _push_manifests(registry: Registry, plan: TransferPlan) -> None:
    for manifest in plan.manifests:
        registry.push_manifest(plan.repository, manifest.data, manifest.media_type)


def _misses_blobs(error: RegistryTroubleError) -> bool:
    return any(detail.code in {"BLOB_UNKNOWN", "MANIFEST_BLOB_UNKNOWN"} for detail in error.details)
