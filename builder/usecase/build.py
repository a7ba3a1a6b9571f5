"""Build: from the locks of a stack and the store to an image. No network, no clock, no daemon.

A build that was done before is found by what decided about it (the bytes of both locks, platforms, compression, formats
of this program); when the output still is that image, by names and sizes, there is nothing to do, and nothing else is
read or imported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol, Self

from builder import __version__
from builder.canonical import dump_json
from builder.digest import Digest
from builder.errors import BuildError, InvalidInputError, LockInvalidError, LockStaleError
from builder.image.layout_reader import holds_layout
from builder.image.sealed import seal, unseal
from builder.lock.model import BaseLock, StackLock
from builder.platform import Platform
from builder.store.model import ArtefactStore, FileStore, Progress
from builder.usecase.build_memory import BuildMemory

if TYPE_CHECKING:
    from builder.entry import Entry
    from builder.image.assemble import Assembly, BuiltImage
    from builder.image.output import Blobs
    from builder.image.verified import VerifiedFiles
    from builder.lock.memory import LockMemory
    from builder.wheel.bytecode import BytecodeCompiler

Watch = Callable[[int], AbstractContextManager[Progress]]
"""Given the bytes of all inputs, gives what is told about each that is done."""
BUILD_FORMAT: Final = 2
"""Raise it when the same locks shall give another image, and no format of segment or layer says so already."""
RECORD_KIND: Final = "build"
ARCHIVE_SUFFIX: Final = ".tar"


class Compilers(Protocol):
    """Where the interpreter of a base comes from."""

    def key(self, base: BaseLock) -> str:
        """Name it by everything that decides about its bytecode; nothing is unpacked."""

    def open(self, base: BaseLock, jobs: int) -> AbstractContextManager[BytecodeCompiler]:
        """Start it, as so many processes; it is unpacked from the store when the cache does not hold it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildRequest:
    """What is to be built."""

    stack: str
    locks: Path
    """The folder of locks."""
    output: Path
    """A folder for an image layout, or a file that ends in .tar."""
    platforms: tuple[Platform, ...] = ()
    """Empty for all of the lock's."""
    compression: str | None = None
    """None for the lock's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildTools:
    """What it is built with."""

    files: FileStore
    artefacts: ArtefactStore
    compilers: Compilers
    jobs: int
    watch: Watch | None = None
    prefetch: Callable[[Iterable[str]], None] | None = None
    """Told the keys of segments before they are looked for: a cache elsewhere may bring them all at once."""
    memory: BuildMemory = field(default_factory=BuildMemory)
    """Of what was built with these tools before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Locks:
    """A stack's lock and its base's, which belong together."""

    stack: StackLock
    stack_digest: Digest
    """Of the lock file's bytes."""
    base: BaseLock


def build(request: BuildRequest, tools: BuildTools) -> dict[str, Any]:
    """Build an image and put it where the request says.

    Returns:
        `stack`, `index_digest`, and `platforms` by name: `manifest_digest`, `config_digest`, and `layers` of `digest`,
        `diff_id`, `size_bytes`, `distributions`.

    Raises:
        LockStaleError: the stack's lock was made on another base lock.
        MissingBlobError: the store does not hold an input.
        IntegrityError: an input is refused.
        BuildError: the inputs do not go together, or the output holds something else.
    """
    raw = read_lock(request.locks, f"pylock.{request.stack}.toml", request.stack)
    key = _record_key(raw, request)
    if (summary := _find_done(key, request, tools)) is not None:
        return summary
    locks = load_locks(request.locks, request.stack, raw, tools.memory)
    image, blobs = build_image(locks, request, tools)
    summary = summarise(image)
    _record(key, locks, summary, blobs, tools)
    return summary


def read_lock(folder: Path, name: str, stack: str) -> bytes:
    """Read a lock file; raises LockInvalidError where there is none."""
    try:
        return (folder / name).read_bytes()
    except FileNotFoundError:
        raise LockInvalidError(
            "there is no such lock", context=f"locks/{name}", hint=f"airflow-kubler lock {stack}"
        ) from None


