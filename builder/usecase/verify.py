"""Verify: build again from the lock, without any cache, and compare with an image that lies in a layout.

Nothing of the cache is used but the store's files, whose hashes the lock names: what is compared was made here and now.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from builder.buildkit.filesystem import BUILT_BY_BUILDKIT, flatten, name_differences
from builder.digest import Digest
from builder.errors import BuilderError, BuildError, IssuesError, VerifyError
from builder.image.assemble import BuiltImage, BuiltPlatform
from builder.image.compare import Difference, compare_layers
from builder.image.compress import decompress
from builder.image.layout_reader import FolderLayout
from builder.oci import media
from builder.oci.config import dump_config, parse_config
from builder.oci.layout import INDEX_FILE, LayoutImage, PlatformImage, blob_path, parse_layout, validate_layout
from builder.oci.manifest import parse_manifest
from builder.usecase.build import BuildRequest, BuildTools, assemble_image, load_locks


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyReport:
    """What came out."""

    stack: str
    index_digest: Digest
    """What the lock gives."""
    found_digest: Digest
    """What was to be verified."""
    differences: tuple[Difference, ...]
    """The first one of each layer or document; empty where the image is what the lock gives."""
    by_files: bool = False
    """Whether files were compared alone: digests may differ then."""


def verify_layout(stack: str, locks: Path, layout: Path, tools: BuildTools, *, by_files: bool = False) -> VerifyReport:
    """Compare a layout with what the lock gives, for the layout's platforms and compression.

    What is compared is the caller's choice, never the image's: whatever it says of itself, without `by_files` nothing but
    the lock's own digest is the same.

    Args:
        stack: whose lock.
        locks: the folder of locks.
        layout: an OCI layout.
        tools: with a cache that is empty, so that everything is made again.
        by_files: compare what lies at each path and how the image runs, in the place of layers: for images of BuildKit.

    Raises:
        BuildError: there is no layout.
        VerifyError: the layout is none that this program writes.
        LockStaleError: the lock's base has changed since.
    """
    read = load_locks(locks, stack)
    reader = FolderLayout(layout)
    found = _parse(reader, layout)
    damages = _damages(reader)
    request = BuildRequest(
        stack=stack,
        locks=locks,
        output=layout,
        platforms=tuple(image.platform for image in found.platforms),
        compression=_compression(found),
    )
    image = assemble_image(read, request, tools)
    differences = [
        difference
        for built, other in zip(image.platforms, sorted(found.platforms, key=lambda one: one.platform), strict=True)
        for difference in (_compare_files if by_files else _compare_platform)(built, other, reader)
    ]
    if not differences and not by_files and image.descriptor.digest != found.descriptor.digest:
        differences.append(Difference(where="index", path="", what="annotations or order of platforms differ"))
    return VerifyReport(
        stack=stack,
        index_digest=image.descriptor.digest,
        found_digest=found.descriptor.digest,
        differences=tuple(differences or damages),
        by_files=by_files,
    )


def verify_digest(stack: str, locks: Path, expected: Digest, tools: BuildTools) -> VerifyReport:
    """Compare the digest of an image index with what the lock gives."""
    request = BuildRequest(stack=stack, locks=locks, output=locks)
    image: BuiltImage = assemble_image(load_locks(locks, stack), request, tools)
    actual = image.descriptor.digest
    what = f"digest is {expected}, the lock gives {actual}"
    differences = () if actual == expected else (Difference(where="index", path="", what=what),)
    return VerifyReport(stack=stack, index_digest=actual, found_digest=expected, differences=differences)


def _parse(reader: FolderLayout, layout: Path) -> LayoutImage:
    if not (layout / INDEX_FILE).is_file():
        raise BuildError("there is no image", context=str(layout), hint="build it, or name a folder by --layout")
    try:
        return parse_layout(reader)
    except BuilderError as error:
        raise VerifyError(
            f"holds no image as this program writes them: {error}",
            context=str(layout),
            hint="build it, or name another folder by --layout",
        ) from error


def _damages(reader: FolderLayout) -> tuple[Difference, ...]:
    """Check every blob of the layout against the digest that names it."""
    try:
        validate_layout(reader, decompress)
    except IssuesError as error:
        return tuple(Difference(where="layout", path="", what=str(issue)) for issue in error.issues)
    return ()


def _compression(found: LayoutImage) -> str:
    kinds = {media.COMPRESSION_OF[layer.media_type] for image in found.platforms for layer in image.manifest.layers}
    if len(kinds) != 1:
        raise VerifyError(f"layers are compressed in several ways: {', '.join(sorted(kinds))}")
    return kinds.pop()


def _compare_platform(built: BuiltPlatform, other: PlatformImage, reader: FolderLayout) -> Iterator[Difference]:
    where = built.platform.name
    if any(line.comment == BUILT_BY_BUILDKIT for line in other.config.history):
        yield Difference(
            where=where, path="", what="says that BuildKit built it, whose layers are its own: see --files"
        )
        return
    theirs = list(zip(other.manifest.layers, other.config.diff_ids, strict=True))
    if len(built.layers) != len(theirs):
        yield Difference(where=where, path="", what=f"has {len(theirs)} layers, the lock gives {len(built.layers)}")
    for number, (ours, (descriptor, _)) in enumerate(zip(built.layers, theirs, strict=False)):
        place = f"{where}: layer {number} ({ours.name})"
        path = blob_path(descriptor.digest)
        if descriptor.digest == ours.layer.digest and _is_intact(reader, path, descriptor.digest):
            continue
        compression = media.COMPRESSION_OF[descriptor.media_type]
        yield compare_layers(
            decompress(compression, iter((ours.layer.path.read_bytes(),))),
            decompress(compression, reader.chunks(path)),
            where=place,
        )
    if dump_config(other.config) != built.config:
        yield from _compare_config(built, other)


def _compare_files(built: BuiltPlatform, other: PlatformImage, reader: FolderLayout) -> Iterator[Difference]:
    """Compare files alone, and how the image runs: layers of BuildKit have its own times and order."""
    ours = flatten(
        decompress(media.COMPRESSION_OF[one.media_type], reader_chunks)
        for one, reader_chunks in (
            (layer, iter((ours.layer.path.read_bytes(),)))
            for layer, ours in zip(parse_manifest(built.manifest).layers, built.layers, strict=True)
        )
    )
    theirs = flatten(
        decompress(media.COMPRESSION_OF[layer.media_type], reader.chunks(blob_path(layer.digest)))
        for layer in other.manifest.layers
    )
    for line in name_differences(ours, theirs):
        path, _, what = line.partition(": ")
        yield Difference(where=built.platform.name, path=path.lstrip("/"), what=what)
    expected = parse_config(built.config)
    for field in ("created", "run"):
        if getattr(expected, field) != getattr(other.config, field):
            yield Difference(where=f"{built.platform}: config", path="", what=f"{field} differs")


def _is_intact(reader: FolderLayout, path: str, digest: Digest) -> bool:
    import hashlib

    actual = hashlib.sha256()
    try:
        for chunk in reader.chunks(path):
            actual.update(chunk)
    except BuilderError:
        return False
    return actual.hexdigest() == digest.hex


def _compare_config(built: BuiltPlatform, other: PlatformImage) -> Iterator[Difference]:
    """Name the config's fields that differ; diff_ids follow from layers."""
    ours = parse_config(built.config)
    if replace(ours, diff_ids=()) == replace(other.config, diff_ids=()):
        return
    for field in ("created", "run", "history"):
        expected, found = getattr(ours, field), getattr(other.config, field)
        if expected != found:
            yield Difference(
                where=f"{built.platform}: config", path="", what=f"{field} differs: {_first(expected, found)}"
            )


def _first(expected: object, found: object) -> str:
    if isinstance(expected, tuple) and isinstance(found, tuple):
        pairs = [(one, other) for one, other in zip(expected, found, strict=False) if one != other]
        expected, found = pairs[0] if pairs else (len(expected), len(found))
    return f"{found!r:.300}, the lock gives {expected!r:.300}"
