"""Bytecode of an image's sources, made by processes of the image's own interpreter."""

from __future__ import annotations

import re
import subprocess
import tempfile
import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol, Self

from builder.entry import Entry, EntryKind, file_entry
from builder.errors import BuildError, ToolError
from builder.wheel.compile_worker import NO_BYTECODE

WORKER = Path(__file__).with_name("compile_worker.py")
"""The program that an interpreter runs to be a worker."""

_CHUNK_SIZE = 384 << 10
"""Source bytes per request: some 40 ms of work, so that workers end together, and 1000 requests' overhead stays small."""
_IMPORTED = re.compile(r"(?:\A|/)lib/python3(?:\.\d+)?/")
"""Folders that Python imports from; scripts and data are never imported."""
_HELLO_LIMIT = 200


@dataclass(frozen=True, slots=True)
class Source:
    """A Python source and the path it will be imported from."""

    path: str
    """Absolute, in the image."""
    data: bytes


class BytecodeCompiler(Protocol):
    """Compiles sources for one version of Python. Usable from many threads."""

    def compile(self, sources: Sequence[Source]) -> Sequence[bytes | None]:
        """Make the .pyc files, in order; None where a source does not compile. A function of path and source alone."""


def bytecode_entries(entries: Sequence[Entry], compiler: BytecodeCompiler, python: str) -> tuple[Entry, ...]:
    """Compile what Python will import among some entries.

    Args:
        entries: of a distribution or a deb, or of one's whole segment.
        compiler: of the image's interpreter.
        python: major and minor version, as `3.13`.

    Returns:
        The `__pycache__` files by path. A source that does not compile (a template, a file for another Python) gets
        none, as with every other installer, and so does one whose bytecode is already among the entries.
    """
    present = {entry.path for entry in entries}
    wanted = []
    for entry in entries:
        if entry.kind is EntryKind.FILE and entry.path.endswith(".py") and _IMPORTED.search(entry.path):
            target = _cache_path(entry.path, python)
            if target not in present:
                wanted.append((target, Source(f"/{entry.path}", entry.data)))
    if not wanted:
        return ()
    compiled = compiler.compile([source for _, source in wanted])
    pairs = zip(wanted, compiled, strict=True)
    made = (file_entry(path, data) for (path, _), data in pairs if data is not None)
    return tuple(sorted(made, key=lambda entry: entry.path))


def _cache_path(path: str, python: str) -> str:
    folder, _, name = path.rpartition("/")
    return f"{folder}/__pycache__/{name.removesuffix('.py')}.cpython-{python.replace('.', '')}.pyc"


class WorkerPool:
    """A BytecodeCompiler of several processes.

    Requests of all threads go into one queue in pieces of equal size, so that every worker is busy until the last
    piece, whoever asked for it. Workers start with the first request and end with the context; they also end by
    themselves when this process dies, since their input then ends.

    Args:
        argv: the interpreter and its options, before the program's path.
        env: its whole environment.
        workers: how many processes.
        version: what the interpreter must say it is, as `3.13.5`; None to believe any.
    """

    def __init__(
        self, argv: Sequence[str], env: Mapping[str, str], workers: int, *, version: str | None = None
    ) -> None:
        self._argv = (*argv, str(WORKER))
        self._env = dict(env)
        self._version = version
        self._pieces: deque[_Piece] = deque()
        self._wake = threading.Condition()
        self._closed = False
        self._live: set[_Worker] = set()
        self._threads = [
            threading.Thread(target=self._serve, name=f"bytecode-{n}", daemon=True) for n in range(max(1, workers))
        ]
        self._started = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def compile(self, sources: Sequence[Source]) -> Sequence[bytes | None]:
        """Make the .pyc files, in order; None where a source does not compile.

        Raises:
            ToolError: the interpreter does not start, is another version, or died; its own words are in the error.
            BuildError: the pool is closed.
        """
        pieces = [_Piece(chunk) for chunk in _iter_chunks(sources)]
        with self._wake:
            if self._closed:
                raise BuildError("bytecode was asked for after its workers were told to stop")
            if not self._started:
                self._started = True
                for thread in self._threads:
                    thread.start()
            self._pieces.extend(pieces)
            self._wake.notify(len(pieces))
        return [data for piece in pieces for data in piece.result.result()]

    def close(self) -> None:
        """End all workers, in the middle of their work if need be; pieces not begun are given up. Idempotent."""
        with self._wake:
            self._closed = True
            abandoned = list(self._pieces)
            self._pieces.clear()
            for worker in self._live:
                worker.interrupt()
            self._wake.notify_all()
        for piece in abandoned:
            piece.result.set_exception(BuildError("the build stopped before this bytecode was made"))
        if self._started:
            for thread in self._threads:
                thread.join()

    def _serve(self) -> None:
        """Own one worker: start it with the first piece, replace it after a failure, end it with the pool."""
        worker: _Worker | None = None
        try:
            while (piece := self._take()) is not None:
                try:
                    worker = worker or self._start()
                    piece.result.set_result(worker.compile(piece.sources))
                except BaseException as error:  # noqa: BLE001  # It is raised in the thread that asked.
                    self._end(worker)
                    worker = None
                    piece.result.set_exception(error)
        finally:
            self._end(worker)

    def _start(self) -> _Worker:
        with self._wake:
            if self._closed:
                raise BuildError("the build stopped before this bytecode was made")
            worker = _Worker(self._argv, self._env)
            self._live.add(worker)
        try:
            worker.check_hello(self._version)
        except BaseException:
            self._end(worker)
            raise
        return worker

    def _end(self, worker: _Worker | None) -> None:
        if worker is not None:
            worker.kill()
            with self._wake:
                self._live.discard(worker)

    def _take(self) -> _Piece | None:
        with self._wake:
            while not self._pieces:
                if self._closed:
                    return None
                self._wake.wait()
            return self._pieces.popleft()


