"""Diff: what differs between two locks, and what of it a node would pull again. Reads locks, git and layouts; writes nothing.

A side is a stack (`core`), a stack at a revision (`core@HEAD~1`), a lock file, or a file of a revision (`HEAD~1:locks/...`).

A node that holds the image of the first side pulls a layer of the second when it holds none with that content. Contents are
compared by plan and hashes; where both images are built, by the digests of their layers. Bytes are those of built layers
where the second image is built, else the sum of the layer's wheels and debs, which compressed layers come near to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, assert_never

from builder.digest import Digest
from builder.errors import BuilderError, InvalidInputError
from builder.history.layers import LayerPull, PlatformPull, sum_pull
from builder.image.contract import LOCK_LABEL
from builder.image.parts import LayerParts, plan_parts
from builder.image.sources import DebSource, DeclaredSource, EntriesSource, FilesSource, Source, WheelSource
from builder.lock.base import parse_base_lock
from builder.lock.diff import LockDiff, diff_locks
from builder.lock.model import BaseLock, StackLock
from builder.lock.pylock import parse_stack_lock
from builder.platform import Platform
from builder.project import Project
from builder.stack.names import is_name, nearest

if TYPE_CHECKING:
    from builder.oci.layout import LayoutImage

RevisionReader = Callable[[str, str], bytes | None]
"""Reads a file of a git revision: revision and path relative to the project; None where the revision lacks the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One of the two locks."""

    label: str
    """As it was named."""
    lock: StackLock
    digest: Digest
    """Of the lock file's bytes."""
    base: BaseLock | None
    """None where it is not at hand as the lock wants it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two locks compared."""

    before: Side
    after: Side
    diff: LockDiff
    pulls: tuple[PlatformPull, ...]
    """For each platform that both have; empty where a base lock is not at hand."""


def compare_sides(before: Side, after: Side, layouts: Iterable[Path] = ()) -> Comparison:
    """Compare two locks.

    Args:
        before: what a node holds.
        after: what it would pull.
        layouts: folders that may hold built images; those of other locks are passed over.
    """
    images = _find_images(layouts, {str(before.digest), str(after.digest)})
    common = [platform for platform in after.lock.platforms if platform in before.lock.platforms]
    pulls = (
        tuple(_pull(before, before.base, after, after.base, platform, images) for platform in common)
        if before.base and after.base
        else ()
    )
    diff = diff_locks(before.lock, after.lock, bases=(before.base, after.base))
    return Comparison(before=before, after=after, diff=diff, pulls=pulls)


def open_side(project: Project, text: str, revision: RevisionReader) -> Side:
    """Read the lock that a text names.

    Raises:
        InvalidInputError: it names nothing that is there.
        LockInvalidError: what it names is no lock.
    """
    reader, path = _place(project, text, revision)
    data = reader(path)
    if data is None:
        known = sorted(name for name in project.stack_names() if project.stack_lock_path(name).is_file())
        raise InvalidInputError(
            "names no lock",
            context=text,
            hint=nearest(text, known, "lock") or "name a stack, stack@revision, a lock file or revision:file",
        )
    lock = parse_stack_lock(data, file=text)
    folder = PurePosixPath(path).parent
    return Side(label=text, lock=lock, digest=Digest.of(data), base=_base(reader, str(folder), lock))


def open_lock(project: Project, lock: StackLock, digest: Digest, *, label: str) -> Side:
    """Take a lock that is nowhere written, on the bases of the project."""
    reader = _file_reader(project.locks_folder)
    return Side(label=label, lock=lock, digest=digest, base=_base(reader, ".", lock))


def layout_folders(project: Project, stacks: Iterable[str]) -> tuple[Path, ...]:
    """Name the folders where `build` and `run` put images of stacks, there or not."""
    build = project.root / "build"
    return tuple(
        path for stack in sorted(set(stacks)) for path in (build / stack, *sorted((build / "run").glob(f"{stack}-*")))
    )


