"""Rebuild: an image in a registry made again from its archive alone, and compared to the last digest.

No index, mirror, project or cache is looked at: the lock comes from the archive, by the hash that the image states;
every input comes from there, by the hash that the lock states.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from builder.archive.model import compilers_of
from builder.digest import Digest
from builder.errors import BuilderError, BuildError, IntegrityError
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
from builder.sdist.errors import Kind, SdistError
from builder.stack.names import check_name
from builder.usecase.archive import InputStore, fill_store
from builder.usecase.build import BuildRequest, BuildTools, assemble_image, load_locks
from builder.usecase.build_sdist import BuildRoom
from builder.usecase.build_sdist import rebuild as rebuild_wheel
from builder.usecase.found_archive import FoundArchive, first_usable, read_document
from builder.usecase.shipped import ShippedImage

_LARGEST_LOCK: Final = 64 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class RebuildRoom:
    """Where an image is made again: nothing of the user's is in it."""

    folder: Path
    """Empty: takes locks and, where digests differ, the image."""
    store: InputStore
    """Empty; `tools` and `wheels` read from it."""
    tools: BuildTools
    """With an empty cache."""
    host: Platform
    """This machine's: its interpreter of the base compiles bytecode."""
    wheels: BuildRoom | None = None
    """Builds wheels that came from sdists again; None to take them from the archive as they are."""


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
    wheels: tuple[str, ...] = ()
    """Names of wheels that were built again from their sdists."""


def rebuild(
    registry: Registry,
    image: ShippedImage,
    room: RebuildRoom,
    *,
    workers: int = DEFAULT_WORKERS,
    told: Callable[[str], None] = lambda _: None,
) -> RebuildReport:
    """Make an image again, and compare.

    Args:
        registry: that holds it and its archive.
        image: there.
        room: where, and with what.
        workers: blobs at a time.
        told: what is being done.

    Raises:
        RegistryError: no archive, or the registry fails.
        IntegrityError: the archive does not hold what the lock names.
    """
    platforms = tuple(sorted(one.platform for one in image.platforms))

    def look_into(found: FoundArchive) -> tuple[FoundArchive, _Locks, tuple[LockedFile, ...]]:
        locks = _read_locks(registry, image, found)
        wanted = _wanted(locks.stack, locks.base, platforms, room.host)
        if room.wheels is not None:
            wanted = tuple(dict.fromkeys((*wanted, *_sources(locks.stack, locks.base))))
        found.check_holds(wanted)
        return found, locks, wanted

    found, locks, wanted = first_usable(registry, image, look_into)
    stack = locks.stack
    locks.write(room.folder / "locks")
    size = sum(file.size for file in wanted)
    told(f"{len(wanted)} inputs of {size} bytes from the archive {found.digest}")
    brought = fill_store(registry, found, wanted, room.store, workers=workers)
    wheels, differing = _build_wheels(stack, locks.base, room.wheels, told) if room.wheels else ((), ())
    request = BuildRequest(
        stack=stack.stack,
        locks=room.folder / "locks",
        output=room.folder / "image",
        platforms=platforms,
        compression=_compression(image),
    )
    told(f"building {stack.stack} for {', '.join(map(str, platforms))}")
    built = assemble_image(load_locks(request.locks, request.stack), request, room.tools)
    differences: tuple[Difference, ...] = differing
    if built.descriptor.digest != image.root.digest:
        found_out = tuple(_explain(registry, image, built, room)) or tuple(_by_digest(image, built))
        differences += found_out
    return RebuildReport(
        image=image,
        archive=found,
        index_digest=built.descriptor.digest,
        inputs=brought,
        input_bytes=size,
        differences=differences,
        wheels=wheels,
    )


def _sources(stack: StackLock, base: BaseLock) -> Iterator[LockedFile]:
    for candidate in stack.candidates:
        if candidate.built is not None:
            yield candidate.built.sdist
            yield from (file for _, _, file in candidate.built.requires)
    yield from (deb.file for deb in compilers_of(stack, base))


def _build_wheels(
    stack: StackLock, base: BaseLock, room: BuildRoom, told: Callable[[str], None]
) -> tuple[tuple[str, ...], tuple[Difference, ...]]:
    """Build the wheels that came from sdists again; gives their names, and what differs from the lock."""
    names, differences = [], []
    for candidate in stack.candidates:
        record = candidate.built
        if record is None:
            continue
        name = next(iter(candidate.wheels.values())).name
        if record.compilers is not None and room.platform.name not in candidate.wheels:
            raise BuildError(
                f"{name} was compiled on another machine than this one, which is {room.platform}",
                context=f"{candidate.project} {candidate.version}",
                hint=f"rebuild on {', '.join(sorted(candidate.wheels))}, or take the wheel as it is (without --wheels)",
            )
        told(f"building {name} from {record.sdist.name}")
        try:
            rebuild_wheel(candidate, base, room)
        except SdistError as error:
            if error.kind is not Kind.NOT_REPRODUCIBLE:
                raise
            differences.append(Difference(where=f"wheel {name}", path="", what=error.message))
        names.append(name)
    return tuple(names), tuple(differences)


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


def _explain(registry: Registry, image: ShippedImage, built: BuiltImage, room: RebuildRoom) -> Iterator[Difference]:
    """Name what differs, file by file: only now the image's own layers are read."""
    from builder.usecase.verify import verify_layout

    folder = room.folder / "found"
    sink = FolderBlobs(folder)
    pulled = pull(registry, image.reference, sink)
    sink.write_index([(pulled.shipment.root.descriptor, image.stack)])
    try:
        yield from verify_layout(built.stack, room.folder / "locks", folder, room.tools).differences
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
