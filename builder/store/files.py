"""Files by content: `<root>/files/sha256/<ab>/<hex>`, shared by any number of processes.

Invariants:
- A file appears under its name whole, hashed and synced, by one rename; it is never written to again.
- Whoever reads gets bytes that were hashed after they were read, so a file changed behind our back is found (and a
  symbolic link in its place is refused), never used.
- What is incomplete lies in `<root>/partial/<hex>` under an exclusive lock of the file, so that a killed download is
  continued and two processes do not download the same thing.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import stat
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from builder.digest import Digest
from builder.errors import DigestMismatchError, FetchError, MissingBlobError
from builder.lock.model import LockedFile

FILE_MODE = 0o444
"""Read-only: `locks/files/` has hard links to these."""
_CHUNK = 1 << 20
_USED_STAMP_S = 86_400
"""The last use is written down at most once a day, so that reading costs no write."""


class DirectoryFileStore:
    """A FileStore in a folder.

    Args:
        root: the cache's folder; made when first written to.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._made: set[Path] = set()

    def path(self, digest: Digest) -> Path:
        """Name the place where a file lies or would lie; bytes read from it are unverified."""
        return self.root / "files" / "sha256" / digest.hex[:2] / digest.hex

    def has(self, digest: Digest) -> bool:
        """Tell whether a regular file lies under the name; reading checks it."""
        return _is_regular(self.path(digest))

    def holds(self, file: LockedFile) -> bool:
        """Tell whether a file lies there with its size; a wrong size counts as absent."""
        try:
            status = self.path(file.sha256).lstat()
        except OSError:
            return False
        return stat.S_ISREG(status.st_mode) and status.st_size == file.size

    def read(self, file: LockedFile) -> bytes:
        """Read a file whole, hashing the very bytes that are returned.

        Raises:
            MissingBlobError: the store does not hold it.
            DigestMismatchError: what lies there is something else; it has been moved to `quarantine/`.
        """
        path = self.path(file.sha256)
        descriptor = self._open(path, file)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise self._refuse(path, status, file, "it is no regular file")
            if status.st_size != file.size:
                raise self._refuse(path, status, file, f"it has {status.st_size} bytes, not {file.size}")
            data = _read_all(descriptor, file.size)
            found = Digest.of(data)
            if found != file.sha256:
                raise self._refuse(path, status, file, f"its bytes hash to {found}")
            _stamp_use(descriptor, status)
        finally:
            os.close(descriptor)
        return data

    def add(self, data: bytes) -> Digest:
        """Keep bytes; idempotent."""
        return self.add_stream((data,))

    def add_stream(self, chunks: Iterable[bytes], expected: LockedFile | None = None) -> Digest:
        """Keep a stream, hashed while it is written.

        Raises:
            DigestMismatchError: the stream is not the expected file; nothing is kept.
        """
        descriptor, name = tempfile.mkstemp(dir=self._folder("tmp"), prefix="add-")
        temporary = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as handle:
                digest, size = _copy_hashed(chunks, handle.write)
                if expected is not None and (digest, size) != (expected.sha256, expected.size):
                    raise _mismatch(expected, f"the bytes given hash to {digest} ({size} bytes)")
                handle.flush()
                self._publish(handle.fileno(), temporary, digest, size)
        finally:
            temporary.unlink(missing_ok=True)
        return digest

    @contextlib.contextmanager
    def partial(
        self, file: LockedFile, *, timeout_s: float = 900.0, given_up: Callable[[], bool] = lambda: False
    ) -> Iterator[PartialFile | None]:
        """Hold the right to download a file; yields None where it is held already, or another process got it meanwhile.

        Args:
            file: what is to be downloaded.
            timeout_s: how long to wait for a process that downloads the same file.
            given_up: asked while waiting; True ends the wait.

        Raises:
            FetchError: the other process did not come to an end.
        """
        if self.holds(file):
            yield None
            return
        path = self._folder("partial") / file.sha256.hex
        descriptor = self._lock_partial(path, file, timeout_s, given_up)
        if descriptor is None:
            yield None
            return
        try:
            yield PartialFile(descriptor, path, file, self._publish)
        finally:
            os.close(descriptor)

    def quarantine(self, digest: Digest) -> Path | None:
        """Move a file out of the way; returns its new place, None where nothing lay there."""
        path = self.path(digest)
        try:
            return self._set_aside(path, path.lstat())
        except FileNotFoundError:
            return None

    def _lock_partial(self, path: Path, file: LockedFile, timeout_s: float, given_up: Callable[[], bool]) -> int | None:
        deadline = time.monotonic() + timeout_s
        while True:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            with contextlib.ExitStack() as undo:
                undo.callback(os.close, descriptor)
                if _try_lock(descriptor):
                    if self.holds(file):
                        # Another process came to the end between our look and our lock: leave no empty partial behind.
                        _unlink_same(path, descriptor)
                        return None
                    if _same_file(path, descriptor):
                        undo.pop_all()
                        return descriptor
            if given_up() or time.monotonic() > deadline:
                raise FetchError(
                    f"another process has been downloading {file.name} for {timeout_s:.0f} s",
                    context=str(path),
                    hint="wait for it, or end it; then run the command again",
                )
            time.sleep(0.05)

    def _open(self, path: Path, file: LockedFile) -> int:
        try:
            return os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            raise MissingBlobError(
                f"the store does not hold {file.name} ({file.sha256})", hint="run `airflow-kubler fetch`"
            ) from None
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise self._refuse(path, path.lstat(), file, "it is a symbolic link") from None
            raise MissingBlobError(f"cannot read {file.name}: {error.strerror}", context=str(path)) from error

    def _refuse(self, path: Path, status: os.stat_result, file: LockedFile, why: str) -> DigestMismatchError:
        aside = self._set_aside(path, status)
        return _mismatch(file, f"the store's copy is not it: {why}", context=str(aside or path))

    def _set_aside(self, path: Path, status: os.stat_result) -> Path | None:
        """Move what lies at a path to `quarantine/`, unless another process has put something else there meanwhile."""
        with contextlib.suppress(FileNotFoundError):
            current = path.lstat()
            if (current.st_dev, current.st_ino) == (status.st_dev, status.st_ino):
                target = self._folder("quarantine") / f"{path.name}.{status.st_ino}"
                path.rename(target)
                return target
        return None

    def _publish(self, descriptor: int, temporary: Path, digest: Digest, size: int) -> None:
        final = self.path(digest)
        if self.holds(LockedFile(name=digest.hex, size=size, sha256=digest)):
            temporary.unlink()
            return
        folder = self._folder("files", "sha256", digest.hex[:2])
        os.fsync(descriptor)
        os.fchmod(descriptor, FILE_MODE)
        temporary.rename(final)
        _sync_folder(folder)

    def _folder(self, *parts: str) -> Path:
        folder = self.root.joinpath(*parts)
        if folder not in self._made:
            folder.mkdir(mode=0o755, parents=True, exist_ok=True)
            self._made.add(folder)
        return folder


