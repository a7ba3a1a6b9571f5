"""Images pulled whole, and what refers to them: all manifests are read first, then blobs in parallel, manifests last.

Anybody who may push to a repository may refer to an image there. So a referrer that is gone, damaged, too large or of
another image is left out and told, and takes nothing else with it; a registry that fails ends the pull.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from builder.digest import Digest
from builder.errors import DigestMismatchError, IntegrityError, RegistryError
from builder.oci.descriptor import Descriptor, verify_bytes
from builder.registry.answers import RegistryTroubleError, lies_in_object
from builder.registry.documents import parse_links
from builder.registry.model import ManifestBytes, Reference, Referrer, Registry, Repository
from builder.registry.parallel import DEFAULT_WORKERS, parallel
from builder.registry.shipment import MOST_BYTES, MOST_MANIFESTS, Shipment, gather

_MOST_OF_ONE: Final = 100
"""Manifests of one referrer."""
_Blob = tuple[Digest, int]
"""A blob with the size that is said of it: of one that two say different sizes of, one of them is there."""


class BlobSink(Protocol):
    """Where pulled ones go. Safe to use from several threads."""

    def has(self, descriptor: Descriptor) -> bool:
        """Tell whether a blob is there already, whole."""

    def write(self, descriptor: Descriptor, chunks: Iterable[bytes]) -> None:
        """Keep a blob under its digest once the iteration has ended; nothing where it raises."""

    def complete(self, descriptor: Descriptor, rest_of: Callable[[Iterator[bytes]], Iterable[bytes]]) -> None:
        """Do the same, of a blob of which a part may be here: `rest_of` reads that part to its end, and gives what follows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """A referrer that was listed and is left out."""

    digest: Digest
    """Its own; its subject's where the list itself is at fault."""
    subject: Digest
    why: str

    def __str__(self) -> str:
        return f"{self.digest}, listed as referring to {self.subject}: {self.why}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attached:
    """A referrer, read with all that is below it."""

    subject: Digest
    shipment: Shipment


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulled:
    """What a pull brought."""

    shipment: Shipment
    skipped: tuple[Skipped, ...] = ()


def pull(
    registry: Registry,
    reference: Reference,
    sink: BlobSink,
    *,
    with_referrers: bool = False,
    workers: int = DEFAULT_WORKERS,
    begin: Callable[[], None] = lambda: None,
) -> Pulled:
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
    image = survey(registry, reference)
    repository = reference.repository
    attached, skipped = find_referrers(registry, repository, image) if with_referrers else ((), ())
    begin()
    failed: dict[_Blob, str] = {}

    def get(blob: Descriptor) -> None:
        try:
            sink.complete(blob, lambda begun: registry.read_blob(repository, blob, begun))
        except DigestMismatchError:
            # Once more: what was continued after a break may have come from a damaged cache in between, or from an earlier pull.
            sink.write(blob, registry.read_blob(repository, blob))

    def try_to_get(blob: Descriptor) -> None:
        try:
            get(blob)
        except (RegistryError, IntegrityError) as error:
            if not lies_in_object(error):
                raise
            failed[_key(blob)] = f"blob {blob.digest}: {error.message}"

    parallel(get, _missing(image.blobs, sink), workers)
    own = {_key(blob) for blob in image.blobs}
    others = {_key(blob): blob for one in attached for blob in one.shipment.blobs if _key(blob) not in own}
    parallel(try_to_get, _missing(others.values(), sink), workers)
    kept, lost = _without_failed(image, attached, failed)
    whole = _join(image, kept)
    for manifest in whole.manifests:
        sink.write(manifest.descriptor, (manifest.data,))
    return Pulled(shipment=whole, skipped=(*skipped, *lost))


def survey(registry: Registry, reference: Reference) -> Shipment:
    """Read all manifests of an image, and no blob; raises RegistryError where it is not there."""
    return gather(_expect(registry, reference, None), _reader(registry, reference.repository))


def find_referrers(
    registry: Registry, repository: Repository, image: Shipment
) -> tuple[tuple[Attached, ...], tuple[Skipped, ...]]:
    """Read what refers to the manifests of an image, and what refers to that.

    Returns:
        Referrers, each after its subject, and those that are left out.

    Raises:
        RegistryError: the registry fails, as opposed to one referrer.
    """
    known = {manifest.digest: manifest for manifest in image.manifests}
    found: list[Attached] = []
    skipped: list[Skipped] = []
    for subject, referrer in _listed(registry, repository, known, skipped):
        digest = referrer.descriptor.digest
        try:
            one = _read_referrer(registry, repository, digest, subject)
        except (RegistryError, IntegrityError) as error:
            if not lies_in_object(error):
                raise
            skipped.append(Skipped(digest=digest, subject=subject, why=error.message))
            continue
        if (
            len(known) + len(one.manifests) > MOST_MANIFESTS
            or _size(known.values()) + _size(one.manifests) > MOST_BYTES
        ):
            why = f"an image has at most {MOST_MANIFESTS} manifests with its referrers, of {MOST_BYTES} bytes"
            skipped.append(Skipped(digest=digest, subject=subject, why=why))
            continue
        known.update((manifest.digest, manifest) for manifest in one.manifests)
        found.append(Attached(subject=subject, shipment=one))
    return tuple(found), tuple(skipped)