def load_locks(folder: Path, stack: str, raw: bytes | None = None, memory: BuildMemory | None = None) -> Locks:
    """Read the lock of a stack and the lock of its base.

    Args:
        folder: of locks.
        stack: its name.
        raw: the bytes of its lock, where they were read already.
        memory: of locks that were read before.

    Raises:
        LockStaleError: they do not belong together.
        LockInvalidError: one is missing or damaged.
    """
    known = (memory or BuildMemory()).locks
    data = raw if raw is not None else read_lock(folder, f"pylock.{stack}.toml", stack)
    lock = known.stack(data, file=f"locks/pylock.{stack}.toml")
    if lock.parents:
        _check_parent(folder, lock, known)
    base_file = f"base.{lock.base}.toml"
    base = read_lock(folder, base_file, stack)
    if Digest.of(base) != lock.base_lock:
        raise LockStaleError(
            f"locks/{base_file} has changed since this lock was made",
            context=f"locks/pylock.{stack}.toml",
            hint=f"airflow-kubler lock {stack}",
        )
    return Locks(stack=lock, stack_digest=Digest.of(data), base=known.base(base, file=f"locks/{base_file}"))


def _check_parent(folder: Path, lock: StackLock, known: LockMemory) -> None:
    """Refuse a lock whose Airflow moved against the very lock of its parent; one locked again since is no measure."""
    from builder.lock.airflow import check_parent

    path = folder / f"pylock.{lock.parents[0]}.toml"
    data = path.read_bytes() if path.is_file() else b""
    if Digest.of(data) == lock.parent_lock:
        check_parent(lock, known.stack(data, file=f"locks/{path.name}"), file=f"locks/pylock.{lock.stack}.toml")


def build_image(locks: Locks, request: BuildRequest, tools: BuildTools) -> tuple[BuiltImage, Blobs]:
    """Assemble an image and write it; damaged parts of the cache are made again."""
    from builder.image.layer import forget_layer
    from builder.image.output import DamagedLayerError, image_blobs

    met: set[str] = set()
    while True:
        image = assemble_image(locks, request, tools)
        blobs = image_blobs(image)
        try:
            write_image(request.output, image, blobs, verified=tools.memory.images.files)
        except DamagedLayerError as error:
            if error.layer.key in met:
                raise
            met.add(error.layer.key)
            forget_layer(error.layer, tools.artefacts)
        else:
            return image, blobs


def assemble_image(locks: Locks, request: BuildRequest, tools: BuildTools) -> BuiltImage:
    """Assemble an image in the cache."""
    from builder.image.assemble import assemble, total_size

    platforms = _platforms(locks.stack, request.platforms)
    compression = request.compression or locks.stack.compression
    total = total_size(locks.stack, locks.base, platforms) if tools.watch else 0
    with open_assembly(locks.base, compression, tools, total) as assembly:
        return assemble(locks.stack, locks.base, lock_digest=locks.stack_digest, platforms=platforms, assembly=assembly)


@contextmanager
def open_assembly(base: BaseLock, compression: str, tools: BuildTools, total: int) -> Iterator[Assembly]:
    """Open what images on a base are assembled with; its interpreter starts when the first source wants bytecode."""
    from contextlib import nullcontext

    from builder.image.assemble import Assembly
    from builder.image.compress import make_compressor
    from builder.image.parts import python_minor
    from builder.image.sources import Intake

    compressor = make_compressor(compression)
    python = python_minor(base.python_version)
    with ExitStack() as stack:
        progress = stack.enter_context(tools.watch(total) if tools.watch else nullcontext(lambda _: None))
        intake = Intake(
            files=tools.files,
            base=base.base,
            python=python,
            python_version=base.python_version,
            interpreter=tools.compilers.key(base),
            bytecode=stack.enter_context(_LazyBytecode(tools, base, python)),
            compressor=compressor.name,
        )
        yield Assembly(
            intake=intake,
            compressor=compressor,
            artefacts=tools.artefacts,
            # Two more than processors: while some wait for bytecode, others read and compress.
            threads=tools.jobs + 2,
            progress=progress,
            prefetch=tools.prefetch,
            memory=tools.memory.images,
        )