class PartialFile:
    """A download under way, held by this process alone; made by `DirectoryFileStore.partial`."""

    def __init__(
        self, descriptor: int, path: Path, file: LockedFile, publish: Callable[[int, Path, Digest, int], None]
    ) -> None:
        self._descriptor = descriptor
        self._path = path
        self._file = file
        self._publish = publish
        self._hash = hashlib.sha256()
        self.size = 0
        """Bytes had so far: where to continue."""
        self._resume()

    def append(self, chunk: bytes) -> None:
        """Write the next bytes.

        Raises:
            DigestMismatchError: there are more bytes than the lock says; the download begins anew.
        """
        if self.size + len(chunk) > self._file.size:
            self.reset()
            raise _mismatch(self._file, f"it is longer than the locked {self._file.size} bytes")
        _write_all(self._descriptor, chunk)
        self._hash.update(chunk)
        self.size += len(chunk)

    def reset(self) -> None:
        """Forget what came so far."""
        os.ftruncate(self._descriptor, 0)
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        self._hash = hashlib.sha256()
        self.size = 0

    def finish(self) -> None:
        """Check the whole and put it under its name.

        Raises:
            DigestMismatchError: the bytes are not the locked file; they are thrown away.
        """
        found = Digest(self._hash.hexdigest())
        if self.size != self._file.size or found != self._file.sha256:
            size = self.size
            self.reset()
            raise _mismatch(self._file, f"the bytes received hash to {found} ({size} bytes)")
        self._publish(self._descriptor, self._path, self._file.sha256, self.size)

    def _resume(self) -> None:
        while chunk := os.read(self._descriptor, _CHUNK):
            if self.size + len(chunk) > self._file.size:
                self.reset()
                return
            self._hash.update(chunk)
            self.size += len(chunk)


def _mismatch(file: LockedFile, why: str, *, context: str = "") -> DigestMismatchError:
    return DigestMismatchError(
        f"{file.name} is not the locked file {file.sha256}: {why}",
        context=context,
        hint="nothing of it is used; run `airflow-kubler fetch` to download it again",
    )


def _is_regular(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return False


def _read_all(descriptor: int, size: int) -> bytes:
    """Read up to one byte more than the size, so that growth under our hands shows in the hash."""
    chunks = []
    left = size + 1
    while left > 0 and (chunk := os.read(descriptor, left)):
        chunks.append(chunk)
        left -= len(chunk)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def _write_all(descriptor: int, chunk: bytes) -> None:
    view = memoryview(chunk)
    while view:
        view = view[os.write(descriptor, view) :]


def _copy_hashed(chunks: Iterable[bytes], write: Callable[[bytes], object]) -> tuple[Digest, int]:
    digest = hashlib.sha256()
    size = 0
    for chunk in chunks:
        digest.update(chunk)
        size += len(chunk)
        write(chunk)
    return Digest(digest.hexdigest()), size


def _stamp_use(descriptor: int, status: os.stat_result) -> None:
    """Write down the last use, which `gc` goes by; mounts with `noatime` would not."""
    now = time.time()
    if now - status.st_atime > _USED_STAMP_S:
        with contextlib.suppress(OSError):
            os.utime(descriptor, ns=(int(now * 1e9), status.st_mtime_ns))


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _same_file(path: Path, descriptor: int) -> bool:
    try:
        there = path.lstat()
    except FileNotFoundError:
        return False
    here = os.fstat(descriptor)
    return (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino)


def _unlink_same(path: Path, descriptor: int) -> None:
    if _same_file(path, descriptor):
        path.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
