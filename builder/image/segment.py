"""Segments: the tar bytes of one distribution or one deb, compressed on their own, cached by what made them.

Layout of a cached segment, one file: a sealed line (sizes, hashes, directories), the list of files as JSON, the payload.
So that a build reads only the first line of what is unchanged, and checks the payload's hash when it uses it.

Invariants:
- a segment holds no directories and no end of archive: both belong to the layer;
- the same key means the same bytes; whatever decides about them is part of the key;
- a damaged segment is never used: it is removed, and the caller makes it again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

from builder.canonical import dump_json
from builder.digest import Digest
from builder.entry import Entry, EntryKind, directory_entry
from builder.errors import BuildError
from builder.image.compress import Compressor
from builder.image.sealed import seal, unseal
from builder.image.tarball import iter_tar, sort_entries
from builder.store.model import ArtefactStore

KIND: Final = "segment"


class DamagedSegmentError(BuildError):
    """A cached segment is not what was written; it has been removed."""

    def __init__(self, key: str) -> None:
        super().__init__("the cached segment is damaged", context=key, hint="run the command again")
        self.key = key


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A segment in the cache, without its content."""

    key: str
    path: Path
    raw_size: int
    """Bytes of the tar."""
    size: int
    """Bytes of the payload."""
    digest: Digest
    """Of the payload."""
    directories: tuple[Entry, ...]
    """That its input states with mode and owner, by path."""
    parents: tuple[str, ...]
    """All folders above its paths, sorted."""
    files_offset: int
    files_size: int
    files_digest: Digest

    @property
    def payload_offset(self) -> int:
        """Where the payload begins in the file."""
        return self.files_offset + self.files_size


@dataclass(frozen=True, slots=True, kw_only=True)
class PathRecord:
    """What a segment says of one path."""

    path: str
    kind: EntryKind
    mode: int
    size: int
    target: str


def folders_above(paths: Iterable[str]) -> set[str]:
    """List all folders above some paths. O(paths): what is above a folder already known is not looked at again."""
    found: set[str] = set()
    for path in paths:
        parent = path.rpartition("/")[0]
        while parent and parent not in found:
            found.add(parent)
            parent = parent.rpartition("/")[0]
    return found


def make_segment(key: str, entries: Iterable[Entry], compressor: Compressor, artefacts: ArtefactStore) -> Segment:
    """Write entries as a segment into the cache.

    Args:
        key: of everything that decided about the entries and the compressor.
        entries: in any order; directories become part of the description.
        compressor: makes the payload, as one member.
        artefacts: the cache.

    Raises:
        BuildError: paths stand twice, or hard links point nowhere.
    """
    everything = tuple(entries)
    directories = tuple(
        sorted((entry for entry in everything if entry.kind is EntryKind.DIRECTORY), key=lambda entry: entry.path)
    )
    ordered = sort_entries(entry for entry in everything if entry.kind is not EntryKind.DIRECTORY)
    raw_size = 0

    def counted() -> Iterator[bytes]:
        nonlocal raw_size
        for chunk in iter_tar(ordered):
            raw_size += len(chunk)
            yield chunk

    payload = b"".join(compressor.compress(counted())) if ordered else b""
    files = dump_json([[entry.path, entry.kind, entry.mode, len(entry.data), entry.target] for entry in ordered])
    header = seal(
        {
            "directories": [[entry.path, entry.mode, entry.uid, entry.gid] for entry in directories],
            "files_digest": Digest.of(files).hex,
            "files_size": len(files),
            "parents": sorted(folders_above(entry.path for entry in everything)),
            "payload_digest": Digest.of(payload).hex,
            "payload_size": len(payload),
            "raw_size": raw_size,
        },
    )
    path = artefacts.put(KIND, key, (header, files, payload))
    return _describe(key, path, header)


def find_segment(key: str, artefacts: ArtefactStore) -> Segment | None:
    """Find a segment in the cache; None where there is none, or one whose first line is damaged."""
    path = artefacts.get(KIND, key)
    if path is None:
        return None
    try:
        with path.open("rb") as stream:
            return _describe(key, path, stream.readline())
    except FileNotFoundError:
        return None
    except DamagedSegmentError:
        return None


def _describe(key: str, path: Path, header: bytes) -> Segment:
    value: dict[str, Any] | None = unseal(header)
    if value is None:
        raise _damaged(key, path)
    return Segment(
        key=key,
        path=path,
        raw_size=value["raw_size"],
        size=value["payload_size"],
        digest=Digest(value["payload_digest"]),
        directories=tuple(
            directory_entry(name, mode=mode, uid=uid, gid=gid) for name, mode, uid, gid in value["directories"]
        ),
        parents=tuple(value["parents"]),
        files_offset=len(header),
        files_size=value["files_size"],
        files_digest=Digest(value["files_digest"]),
    )


def _damaged(key: str, path: Path) -> DamagedSegmentError:
    path.unlink(missing_ok=True)
    return DamagedSegmentError(key)


def read_payload(segment: Segment) -> bytes:
    """Read a segment's compressed bytes, checked.

    Raises:
        DamagedSegmentError: they are not what was written.
    """
    return _read(segment, segment.payload_offset, segment.size, segment.digest)


def read_paths(segment: Segment) -> tuple[PathRecord, ...]:
    """List a segment's paths, checked; raises DamagedSegmentError."""
    return tuple(
        PathRecord(path=path, kind=EntryKind(kind), mode=mode, size=size, target=target)
        for path, kind, mode, size, target in _read_files(segment)
    )


def read_path_names(segment: Segment) -> list[str]:
    """List only the names of a segment's paths, checked; raises DamagedSegmentError."""
    return [row[0] for row in _read_files(segment)]


def _read_files(segment: Segment) -> list[list[Any]]:
    rows: list[list[Any]] = json.loads(_read(segment, segment.files_offset, segment.files_size, segment.files_digest))
    return rows


def _read(segment: Segment, offset: int, size: int, digest: Digest) -> bytes:
    try:
        with segment.path.open("rb") as stream:
            data = _read_at(stream, offset, size)
    except FileNotFoundError:
        raise DamagedSegmentError(segment.key) from None
    if len(data) != size or Digest.of(data) != digest:
        raise _damaged(segment.key, segment.path)
    return data


def _read_at(stream: BinaryIO, offset: int, size: int) -> bytes:
    stream.seek(offset)
    return stream.read(size)
