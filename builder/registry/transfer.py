"""Images pushed and pulled whole: what is there is found out first, blobs go in parallel, manifests after them, tags last.

A repository that is broken off in never shows a tag, nor a manifest whose blobs are missing. What a registry holds as a
manifest it holds with all blobs, which it must by the specification: those are not asked for one by one, unless it then says
that it misses some.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Protocol, TypeVar

from builder.digest import Digest
from builder.errors import DigestMismatchError, IntegrityError, RegistryError
from builder.oci.descriptor import Descriptor, verify_bytes
from builder.registry.answers import RegistryTroubleError
from builder.registry.documents import INDEXES, MANIFESTS, media_type_of, parse_links
from builder.registry.model import BlobPushed, ManifestBytes, Outcome, Reference, Registry, Repository

DEFAULT_WORKERS = 4
_FEW = 8
"""Blobs that are asked for one by one all the same."""
_MOST_MANIFESTS = 1000
"""Of one image, with its referrers: more is somebody's trap."""
_T = TypeVar("_T")
_R = TypeVar("_R")


class BlobSource(Protocol):
    """Where blobs and manifests to be pushed lie."""

    def open_at(self, descriptor: Descriptor, offset: int) -> Iterator[bytes]:
        """Iterate over a blob's bytes from an offset; raises MissingBlobError."""