class _Piece:
    """Some sources of one call, and where their bytecode is waited for."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self.sources = sources
        self.result: Future[Sequence[bytes | None]] = Future()


def _iter_chunks(sources: Sequence[Source]) -> Iterator[Sequence[Source]]:
    chunk: list[Source] = []
    size = 0
    for source in sources:
        chunk.append(source)
        size += len(source.data)
        if size >= _CHUNK_SIZE:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


class _Worker:
    """One process of the image's interpreter; used by one thread."""

    def __init__(self, argv: Sequence[str], env: Mapping[str, str]) -> None:
        self._argv = argv
        # A file, not a pipe: nobody need read it for the worker to go on.
        self._stderr: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  # Closed by kill().
        try:
            self._process = subprocess.Popen(
                argv, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._stderr, cwd="/"
            )
        except OSError as error:
            self._stderr.close()
            raise ToolError(f"the image's Python does not start: {error.strerror}", argv=argv) from error

    def compile(self, sources: Sequence[Source]) -> Sequence[bytes | None]:
        parts = [_number(len(sources))]
        for source in sources:
            path = source.path.encode("utf-8", "surrogateescape")
            parts += [_number(len(path)), _number(len(source.data)), path, source.data]
        try:
            self._write(b"".join(parts))
            if self._read_number() != len(sources):
                raise self._failure("the image's Python answered out of turn")
            return [self._read_bytecode() for _ in sources]
        except ToolError as error:
            error.hint = f"it was compiling {sources[0].path} .. {sources[-1].path}"
            raise

    def kill(self) -> None:
        """End the process and forget it; nothing of it stays."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._stderr):
            if stream is not None:
                stream.close()

    def interrupt(self) -> None:
        """End the process from another thread: what it was asked then fails."""
        self._process.kill()

    def check_hello(self, version: str | None) -> None:
        """Wait for the worker to say what it is, and compare."""
        size = self._read_number()
        if size > _HELLO_LIMIT:
            raise self._failure("the image's Python did not say what it is")
        said = self._read(size).decode("ascii", "replace")
        found = said.partition(" ")[0]
        if version is not None and found != version:
            raise self._failure(f"the image's Python says it is {found}, the lock says {version}")

    def _read_bytecode(self) -> bytes | None:
        size = self._read_number()
        return None if size == NO_BYTECODE else self._read(size)

    def _read_number(self) -> int:
        return int.from_bytes(self._read(4), "little")

    def _read(self, size: int) -> bytes:
        stream = self._process.stdout
        data = stream.read(size) if stream is not None else b""
        if len(data) != size:
            raise self._failure("the image's Python ended while it compiled")
        return data

    def _write(self, data: bytes) -> None:
        stream = self._process.stdin
        try:
            if stream is not None:
                stream.write(data)
                stream.flush()
        except (BrokenPipeError, ConnectionResetError) as error:
            raise self._failure("the image's Python ended while it compiled") from error

    def _failure(self, message: str) -> ToolError:
        self._process.kill()
        status = self._process.wait()
        self._stderr.seek(0)
        stderr = self._stderr.read()[-2000:].decode("utf-8", "replace")
        return ToolError(message, argv=self._argv, exit_status=status, stderr=stderr)


def _number(value: int) -> bytes:
    return value.to_bytes(4, "little")