class _LazyBytecode:
    """Starts the interpreter when the first source wants bytecode; used by many threads, ended with the context."""

    def __init__(self, tools: BuildTools, base: BaseLock, python: str) -> None:
        import threading

        self._tools = tools
        self._base = base
        self._python = python
        self._stack = ExitStack()
        self._lock = threading.Lock()
        self._compiler: BytecodeCompiler | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def __call__(self, entries: Sequence[Entry]) -> Sequence[Entry]:
        from builder.wheel.bytecode import bytecode_entries

        with self._lock:
            if self._compiler is None:
                opened = self._tools.compilers.open(self._base, self._tools.jobs)
                self._compiler = self._stack.enter_context(opened)
        return bytecode_entries(entries, self._compiler, self._python)


def summarise(image: BuiltImage) -> dict[str, Any]:
    """Describe an image as `build --json` prints it."""
    return {
        "stack": image.stack,
        "index_digest": str(image.descriptor.digest),
        "platforms": {
            built.platform.name: {
                "manifest_digest": str(built.descriptor.digest),
                "config_digest": str(Digest.of(built.config)),
                "layers": [
                    {
                        "digest": str(layer.layer.digest),
                        "diff_id": str(layer.layer.diff_id),
                        "size_bytes": layer.layer.size,
                        "distributions": list(layer.parts.distributions),
                    }
                    for layer in built.layers
                ],
            }
            for built in image.platforms
        },
    }


def is_archive(output: Path) -> bool:
    """Tell whether an output is one tar file rather than a folder."""
    return output.suffix == ARCHIVE_SUFFIX


def _platforms(lock: StackLock, wanted: tuple[Platform, ...]) -> tuple[Platform, ...]:
    unknown = [platform for platform in wanted if platform not in lock.platforms]
    if unknown:
        known = ", ".join(platform.name for platform in lock.platforms)
        raise InvalidInputError(
            f"the lock is not for {unknown[0]}", context=f"locks/pylock.{lock.stack}.toml", hint=f"it is for {known}"
        )
    return tuple(sorted(wanted or lock.platforms))


def write_image(
    output: Path, image: BuiltImage, blobs: Blobs, *, tag: str = "", verified: VerifiedFiles | None = None
) -> None:
    """Write an image where it is wanted: a folder, or one tar file, which docker loads under a tag.

    Args:
        output: the folder or file.
        image: what is written.
        blobs: of it.
        tag: of the tar file.
        verified: layers that were hashed when another image was written.
    """
    if is_archive(output):
        from builder.image.archive import write_archive

        if output.is_dir():
            raise BuildError("is a folder", context=str(output), hint="name a file, or a folder without .tar")
        write_archive(output, image, blobs, tag=tag)
    else:
        from builder.image.layout_folder import write_layout

        write_layout(output, blobs, verified)


def _record_key(raw: bytes, request: BuildRequest) -> str:
    from builder.image.formats import format_names

    parts = {
        "compression": request.compression,
        "formats": [BUILD_FORMAT, __version__, *format_names()],
        "lock": Digest.of(raw).hex,
        "platforms": [platform.name for platform in request.platforms],
    }
    return Digest.of(dump_json(parts)).hex


def _find_done(key: str, request: BuildRequest, tools: BuildTools) -> dict[str, Any] | None:
    """Find the same build, done before, whose output still stands."""
    path = None if is_archive(request.output) else tools.artefacts.get(RECORD_KIND, key)
    if path is None:
        return None
    try:
        record = unseal(path.read_bytes())
        if record is None:
            path.unlink(missing_ok=True)
            return None
        base = (request.locks / record["base_file"]).read_bytes()
    except FileNotFoundError:
        return None
    if Digest.of(base).hex != record["base_lock"]:
        return None
    if not holds_layout(request.output, record["layout_index"].encode(), record["blobs"]):
        return None
    summary: dict[str, Any] = record["summary"]
    return summary


def _record(key: str, locks: Locks, summary: dict[str, Any], blobs: Blobs, tools: BuildTools) -> None:
    record = {
        "base_file": f"base.{locks.stack.base}.toml",
        "base_lock": locks.stack.base_lock.hex,
        "blobs": dict(blobs.sizes()),
        "layout_index": blobs.layout_index.decode(),
        "summary": summary,
    }
    tools.artefacts.put(RECORD_KIND, key, (seal(record),))
