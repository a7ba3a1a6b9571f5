"""An OCI layout read from a folder. Imports little: a build that has nothing to do needs no more than this."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from builder.errors import IntegrityError, MissingBlobError
from builder.oci.fields import MAX_DOCUMENT_BYTES
from builder.oci.layout import INDEX_FILE, LAYOUT_BYTES, LAYOUT_FILE

_CHUNK = 1 << 20


class FolderLayout:
    """A LayoutReader of a folder.

    Args:
        folder: the layout.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def read(self, path: str) -> bytes:
        """Read a document whole; raises MissingBlobError, or IntegrityError for one that is too long to be one."""
        data = b""
        for chunk in self.chunks(path):
            data += chunk
            if len(data) > MAX_DOCUMENT_BYTES:
                raise IntegrityError(f"is longer than {MAX_DOCUMENT_BYTES} bytes", context=str(self.folder / path))
        return data

    def chunks(self, path: str) -> Iterator[bytes]:
        """Read a file piecewise; raises MissingBlobError, or IntegrityError where it is no plain file."""
        place = self.folder / path
        try:
            # Not to wait for ever: a layout of somebody else's may hold a fifo.
            descriptor = os.open(place, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            raise MissingBlobError("the layout does not hold it", context=str(place)) from None
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise IntegrityError("is no plain file", context=str(place))
        with os.fdopen(descriptor, "rb") as stream:
            while chunk := stream.read(_CHUNK):
                yield chunk

    def blobs(self) -> tuple[str, ...]:
        """List the hexadecimal names below blobs/sha256, sorted."""
        with contextlib.suppress(FileNotFoundError):
            return tuple(sorted(entry.name for entry in os.scandir(self.folder / "blobs" / "sha256")))
        return ()


def holds_layout(folder: Path, layout_index: bytes, sizes: Mapping[str, int]) -> bool:
    """Tell whether a folder is exactly this image, by names and sizes: `verify` reads the bytes."""
    try:
        if not _is(folder / INDEX_FILE, layout_index) or not _is(folder / LAYOUT_FILE, LAYOUT_BYTES):
            return False
        with os.scandir(folder / "blobs" / "sha256") as entries:
            found = {entry.name: entry.stat(follow_symlinks=False).st_size for entry in entries}
    except OSError:
        return False
    return found == sizes


def _is(path: Path, data: bytes) -> bool:
    """Tell whether a file holds just this; one of another size is not read."""
    return path.stat().st_size == len(data) and path.read_bytes() == data