class BlobSink(Protocol):
    """Where pulled ones go. Safe to use from several threads."""

    def has(self, descriptor: Descriptor) -> bool:
        """Tell whether a blob is there already, whole."""

    def write(self, descriptor: Descriptor, chunks: Iterable[bytes]) -> None:
        """Keep a blob under its digest once the iteration has ended; nothing where it raises."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shipment:
    """Manifests and the blobs below them."""

    root: ManifestBytes
    manifests: tuple[ManifestBytes, ...]
    """Children before parents, the root among them, referrers last."""
    blobs: tuple[Descriptor, ...]
    """Each once, in the order of the manifests."""


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


def collect(root: Descriptor, source: BlobSource) -> Shipment:
    """Gather what hangs below a manifest or index of a layout; every document is checked against its descriptor.

    Raises:
        IntegrityError: a document is damaged or of an unknown kind.
        MissingBlobError: one is not there.
    """

    def read(descriptor: Descriptor) -> ManifestBytes:
        data = verify_bytes(descriptor, b"".join(source.open_at(descriptor, 0)))
        kind = media_type_of(data, descriptor.media_type, context=str(descriptor.digest))
        return ManifestBytes(data=data, media_type=kind, digest=descriptor.digest)

    return gather(read(root), read)


def gather(root: ManifestBytes, read: Callable[[Descriptor], ManifestBytes]) -> Shipment:
    """Gather what hangs below a manifest, given what reads its children; raises IntegrityError."""
    manifests: dict[Digest, ManifestBytes] = {}
    blobs: dict[Digest, Descriptor] = {}

    def visit(manifest: ManifestBytes, depth: int) -> None:
        if manifest.digest in manifests:
            return
        if depth > 4 or len(manifests) >= _MOST_MANIFESTS:
            raise IntegrityError("more indexes below indexes than an image has", context=str(root.digest))
        links = parse_links(manifest.data, manifest.media_type, context=str(manifest.digest))
        for child in links.manifests:
            # Indexes may list what is no manifest: that is a blob then.
            if child.media_type in (*INDEXES, *MANIFESTS):
                visit(read(child), depth + 1)
            else:
                blobs.setdefault(child.digest, child)
        blobs.update((blob.digest, blob) for blob in links.blobs if blob.digest not in blobs)
        manifests[manifest.digest] = manifest

    visit(root, 0)
    return Shipment(root=root, manifests=tuple(manifests.values()), blobs=tuple(blobs.values()))


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

    there = _parallel(holds, shipment.manifests, workers)
    absent = tuple(m for m, present in zip(shipment.manifests, there, strict=True) if not present)
    needed = {blob.digest for manifest in absent for blob in _blobs_of(manifest)}
    held = _held_by(registry, repository, near) if len(needed) > _FEW else frozenset()
    asked = tuple(blob for blob in shipment.blobs if blob.digest in needed - held)
    found = _parallel(lambda blob: registry.has_blob(repository, blob.digest), asked, workers)
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
    results = _parallel(send, ordered, workers)
    if plan.manifests:
        try:
            _push_manifests(registry, plan)
        except RegistryTroubleError as error:
            if not _misses_blobs(error):
                raise
            # Images of the registry name blobs that it has lost: those that were taken for present are looked at one by one.
            mended = _parallel(send_if_missing, plan.present, workers)
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


def pull(
    registry: Registry,
    reference: Reference,
    sink: BlobSink,
    *,
    with_referrers: bool = False,
    workers: int = DEFAULT_WORKERS,
    begin: Callable[[], None] = lambda: None,
) -> Shipment:
    """Bring an image into a sink: blobs first, then manifests, children before parents.

    Args:
        registry: where from.
        reference: the image or artifact.
        sink: where to; what it holds already is not asked for.
        with_referrers: what refers to its manifests comes too, and what refers to that.
        workers: blobs at a time.
        begin: is called when all manifests are known, before anything is written.

    Raises:
        RegistryError: it is not there, or cannot be had.
        IntegrityError: something of it is not what its digest says; the sink holds nothing of that.
    """
    shipment = survey(registry, reference, with_referrers=with_referrers)
    begin()
    missing = sorted(
        (blob for blob in shipment.blobs if not sink.has(blob)), key=lambda blob: (-blob.size, blob.digest)
    )

    def get(blob: Descriptor) -> None:
        try:
            sink.write(blob, registry.read_blob(reference.repository, blob))
        except DigestMismatchError:
            # Once more: what was continued after a break may have come from a damaged cache in between.
            sink.write(blob, registry.read_blob(reference.repository, blob))

    _parallel(get, missing, workers)
    for manifest in shipment.manifests:
        sink.write(manifest.descriptor, (manifest.data,))
    return shipment


def survey(registry: Registry, reference: Reference, *, with_referrers: bool = False) -> Shipment:
    """Read all manifests of an image, and no blob; raises RegistryError where it is not there."""
    repository = reference.repository

    def read(descriptor: Descriptor) -> ManifestBytes:
        return _expect(registry, repository.at(descriptor.digest), descriptor)

    root = _expect(registry, reference, None)
    whole = gather(root, read)
    if not with_referrers:
        return whole
    manifests = {manifest.digest: manifest for manifest in whole.manifests}
    blobs = {blob.digest: blob for blob in whole.blobs}
    waiting = list(manifests)
    while waiting:
        for referrer in registry.referrers(repository, waiting.pop(0)):
            if referrer.descriptor.digest in manifests:
                continue
            more = gather(read(referrer.descriptor), read)
            waiting += [manifest.digest for manifest in more.manifests if manifest.digest not in manifests]
            manifests.update((manifest.digest, manifest) for manifest in more.manifests)
            blobs.update((blob.digest, blob) for blob in more.blobs)
            if len(manifests) > _MOST_MANIFESTS:
                raise IntegrityError("more referrers than an image has", context=str(reference))
    return Shipment(root=root, manifests=tuple(manifests.values()), blobs=tuple(blobs.values()))


def _expect(registry: Registry, reference: Reference, descriptor: Descriptor | None) -> ManifestBytes:
    found = registry.manifest(reference)
    if found is None:
        raise RegistryTroubleError(
            "there is no such manifest", registry=reference.repository.registry, context=str(reference), status=404
        )
    if descriptor is not None:
        verify_bytes(descriptor, found.data)
    return found


def _parallel(work: Callable[[_T], _R], items: Sequence[_T], workers: int) -> list[_R]:
    """Do something to each, some at a time; after the first error nothing more is begun."""
    if len(items) < 2:
        return [work(item) for item in items]
    with ThreadPoolExecutor(max_workers=min(workers, len(items)), thread_name_prefix="registry") as pool:
        futures = [pool.submit(work, item) for item in items]
        try:
            for future in as_completed(futures):
                future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return [future.result() for future in futures]