def _listed(
    registry: Registry, repository: Repository, known: dict[Digest, ManifestBytes], skipped: list[Skipped]
) -> Iterator[tuple[Digest, Referrer]]:
    """Give what is listed as referring to known manifests, with those that become known meanwhile; each once, so many at most."""
    asked: set[Digest] = set()
    count = 0
    while waiting := [digest for digest in known if digest not in asked]:
        subject = waiting[0]
        asked.add(subject)
        try:
            listed = registry.referrers(repository, subject)
        except (RegistryError, IntegrityError) as error:
            if not lies_in_object(error):
                raise
            skipped.append(Skipped(digest=subject, subject=subject, why=f"the list cannot be read: {error.message}"))
            continue
        for referrer in listed:
            if referrer.descriptor.digest in known:
                continue
            count += 1
            if count > MOST_MANIFESTS:
                why = f"more than {MOST_MANIFESTS} are listed; the others were not looked at"
                skipped.append(Skipped(digest=referrer.descriptor.digest, subject=subject, why=why))
                return
            yield subject, referrer


def _read_referrer(registry: Registry, repository: Repository, digest: Digest, subject: Digest) -> Shipment:
    manifest = read_referrer(registry, repository, digest, subject)
    return gather(manifest, _reader(registry, repository), most=_MOST_OF_ONE)


def read_referrer(registry: Registry, repository: Repository, digest: Digest, subject: Digest) -> ManifestBytes:
    """Read the manifest of a referrer; what was listed of it, its digest apart, is not believed.

    Raises:
        IntegrityError: it is not there, damaged, or refers to something else.
    """
    found = registry.manifest(repository.at(digest))
    if found is None:
        raise IntegrityError("is not there", context=str(repository.at(digest)))
    refers_to = parse_links(found.data, found.media_type, context=str(digest)).subject
    if refers_to != subject:
        raise IntegrityError(f"refers to {refers_to or 'nothing'}", context=str(repository.at(digest)))
    return found


def _without_failed(
    image: Shipment, attached: Sequence[Attached], failed: Mapping[_Blob, str]
) -> tuple[list[Attached], list[Skipped]]:
    """Leave out referrers whose blobs could not be had, and what refers to those."""
    there = {manifest.digest for manifest in image.manifests}
    kept: list[Attached] = []
    lost: list[Skipped] = []
    for one in attached:
        digest = one.shipment.root.digest
        why = next((failed[_key(blob)] for blob in one.shipment.blobs if _key(blob) in failed), "")
        if not why and one.subject not in there:
            why = "what it refers to was left out"
        if why:
            lost.append(Skipped(digest=digest, subject=one.subject, why=why))
            continue
        there.update(manifest.digest for manifest in one.shipment.manifests)
        kept.append(one)
    return kept, lost


def _join(image: Shipment, attached: Sequence[Attached]) -> Shipment:
    shipments = (image, *(one.shipment for one in attached))
    manifests = {manifest.digest: manifest for one in shipments for manifest in one.manifests}
    blobs = {blob.digest: blob for one in shipments for blob in one.blobs}
    return Shipment(root=image.root, manifests=tuple(manifests.values()), blobs=tuple(blobs.values()))


def _missing(blobs: Iterable[Descriptor], sink: BlobSink) -> list[Descriptor]:
    """List what a sink does not hold, the largest first: a small one is not what all wait for in the end."""
    return sorted((blob for blob in blobs if not sink.has(blob)), key=lambda blob: (-blob.size, blob.digest))


def _key(blob: Descriptor) -> _Blob:
    return blob.digest, blob.size


def _size(manifests: Iterable[ManifestBytes]) -> int:
    return sum(len(manifest.data) for manifest in manifests)


def _reader(registry: Registry, repository: Repository) -> Callable[[Descriptor], ManifestBytes]:
    return lambda descriptor: _expect(registry, repository.at(descriptor.digest), descriptor)


def _expect(registry: Registry, reference: Reference, descriptor: Descriptor | None) -> ManifestBytes:
    found = registry.manifest(reference)
    if found is None:
        raise RegistryTroubleError(
            "there is no such manifest", registry=reference.repository.registry, context=str(reference), status=404
        )
    if descriptor is not None:
        verify_bytes(descriptor, found.data)
    return found
