"""Blobs in the folder of an image layout, to be pushed from and pulled into: a blob gets its name when it is whole.

What is pulled is checked twice: by the client, and here, where it gets its name.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

from builder.atomic import continuing, replacing
from builder.errors import BuildError, DigestMismatchError, IntegrityError, MissingBlobError, RegistryError
from builder.oci.descriptor import Descriptor
from builder.oci.index import Index, dump_index
from builder.oci.layout import INDEX_FILE, LAYOUT_BYTES, LAYOUT_FILE, REF_NAME, blob_path
from builder.registry.answers import lies_in_object

_CHUNK: Final = 1 << 18
"""Larger ones come from fresh pages each time: twice the system time."""
_SMALL: Final = 4 << 20
"""Bytes that are fetched anew where an earlier pull left a part of them."""


class FolderBlobs:
    """A BlobSource and a BlobSink over `blobs/sha256` of a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def _place(self, descriptor: Descriptor) -> Path:
        return self.folder / blob_path(descriptor.digest)

    def open_at(self, descriptor: Descriptor, offset: int) -> Iterator[bytes]:
        """Iterate over a blob's bytes from an offset; raises MissingBlobError, or IntegrityError for no plain file."""
        place = self._place(descriptor)
        try:
            handle = os.open(place, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            raise MissingBlobError("the layout does not hold it", context=str(place)) from None
        with os.fdopen(handle, "rb", buffering=0) as stream:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise IntegrityError("is no plain file", context=str(place))
            stream.seek(offset)
            while chunk := stream.read(_CHUNK):
                yield chunk

    def has(self, descriptor: Descriptor) -> bool:
        """Tell whether a blob is there, whole: it is read."""
        try:
            if self._place(descriptor).stat(follow_symlinks=False).st_size != descriptor.size:
                return False
            hashed = hashlib.sha256()
            for chunk in self.open_at(descriptor, 0):
                hashed.update(chunk)
        except (OSError, MissingBlobError, IntegrityError):
            return False
        return hashed.hexdigest() == descriptor.digest.hex

    def begin(self) -> None:
        """Make the folder a layout of nothing yet, so that a pull that breaks off is known as one."""
        self._replace(LAYOUT_FILE, LAYOUT_BYTES)

    def write(self, descriptor: Descriptor, chunks: Iterable[bytes]) -> None:
        """Keep a blob under its digest; what a killed writer left of it is overwritten.

        Raises:
            DigestMismatchError: it is another; nothing is kept then.
            BuildError: the disk is full or not writable; nothing is kept then.
        """
        self._write(descriptor, lambda _: chunks, below=0)

    def complete(self, descriptor: Descriptor, rest_of: Callable[[Iterator[bytes]], Iterable[bytes]]) -> None:
        """Keep a blob of which an earlier pull may have left a part; raises as `write`.

        Where the registry fails, or the user ends it, what came of a large one is left for the next pull.
        """
        self._write(descriptor, rest_of, below=descriptor.size if descriptor.size > _SMALL else 0)

    def _write(
        self, descriptor: Descriptor, rest_of: Callable[[Iterator[bytes]], Iterable[bytes]], *, below: int
    ) -> None:
        place, hashed = self._place(descriptor), hashlib.sha256()

        def begun(handle: int, size: int) -> Iterator[bytes]:
            for offset in range(0, size, _CHUNK):
                chunk = os.pread(handle, min(_CHUNK, size - offset), offset)
                hashed.update(chunk)
                yield chunk

        with _told(place):
            place.parent.mkdir(parents=True, exist_ok=True)
            with continuing(place, mode=0o644, below=below, keeps=lambda error: below > 0 and _is_break(error)) as (
                stream,
                size,
            ):
                for chunk in rest_of(begun(stream.fileno(), size)):
                    hashed.update(chunk)
                    stream.write(chunk)
                if hashed.hexdigest() != descriptor.digest.hex:
                    raise DigestMismatchError(f"what came hashes to sha256:{hashed.hexdigest()}", context=str(place))

    def write_index(self, roots: Iterable[tuple[Descriptor, str]]) -> None:
        """Make the folder a layout of these images and artifacts."""
        named = tuple(
            Descriptor(
                media_type=root.media_type,
                digest=root.digest,
                size=root.size,
                annotations=((REF_NAME, name),) if name else (),
            )
            for root, name in roots
        )
        self._replace(LAYOUT_FILE, LAYOUT_BYTES)
        self._replace(INDEX_FILE, dump_index(Index(manifests=named)))

    def _replace(self, name: str, data: bytes) -> None:
        with _told(self.folder / name):
            self.folder.mkdir(parents=True, exist_ok=True)
            with replacing(self.folder / name, mode=0o644) as stream:
                stream.write(data)


def _is_break(error: BaseException) -> bool:
    """Tell an end that another pull may go on from: nothing says that the blob itself is gone or wrong."""
    return isinstance(error, KeyboardInterrupt) or (isinstance(error, RegistryError) and not lies_in_object(error))


@contextlib.contextmanager
def _told(place: Path) -> Iterator[None]:
    """Tell errors of the disk with the file and the way out."""
    try:
        yield
    except OSError as error:
        raise BuildError(
            f"cannot be written: {error.strerror or error}",
            context=str(place),
            hint="make room or name another folder, and try again: blobs that are whole are not fetched again",
        ) from error
