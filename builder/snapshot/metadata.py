"""Reads a wheel's METADATA without reading the wheel, where the index or its server allows that.

In this order: the file beside the wheel (PEP 658), the wheel's end by HTTP ranges, the whole wheel with its hash checked.
Answers are untrusted: sizes are bounded before anything is inflated, and what is read must be metadata of that very wheel.

Source: PEP 658, RFC 9110 section 14, PKWARE APPNOTE 6.3.10.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import re
import struct
import threading
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import IO, cast
from urllib.parse import unquote, urlsplit, urlunsplit

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from builder.digest import Digest
from builder.errors import PackageIndexError
from builder.snapshot.model import OfferedFile
from builder.snapshot.pages import parse_file_name
from builder.store.pages import AnswerTooLargeError, Page, read_page
from builder.store.patience import Patience
from builder.store.transport import Transport, shown

LARGEST_METADATA = 8 << 20
_LARGEST_BY_RANGES = 64 << 20
"""Bytes of one wheel, all answers together; also what a server that knows no ranges may send at once."""
_LARGEST_WHEEL = 2 << 30
_WHOLE_AT_A_TIME = threading.Semaphore(2)
"""Wheels that had to be read whole lie in memory."""
_TAIL = 32 << 10
"""Bytes asked for first: most wheels' directory, and METADATA where it is written last, as it should be."""
_STEP = 16 << 10
"""Bytes asked for at least: a header is followed by what it announces."""
_CONTENT_RANGE = re.compile(r"bytes (\d{1,15})-(\d{1,15})/(\d{1,15})\Z")
_HEADER = re.compile(r"([A-Za-z][A-Za-z-]*):[ \t]*(.*)")
_DAMAGED = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, ValueError, NotImplementedError, RuntimeError)
"""What the standard library's reader raises for archives that are none, lie, or use what wheels do not."""


class _NoRangesError(Exception):
    """The server does not give parts of files as it should."""


def read_metadata(file: OfferedFile, transport: Transport, patience: Patience | None = None) -> bytes:
    """Read the METADATA of a wheel.

    Raises:
        PackageIndexError: it cannot be had, or is not that wheel's metadata.
    """
    if parse_file_name(file.name) is None or not file.name.endswith(".whl"):
        raise PackageIndexError("is no wheel, so it has no metadata to read", context=file.name)
    data = _read_beside(file, transport, patience) if file.has_metadata else None
    if data is None and urlsplit(file.url).scheme == "file":
        data = _read_from_disk(file)
    if data is None:
        try:
            data = _read_zip(_Remote(file, transport, patience), file)
        except _NoRangesError:
            data = _read_from_whole(file, transport, patience)
    check_metadata(data, file.name)
    return data


def read_local_metadata(path: Path) -> bytes:
    """Read the METADATA of a wheel on this machine; its bytes are taken to be checked.

    Raises:
        PackageIndexError: it cannot be had.
    """
    return _read_from_disk(OfferedFile(name=path.name, url=path.as_uri()))


def check_metadata(data: bytes, name: str) -> None:
    """Check that bytes are the metadata of the wheel of this name.

    Raises:
        PackageIndexError: they are not.
    """
    headers = _headers(data)
    for key in ("metadata-version", "name", "version"):
        if not headers.get(key):
            raise PackageIndexError(f"its metadata is none: it has no {key.title()}", context=name)
    try:
        found = (canonicalize_name(headers["name"]), Version(headers["version"]))
    except InvalidVersion as error:
        raise PackageIndexError(f"its metadata names no version: {headers['version'][:80]!r}", context=name) from error
    if found != parse_file_name(name):
        raise PackageIndexError(f"its metadata is of {found[0]} {found[1]}, not of what its name says", context=name)


def local_path(url: str) -> Path:
    """Turn a file: address into a path."""
    return Path(unquote(urlsplit(url).path))


def _headers(data: bytes) -> Mapping[str, str]:
    """Read the first value of each header, up to the body."""
    found: dict[str, str] = {}
    head = data.replace(b"\r\n", b"\n").partition(b"\n\n")[0]
    for line in head.decode("utf-8", "replace").split("\n"):
        if match := _HEADER.match(line):
            found.setdefault(match[1].lower(), match[2].strip())
    return found


def _read_beside(file: OfferedFile, transport: Transport, patience: Patience | None) -> bytes | None:
    parts = urlsplit(file.url)
    url = urlunsplit(parts._replace(path=f"{parts.path}.metadata"))
    page = read_page(url, transport, largest=LARGEST_METADATA, patience=patience)
    if page is None:
        return None
    if file.metadata_sha256 not in {None, Digest.of(page.body).hex}:
        raise PackageIndexError("its metadata has another sha256 than the index says", context=shown(url))
    return page.body


def _read_from_disk(file: OfferedFile) -> bytes:
    try:
        with local_path(file.url).open("rb") as handle:
            return _read_zip(handle, file)
    except OSError as error:
        raise PackageIndexError(error.strerror or str(error), context=file.url) from error


def _read_from_whole(file: OfferedFile, transport: Transport, patience: Patience | None) -> bytes:
    with _WHOLE_AT_A_TIME:
        page = read_page(
            file.url, transport, largest=min(file.size or _LARGEST_WHEEL, _LARGEST_WHEEL), patience=patience
        )
        if page is None:
            raise _absent(file.url)
        _check_whole(page.body, file)
        return _read_zip(io.BytesIO(page.body), file)


