"""What an image of ours says of itself, and the locks that it was built from, found by their hashes wherever they lie."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from builder.archive.model import ARTIFACT_TYPE
from builder.attest.provenance import BuiltImage, Inputs
from builder.digest import Digest
from builder.errors import BuildError, IntegrityError
from builder.lock.base import parse_base_lock
from builder.lock.pylock import parse_stack_lock
from builder.oci import media
from builder.oci.config import parse_config
from builder.oci.fields import MAX_DOCUMENT_BYTES
from builder.oci.layout import PlatformImage
from builder.oci.manifest import parse_manifest
from builder.registry.model import Registry
from builder.usecase.attached import Artifact
from builder.usecase.found_archive import FoundArchive, find_archive, read_document
from builder.usecase.shipped import ShippedImage, read_shipped

Source = Callable[[Digest], bytes | None]
"""Gives a document by its sha256; None where it does not have it."""
_LARGEST_LOCK = 64 << 20
_LOCK, _STACK = "airflow-kubler.lock", "airflow-kubler.stack"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageSubject:
    """An image of ours that something is said of: the index, or the manifest of one platform."""

    artifact: Artifact
    stack: str
    """By its label, as the lock: what is signed is a digest that they stand below."""
    lock: Digest
    built: BuiltImage
    platforms: tuple[PlatformImage, ...]
    """Sorted by platform."""
    shipped: ShippedImage | None
    """None where it is the manifest of one platform."""


def read_subject(registry: Registry, artifact: Artifact) -> ImageSubject:
    """Read what an image says of itself; no layer is read.

    Raises:
        IntegrityError: it is none of ours.
        RegistryError: the registry fails.
    """
    if artifact.root.media_type == media.INDEX:
        shipped = read_shipped(registry, artifact.reference)
        return ImageSubject(
            artifact=artifact,
            stack=shipped.stack,
            lock=shipped.lock,
            built=_built(shipped.platforms),
            platforms=tuple(sorted(shipped.platforms, key=lambda one: one.platform)),
            shipped=shipped,
        )
    one = _read_platform(registry, artifact)
    labels = dict(one.config.run.labels)
    if not labels.get(_LOCK) or not labels.get(_STACK):
        raise IntegrityError("does not say which lock it was built from", context=str(artifact.reference))
    return ImageSubject(
        artifact=artifact,
        stack=labels[_STACK],
        lock=Digest.parse(labels[_LOCK]),
        built=_built((one,)),
        platforms=(one,),
        shipped=None,
    )


def _read_platform(registry: Registry, artifact: Artifact) -> PlatformImage:
    manifest = parse_manifest(artifact.root.data)
    if manifest.config.size > MAX_DOCUMENT_BYTES or not manifest.layers:
        raise IntegrityError("is no image", context=str(artifact.reference))
    config = parse_config(b"".join(registry.read_blob(artifact.repository, manifest.config)))
    return PlatformImage(
        platform=config.platform, descriptor=artifact.root.descriptor, manifest=manifest, config=config
    )


def _built(platforms: Sequence[PlatformImage]) -> BuiltImage:
    """Read from an image what came out of its build."""
    found = sorted(platforms, key=lambda one: one.platform)
    # The uppermost layer is the build's own; those of a base that is an image are as they were.
    compression = media.COMPRESSION_OF[found[0].manifest.layers[-1].media_type]
    return BuiltImage(platforms=tuple((one.platform, one.descriptor.digest) for one in found), compression=compression)


def read_inputs(image: ImageSubject, sources: Sequence[Source]) -> Inputs:
    """Read the locks of an image.

    Args:
        image: in a registry.
        sources: asked in their order.

    Raises:
        BuildError: nobody has a lock.
        IntegrityError: a lock is of another stack than the image.
    """
    data = _find(image.lock, sources, f"pylock.{image.stack}.toml", image)
    stack = parse_stack_lock(data, file=f"pylock.{image.stack}.toml")
    if stack.stack != image.stack:
        raise IntegrityError(
            f"the lock is of {stack.stack}, the image of {image.stack}", context=str(image.artifact.reference)
        )
    file = f"base.{stack.base}.toml"
    base = parse_base_lock(_find(stack.base_lock, sources, file, image), file=file)
    return Inputs(stack=stack, lock=image.lock, base=base)


def locks_of_folder(folder: Path) -> Source:
    """Look among the locks of a project, as they are now."""

    def source(digest: Digest) -> bytes | None:
        for path in sorted(folder.glob("*.toml")):
            data = path.read_bytes() if path.stat().st_size <= _LARGEST_LOCK else b""
            if Digest.of(data) == digest:
                return data
        return None

    return source


def locks_of_archive(registry: Registry, image: ShippedImage | None) -> Source:
    """Look in the archive beside an image's index, where there is one; raises IntegrityError where none serves."""
    found: list[FoundArchive] = []

    def source(digest: Digest) -> bytes | None:
        if image is None:
            return None
        if not found:
            if not registry.referrers(image.repository, image.root.digest, ARTIFACT_TYPE):
                return None
            found.append(find_archive(registry, image))
        if found[0].archive.find(digest) is None:
            return None
        return read_document(registry, found[0], digest, what="a lock", most=_LARGEST_LOCK)

    return source


def _find(digest: Digest, sources: Sequence[Source], file: str, image: ImageSubject) -> bytes:
    for source in sources:
        data = source(digest)
        if data is not None and Digest.of(data) == digest:
            return data
    raise BuildError(
        f"the lock that it was built from is not here: {file}, {digest}",
        context=str(image.artifact.reference),
        hint="run it in the project at that lock, with the ledger that recorded the build, or after `archive push`",
    )
