"""Files that take the place of others whole, by one rename.

Invariants: nobody sees half a file; of writers at the same time one comes after the other; a killed writer leaves one file
beside the old one at most, however often that happens, and the next writer takes it over.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

TEMPORARY_PREFIX: Final = ".new-"


@contextlib.contextmanager
def replacing(path: Path, *, mode: int, durable: bool = False) -> Iterator[BinaryIO]:
    """Give a stream whose content becomes the file when the block ends; where it fails, the old file stays.

    Args:
        path: the file; its folder is there.
        mode: permissions, whatever the umask.
        durable: sync it to disk before it gets its name.
    """
    with continuing(path, mode=mode, durable=durable) as (stream, _):
        yield stream


@contextlib.contextmanager
def continuing(
    path: Path,
    *,
    mode: int,
    durable: bool = False,
    below: int = 0,
    keeps: Callable[[BaseException], bool] = lambda _: False,
) -> Iterator[tuple[BinaryIO, int]]:
    """Do the same, and go on from what a writer before left.

    Args:
        path: the file; its folder is there.
        mode: permissions, whatever the umask.
        durable: sync it to disk before it gets its name.
        below: what is left is taken over where it is shorter than this, else emptied.
        keeps: tells of an error whether what was written before it is left for the next writer.

    Yields:
        The stream, at its end, and how many bytes are there: nobody has checked them.
    """
    temporary = path.with_name(TEMPORARY_PREFIX + path.name)
    with os.fdopen(_open_alone(temporary, below), "r+b") as stream:
        try:
            yield stream, stream.seek(0, os.SEEK_END)
            stream.flush()
            os.fchmod(stream.fileno(), mode)
            if durable:
                os.fsync(stream.fileno())
            temporary.replace(path)
        except BaseException as error:
            if not keeps(error):
                temporary.unlink(missing_ok=True)
            raise


@contextlib.contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Keep other writers out of a folder; they wait. Where the file system knows no such locks there is none."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _open_alone(path: Path, below: int) -> int:
    """Open a file that no other writer has, emptied unless it is short: one that was renamed while we waited is not ours."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if _is_at(path, descriptor):
                if os.fstat(descriptor).st_size >= below:
                    os.ftruncate(descriptor, 0)
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _is_at(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.lstat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False
