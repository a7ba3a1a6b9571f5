"""Rebuild: an image in a registry made again from its archive alone, and compared to the last digest.

No index, mirror, project or cache is looked at: the lock comes from the archive, by the hash that the image states;
every input comes from there, by the hash that the lock states.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from builder.digest import Digest
from builder.errors import BuilderError, IntegrityError
from builder.image.assemble import BuiltImage, BuiltPlatform
from builder.image.compare import Difference
from builder.lock.base import parse_base_lock
from builder.lock.model import BaseLock, LockedFile, StackLock
from builder.lock.pylock import parse_stack_lock
from builder.oci import media
from builder.oci.layout import PlatformImage
from builder.platform import Platform
from builder.registry.folder import FolderBlobs
from builder.registry.model import Registry
from builder.registry.parallel import DEFAULT_WORKERS
from builder.registry.pulling import pull
from builder.stack.names import check_name
from builder.usecase.archive import InputStore, fill_store
from builder.usecase.build import BuildRequest, BuildTools, assemble_image, load_locks
from builder.usecase.found_archive import FoundArchive, first_usable, read_document
from builder.usecase.shipped import ShippedImage

_LARGEST_LOCK: Final = 64 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class RebuildReport:
    """What came out."""

    image: ShippedImage
    archive: FoundArchive
    index_digest: Digest
    """What the rebuild gave."""
    inputs: int
    """Files that were brought from the archive."""
    input_bytes: int
    differences: tuple[Difference, ...]
    """Empty where every digest is the same."""


def rebuild(
    registry: Registry,
    image: ShippedImage,
    room: Path,
    store: InputStore,
    tools: BuildTools,
    host: Platform,
    *,
    workers: int = DEFAULT_WORKERS,
    told: Callable[[str], None] = lambda _: None,
) -> RebuildReport:
    """Make an image again, and compare.

    Args:
        registry: that holds it and its archive.
        image: there.
        room: an empty folder, for locks and, where digests differ, for the image.
        store: an empty one, that `tools` read from.
        tools: with an empty cache.
        host: this machine's platform: its interpreter of the base compiles bytecode.
        workers: blobs at a time.
        told: what is being done.

    Raises:
        RegistryError: no archive, or the registry fails.
        IntegrityError: the archive does not hold what the lock names.
    """
    platforms = tuple(sorted(one.platform for one in image.platforms))

    def look_into(found: FoundArchive) -> tuple[FoundArchive, _Locks, tuple[LockedFile, ...]]:
        locks = _read_locks(registry, image, found)
        wanted = _wanted(locks.stack, locks.base, platforms, host)
        found.check_holds(wanted)
        return found, locks, wanted

    found, locks, wanted = first_usable(registry, image, look_into)
    stack = locks.stack
    locks.write(room / "locks")
    size = sum(file.size for file in wanted)
    told(f"{len(wanted)} inputs of {size} bytes from the archive {found.digest}")
    brought = fill_store(registry, found, wanted, store, workers=workers)
    request = BuildRequest(
        stack=stack.stack,
        locks=room / "locks",
        output=room / "image",
        platforms=platforms,
        compression=_compression(image),
    )
    told(f"building {stack.stack} for {', '.join(map(str, platforms))}")
    built = assemble_image(load_locks(request.locks, request.stack), request, tools)
    differences: tuple[Difference, ...] = ()
    if built.descriptor.digest != image.root.digest:
        differences = tuple(_explain(registry, image, built, room, tools)) or tuple(_by_digest(image, built))
    return RebuildReport(
        image=image,
        archive=found,
        index_digest=built.descriptor.digest,
        inputs=brought,
        input_bytes=size,
        differences=differences,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Locks:
    """What a build reads: as it was archived, and as it reads."""

    stack: StackLock
    base: BaseLock
    files: tuple[tuple[str, bytes], ...]
    """By names that are made here."""

    def write(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        for name, data in self.files:
            (folder / name).write_bytes(data)


def _read_locks(registry: Registry, image: ShippedImage, found: FoundArchive) -> _Locks:
    data = read_document(registry, found, image.lock, what="the lock of the image", most=_LARGEST_LOCK)
    stack = parse_stack_lock(data, file=f"archived pylock.{image.stack}.toml")
    for name in (stack.stack, stack.base):
        if (issue := check_name(name, context=str(image.reference))) is not None:
            raise issue
    if stack.stack != image.stack:
        raise IntegrityError(f"the lock is of {stack.stack}, the image of {image.stack}", context=str(image.reference))
    raw = read_document(registry, found, stack.base_lock, what="the lock of the base", most=_LARGEST_LOCK)
    base = parse_base_lock(raw, file=f"archived base.{stack.base}.toml")
    return _Locks(
        stack=stack, base=base, files=((f"pylock.{stack.stack}.toml", data), (f"base.{stack.base}.toml", raw))
    )


def _wanted(
    stack: StackLock, base: BaseLock, platforms: tuple[Platform, ...], host: Platform
) -> tuple[LockedFile, ...]:
    names = {platform.name for platform in platforms}
    wheels = [file for candidate in stack.candidates for name, file in candidate.wheels.items() if name in names]
    debs = [deb.file for deb in base.debs if not set(deb.platforms).isdisjoint({*platforms, host})]
    layers = [layer.file for image in base.images if image.platform in {*platforms, host} for layer in image.layers]
    return tuple(dict.fromkeys((*wheels, *debs, *layers, *(file for _, file in stack.files))))


def _compression(image: ShippedImage) -> str | None:
    kinds = {media.COMPRESSION_OF[layer.media_type] for one in image.platforms for layer in one.manifest.layers}
    return kinds.pop() if len(kinds) == 1 and kinds <= media.LAYERS.keys() else None


def _explain(
    registry: Registry, image: ShippedImage, built: BuiltImage, room: Path, tools: BuildTools
) -> Iterator[Difference]:
    """Name what differs, file by file: only now the image's own layers are read."""
    from builder.usecase.verify import verify_layout

    folder = room / "found"
    sink = FolderBlobs(folder)
    pulled = pull(registry, image.reference, sink)
    sink.write_index([(pulled.shipment.root.descriptor, image.stack)])
    try:
        yield from verify_layout(built.stack, room / "locks", folder, tools).differences
    except BuilderError as error:
        # What stands there is so much another image that file by file there is nothing to compare.
        yield Difference(where="image", path="", what=str(error))


def _by_digest(image: ShippedImage, built: BuiltImage) -> Iterator[Difference]:
    pairs = zip(sorted(image.platforms, key=lambda one: one.platform), built.platforms, strict=True)
    for found, made in pairs:
        yield from _platform_by_digest(found, made)
    yield Difference(
        where="index", path="", what=f"digest is {image.root.digest}, the lock gives {built.descriptor.digest}"
    )


def _platform_by_digest(found: PlatformImage, made: BuiltPlatform) -> Iterator[Difference]:
    if found.descriptor.digest != made.descriptor.digest:
        what = f"digest is {found.descriptor.digest}, the lock gives {made.descriptor.digest}"
        yield Difference(where=f"{found.platform}: manifest", path="", what=what)