def _check_whole(data: bytes, file: OfferedFile) -> None:
    if file.sha256 not in {None, hashlib.sha256(data).hexdigest()}:
        raise PackageIndexError("has another sha256 than the index says", context=shown(file.url))


def _absent(url: str) -> PackageIndexError:
    hint = "look at the index: it lists this file and does not have it"
    return PackageIndexError("is not there", context=shown(url), hint=hint)


def _read_zip(handle: IO[bytes] | _Remote, file: OfferedFile) -> bytes:
    """Take METADATA out of a wheel: the one entry of that name, its size bounded, its checksum checked."""
    try:
        with contextlib.closing(zipfile.ZipFile(cast("IO[bytes]", handle))) as archive:
            found = [info for info in archive.infolist() if _is_metadata_of(info.filename, file.name)]
            if len(found) != 1:
                raise PackageIndexError(f"holds METADATA of its name {len(found)} times, not once", context=file.name)
            if found[0].file_size > LARGEST_METADATA:
                raise PackageIndexError(f"its METADATA is larger than {LARGEST_METADATA} bytes", context=file.name)
            return _read_bounded(archive, found[0], file.name)
    except _DAMAGED as error:
        raise PackageIndexError(f"cannot be read as a wheel: {error}", context=shown(file.url)) from error


def _read_bounded(archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str) -> bytes:
    """Read an entry without inflating more than it says.

    NOTE: the standard library's read() inflates up to 2 GiB before it cuts off, and bzip2 and LZMA without any bound.
    """
    if info.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        raise PackageIndexError(
            f"its METADATA is packed in a way that wheels are not ({info.compress_type})", context=name
        )
    with archive.open(info) as entry:
        data = entry.read(info.file_size)
    if len(data) != info.file_size:
        raise PackageIndexError("its METADATA breaks off", context=name)
    return data


def _is_metadata_of(entry: str, name: str) -> bool:
    folder, slash, leaf = entry.partition("/")
    if not slash or leaf != "METADATA" or not folder.endswith(".dist-info"):
        return False
    # The folder is named as the file is: name and version, as a source archive would be.
    return parse_file_name(f"{folder.removesuffix('.dist-info')}.tar.gz") == parse_file_name(name)


class _Remote(io.RawIOBase):
    """A wheel on a server as a file that can be read anywhere; a part is asked for when it is wanted.

    What it is made of and read with raises _NoRangesError where the server does not give parts.
    """

    def __init__(self, file: OfferedFile, transport: Transport, patience: Patience | None) -> None:
        super().__init__()
        self._file = file
        self._transport = transport
        self._patience = patience
        self._at = 0
        self._had = 0
        self._size = file.size or 0
        self._parts: list[tuple[int, bytes]] = []
        if self._size:
            self._ask(max(0, self._size - _TAIL), self._size)
        else:
            self._ask(None, None)

    def seekable(self) -> bool:
        """Tell that it can be read anywhere."""
        return True

    def readable(self) -> bool:
        """Tell that it can be read."""
        return True

    def tell(self) -> int:
        """Tell where the next read begins."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Choose where the next read begins."""
        at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        if at < 0:
            raise ValueError(f"before the beginning: {at}")
        self._at = at
        return at

    def read(self, count: int | None = -1) -> bytes:
        """Read as many bytes as asked for, fewer at the end only."""
        start = self._at
        end = self._size if count is None or count < 0 else min(self._size, start + count)
        if start >= end:
            return b""
        self._at = end
        for at, part in self._parts:
            if at <= start and end <= at + len(part):
                return part[start - at : end - at]
        self._ask(start, min(self._size, max(end, start + _STEP)))
        at, part = self._parts[-1]
        return part[start - at : end - at]

    def _ask(self, start: int | None, end: int | None) -> None:
        """Ask for a part, or for the end where both are None."""
        page = self._get(f"bytes=-{_TAIL}" if start is None or end is None else f"bytes={start}-{end - 1}")
        if page.status == 200:
            # The server knows no ranges and sends the whole.
            _check_whole(page.body, self._file)
            self._size = len(page.body)
            self._parts.append((0, page.body))
            return
        match = _CONTENT_RANGE.match(page.headers.get("content-range", "")) if page.status == 206 else None
        if match is None:
            raise _NoRangesError
        first, last, size = (int(text) for text in match.groups())
        asked = (first, size) if start is None or end is None else (start, end)
        if (first, last + 1) != asked or last + 1 - first != len(page.body) or size != (self._size or size):
            raise _NoRangesError
        self._size = size
        self._parts.append((first, page.body))

    def _get(self, wanted: str) -> Page:
        try:
            page = read_page(
                self._file.url,
                self._transport,
                headers={"range": wanted},
                largest=_LARGEST_BY_RANGES - self._had,
                patience=self._patience,
                accepted=(200, 206, 416, 501),
            )
        except AnswerTooLargeError as error:
            raise _NoRangesError from error
        if page is None:
            raise _absent(self._file.url)
        self._had += len(page.body)
        return page
