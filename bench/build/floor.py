"""The floor of a cold build: the work that no build of these inputs can leave out, on two cores, as plain as can be.

1. Inflate every wheel and deb of the lock.
2. Compile the same sources to bytecode, by two processes of the base's interpreter.
3. sha256 and zstd-3 of the same raw bytes: the tars of the layers that the build writes.

Nothing is checked, nothing is written, what each step reads lies ready. Each step uses both cores and is timed alone.
"""

from __future__ import annotations

import hashlib
import io
import struct
import subprocess
import sys
import tarfile
import time
import zipfile
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import zstandard
from process import cpu_seconds
from zlib_ng import zlib_ng

from builder.debian.deb import read_deb
from builder.image.interpreter import Interpreter

_T = TypeVar("_T")
_COMPILER = Path(__file__).parent / "compile_plain.py"


@dataclass(frozen=True, slots=True, kw_only=True)
class FloorInputs:
    """What the steps work on, ready on disk."""

    wheels: tuple[Path, ...]
    debs: tuple[Path, ...]
    tars: tuple[Path, ...]
    source_lists: tuple[Path, ...]
    """Two files of names of sources, of the same number of bytes of sources."""
    interpreter: Interpreter


@dataclass(frozen=True, slots=True, kw_only=True)
class Floor:
    """Seconds of each step."""

    inflate: float
    bytecode: float
    hash_and_compress: float
    cpu_seconds: float
    """Of all steps together."""

    @property
    def total(self) -> float:
        """Sum the steps."""
        return self.inflate + self.bytecode + self.hash_and_compress


def prepare_floor(
    wheels: Sequence[Path], debs: Sequence[Path], layers: Sequence[Path], interpreter: Interpreter, folder: Path
) -> FloorInputs:
    """Unpack what the build made, so that the floor does the same work: raw tars, and sources that have bytecode."""
    tars = []
    sources: list[tuple[int, Path]] = []
    for number, layer in enumerate(layers):
        with layer.open("rb") as stream:
            raw = zstandard.ZstdDecompressor().stream_reader(stream, read_across_frames=True).read()
        tars.append(folder / f"{number}.tar")
        tars[-1].write_bytes(raw)
        sources += _compiled_sources(raw, folder / "sources")
    return FloorInputs(
        wheels=tuple(wheels),
        debs=tuple(debs),
        tars=tuple(tars),
        source_lists=tuple(_split(sources, folder)),
        interpreter=interpreter,
    )


def measure_floor(inputs: FloorInputs) -> Floor:
    """Do the steps once."""
    works = [lambda path=path: _inflate_wheel(path) for path in inputs.wheels]
    works += [lambda path=path: read_deb(path.read_bytes(), file_name=path.name) for path in inputs.debs]
    digests = [lambda path=path: _digest(path) for path in inputs.tars]
    cpu = cpu_seconds(children_only=False)
    inflate, bytecode = _timed(lambda: _two_threads(works)), _timed(lambda: _compile(inputs))
    hash_and_compress = _timed(lambda: _two_threads(digests))
    cpu = cpu_seconds(children_only=False) - cpu
    return Floor(inflate=inflate, bytecode=bytecode, hash_and_compress=hash_and_compress, cpu_seconds=cpu)


def _compiled_sources(raw: bytes, folder: Path) -> list[tuple[int, Path]]:
    with tarfile.open(fileobj=io.BytesIO(raw)) as tar:
        members = {member.name: member for member in tar if member.isfile()}
        found = []
        for name in members:
            parent, _, base = name.rpartition("/")
            if parent.rpartition("/")[2] != "__pycache__" or not base.endswith(".pyc"):
                continue
            source = f"{parent.rpartition('/')[0]}/{base.split('.cpython-')[0]}.py"
            stream = tar.extractfile(members[source]) if source in members else None
            if stream is not None:
                path = folder / source
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(stream.read())
                found.append((members[source].size, path))
    return found


def _split(sources: Iterable[tuple[int, Path]], folder: Path) -> list[Path]:
    halves: list[tuple[int, list[Path]]] = [(0, []), (0, [])]
    for size, path in sorted(sources, reverse=True):
        total, names = halves[0]
        names.append(path)
        halves = sorted([(total + size, names), halves[1]], key=lambda half: half[0])
    lists = [folder / "sources-0", folder / "sources-1"]
    for path, (_, names) in zip(lists, halves, strict=True):
        path.write_text("\n".join(str(name) for name in names))
    return lists


def _timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _two_threads(works: Sequence[Callable[[], _T]]) -> None:
    with ThreadPoolExecutor(max_workers=2) as pool:
        for future in [pool.submit(work) for work in works]:
            future.result()


def _inflate_wheel(path: Path) -> int:
    data = memoryview(path.read_bytes())
    total = 0
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for info in archive.infolist():
            name, extra = struct.unpack_from("<26xHH", data, info.header_offset)
            begin = info.header_offset + 30 + name + extra
            body = data[begin : begin + info.compress_size]
            total += len(zlib_ng.decompress(body, -15, max(info.file_size, 1)) if info.compress_type else body)
    return total


def _compile(inputs: FloorInputs) -> None:
    running = [
        subprocess.Popen((*inputs.interpreter.argv, str(_COMPILER), str(names)), env=dict(inputs.interpreter.env))
        for names in inputs.source_lists
    ]
    if any(process.wait() for process in running):
        sys.exit("the floor's compiler failed")


def _digest(path: Path) -> int:
    raw = path.read_bytes()
    hashlib.sha256(raw).digest()
    return len(zstandard.ZstdCompressor(level=3).compress(raw))