def _place(project: Project, text: str, revision: RevisionReader) -> tuple[Callable[[str], bytes | None], str]:
    """Find what reads the files beside a lock, and the lock's path for it."""
    if is_name(text):
        return _file_reader(project.root), f"locks/pylock.{text}.toml"
    if text.endswith(".toml") and Path(text).is_file():
        return _file_reader(Path(text).resolve().parent), Path(text).name
    name, at, commit = text.partition("@")
    if at and commit and is_name(name):
        return lambda path: revision(commit, path), f"locks/pylock.{name}.toml"
    commit, colon, path = text.partition(":")
    if colon and commit and path:
        return lambda path: revision(commit, path), path
    return (lambda _: None), text


def _file_reader(folder: Path) -> Callable[[str], bytes | None]:
    def read(path: str) -> bytes | None:
        place = folder / path
        return place.read_bytes() if place.is_file() else None

    return read


def _base(reader: Callable[[str], bytes | None], folder: str, lock: StackLock) -> BaseLock | None:
    """Read the base lock that a lock was made from; another one, as of a base that was locked again, is none."""
    data = reader(str(PurePosixPath(folder) / f"base.{lock.base}.toml"))
    if data is None or Digest.of(data) != lock.base_lock:
        return None
    return parse_base_lock(data, file=f"base.{lock.base}.toml")


def _find_images(layouts: Iterable[Path], wanted: set[str]) -> Mapping[str, LayoutImage]:
    """Find built images by the lock they were made from."""
    from builder.image.layout_reader import FolderLayout
    from builder.oci.layout import INDEX_FILE, parse_layout

    found: dict[str, LayoutImage] = {}
    for folder in layouts:
        if not (folder / INDEX_FILE).is_file():
            continue
        try:
            image = parse_layout(FolderLayout(folder))
        except BuilderError:
            # Somebody else's, or half removed: it says nothing about these locks.
            continue
        for platform in image.platforms:
            lock = dict(platform.config.run.labels).get(LOCK_LABEL, "")
            if lock in wanted:
                found.setdefault(f"{lock} {platform.platform.name}", image)
    return found


def _pull(
    before: Side,
    base_before: BaseLock,
    after: Side,
    base_after: BaseLock,
    platform: Platform,
    images: Mapping[str, LayoutImage],
) -> PlatformPull:
    held = _built_layers(images, before.digest, platform)
    wanted = _built_layers(images, after.digest, platform)
    if held is not None and wanted is not None:
        digests = {digest for _, digest, _ in held}
        rows = [(LayerPull(name=name, size=size), digest in digests) for name, digest, size in wanted]
        return sum_pull(platform, rows, "built")
    contents = {_content(before.lock, base_before, layer) for layer in plan_parts(before.lock, base_before, platform)}
    sizes = {name: size for name, _, size in wanted or ()}
    parts = plan_parts(after.lock, base_after, platform)
    rows = [
        (
            LayerPull(name=layer.name, size=sizes.get(layer.name, sum(source.size for source in layer.sources))),
            _content(after.lock, base_after, layer) in contents,
        )
        for layer in parts
    ]
    return sum_pull(platform, rows, "sizes" if wanted is not None else "estimate")


def _built_layers(
    images: Mapping[str, LayoutImage], lock: Digest, platform: Platform
) -> tuple[tuple[str, Digest, int], ...] | None:
    """List name, digest and size of a built image's layers; None where it is not built."""
    from builder.image.view import view_platform

    image = images.get(f"{lock} {platform.name}")
    if image is None:
        return None
    built = next(found for found in image.platforms if found.platform == platform)
    return tuple((layer.name, layer.digest, layer.size) for layer in view_platform(built).layers)


def _content(lock: StackLock, base: BaseLock, layer: LayerParts) -> tuple[object, ...]:
    """Name what decides about a layer's bytes; bytecode is taken to be another for each version of Python."""
    return (lock.compression, tuple(_source_content(source, base) for source in layer.sources))


def _source_content(source: Source, base: BaseLock) -> tuple[object, ...]:
    match source:
        case WheelSource():
            return (source.wheel.name, source.wheel.sha256, base.python_version)
        case DebSource():
            return (source.deb.file.sha256, base.base.exclude, base.python_version if source.bytecode else "")
        case DeclaredSource():
            return (source.base.files, source.ca_certificates)
        case EntriesSource():
            return (source.entries,)
        case FilesSource():
            return (source.files,)
    assert_never(source)
