"""What an index offers, and one state of it: values, and the ports that the world stands on."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from builder.canonical import dump_json
from builder.digest import Digest
from builder.errors import InvalidInputError
from builder.lock.model import BuiltWheel, LockedFile

DEFAULT_INDEX = "default"
"""Name of the index of the lowest priority, whose candidates' locks name no index."""
FIND_LINKS = "find-links"
"""Name of the places that `find-links` settings give, together."""
FILE_NOTE = "file:"
"""Begins keys of `Snapshot.metadata` under which sizes and hashes of files are noted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferedFile:
    """A file as an index offers it; what the index does not say is None."""

    name: str
    url: str
    """Absolute, without credentials. Where it is on this machine at this time: never part of a lock."""
    sha256: str | None = None
    """Hexadecimal, lower case."""
    size: int | None = None
    """Bytes."""
    upload_time: str | None = None
    """RFC 3339 UTC to the second, as `2026-09-17T08:38:26Z`."""
    requires_python: str | None = None
    yanked: str | None = None
    """Why it was yanked, empty where nobody said; None where it is not."""
    metadata_sha256: str | None = None
    """Of the core metadata that the index serves beside the file (PEP 658), where it says so."""
    has_metadata: bool = False
    """Whether the index serves core metadata beside the file."""
    changed: str | None = None
    """When a file of a folder, that nobody has hashed, was changed: nanoseconds. It may be replaced under its name."""

    @property
    def known_as(self) -> str:
        """Name the bytes, as far as that goes: by their hash, else by where they are and when they came there."""
        return self.sha256 or f"url:{Digest.of((self.url + (self.changed or '')).encode()).hex}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectPage:
    """What one index offers of one project."""

    index: str
    """The index's name."""
    project: str
    """PEP 503 normalised."""
    files: tuple[OfferedFile, ...]
    """By name."""
    status: str = "active"
    """PEP 792: `active`, `archived`, `quarantined` or `deprecated`."""
    status_reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedIndex:
    """A place to ask. Its url may hold credentials, so it is never shown unmasked."""

    name: str
    url: str = field(repr=False)
    find_links: bool = False
    """A page or folder of files of any project, not a simple index."""
    alone: bool = False
    """A folder of the project itself: its files are never added to the page of another place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownPage:
    """What is remembered of an index's answer for one project."""

    digest: Digest | None
    """Of the page's canonical bytes; None where the index has no such project."""
    etag: str
    """Empty where the index gave none."""
    checked_at: int
    """Seconds since the epoch, when the index last said that this holds."""
    max_age_s: int
    """How long it holds without asking again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """One state of the world. Its identity is the digest of its content: `snapshot_id`."""

    day: str
    """ISO date, UTC: what cool-downs are counted from."""
    indexes: tuple[str, ...]
    """Names of the indexes, in order of priority."""
    pages: Mapping[str, Mapping[str, Digest | None]]
    """By index, then project: canonical bytes of the page; None where the index does not have it."""
    metadata: Mapping[str, Digest]
    """By `metadata_key` of a file: the METADATA that resolvers were given. By other keys, what else was found out and noted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotEntry:
    """A snapshot as the store lists it."""

    id: str
    """64 hexadecimal digits."""
    taken_at: int
    """Seconds since the epoch."""
    snapshot: Snapshot
    locks: Mapping[str, Digest]
    """Locks made against it: by stack, of their bytes."""


def snapshot_id(snapshot: Snapshot) -> str:
    """Name a snapshot by the state of the indexes: 64 hexadecimal digits.

    Metadata is no part of the name: a wheel's hash decides it, and which of it was asked for is no state of an index.
    """
    return Digest.of(dump_json(_pages_to_dict(snapshot))).hex


def dump_snapshot(snapshot: Snapshot) -> bytes:
    """Write a snapshot; bytes are stable."""
    metadata = {key: digest.hex for key, digest in snapshot.metadata.items()}
    return dump_json({**_pages_to_dict(snapshot), "metadata": metadata})


def _pages_to_dict(snapshot: Snapshot) -> dict[str, Any]:
    return {
        "day": snapshot.day,
        "indexes": list(snapshot.indexes),
        "pages": {
            index: {project: digest.hex if digest else None for project, digest in pages.items()}
            for index, pages in snapshot.pages.items()
        },
    }


def parse_snapshot(data: bytes) -> Snapshot:
    """Read what `dump_snapshot` wrote.

    Raises:
        InvalidInputError: it is no snapshot.
    """
    try:
        value = json.loads(data)
        return Snapshot(
            day=dt.date.fromisoformat(value["day"]).isoformat(),
            indexes=tuple(str(name) for name in value["indexes"]),
            pages={
                str(index): {str(project): Digest(text) if text else None for project, text in pages.items()}
                for index, pages in value["pages"].items()
            },
            metadata={str(key): Digest(text) for key, text in value["metadata"].items()},
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InvalidInputError(f"is no snapshot: {error!r}") from error


def metadata_key(file: OfferedFile) -> str:
    """Name a file's metadata: by the file's sha256; by its address where the index gives no hash."""
    return file.known_as


def file_key(file: OfferedFile) -> str:
    """Name the note of a file's size and hash, among metadata: where its index does not say both."""
    return f"{FILE_NOTE}{metadata_key(file)}"


class Upstream(Protocol):
    """The configured indexes. Safe to use from several threads."""

    def indexes(self) -> Sequence[NamedIndex]:
        """List the places to ask, in order of priority; the default index is last."""

    def page(self, index: NamedIndex, project: str, known: KnownPage | None) -> tuple[KnownPage, bytes | None]:
        """Ask an index for a project, conditionally where something is known.

        Returns:
            What to remember, and the page's canonical bytes; None in place of bytes where the known page still holds or
            the index has no such project.

        Raises:
            PackageIndexError: the index does not answer, or not as it should.
        """

    def metadata(self, file: OfferedFile) -> bytes:
        """Read a wheel's METADATA: beside it (PEP 658), by its end (HTTP ranges), or from the whole of it, hash checked.

        Raises:
            PackageIndexError: it cannot be had, or is no metadata.
        """


class SnapshotStore(Protocol):
    """Pages, metadata and snapshots, by hash. Many threads and processes may share it; every read checks the hash."""

    def known_pages(self, index_key: str) -> Mapping[str, KnownPage]:
        """Read what is remembered of an index, by project."""

    def keep_page(self, index_key: str, project: str, known: KnownPage) -> None:
        """Remember an answer; the last writer wins."""

    def get(self, digest: Digest) -> bytes | None:
        """Read bytes; None where they are not held or are damaged."""

    def put(self, data: bytes) -> Digest:
        """Keep bytes; idempotent."""

    def metadata_digests(self) -> Mapping[str, Digest]:
        """Read all that is known of metadata, by `metadata_key`."""

    def keep_metadata(self, key: str, digest: Digest) -> None:
        """Remember a wheel's metadata: the first writer wins, since a wheel of one hash has one."""

    def sizes(self, files: Sequence[Digest]) -> Mapping[Digest, int]:
        """Read the sizes in bytes that are known of files, by their hash: where an index does not say them."""

    def keep_sizes(self, sizes: Mapping[Digest, int]) -> None:
        """Remember the sizes of files."""

    def settled(self, key: str) -> bytes | None:
        """Read what was noted of a lock under a key; None where nothing was, or some weeks ago."""

    def settle(self, key: str, data: bytes) -> None:
        """Note something of a lock; the last writer wins."""

    def save(self, entry: SnapshotEntry) -> None:
        """Keep a snapshot; of one id, locks are joined."""

    def entries(self) -> tuple[SnapshotEntry, ...]:
        """List snapshots, newest first."""

    def delete(self, ids: Sequence[str]) -> int:
        """Delete snapshots and what only they hold and nothing remembers; returns bytes freed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """A wheel that was built from an sdist."""

    wheel: LockedFile
    metadata: bytes
    """Its METADATA."""
    record: BuiltWheel


class WheelBuilder(Protocol):
    """Builds wheels of sdists, each once. Safe to use from several threads."""

    @property
    def key(self) -> str:
        """Name what else decides about a wheel: interpreter, format of the build. Cheap; builds nothing."""

    def build(self, project: str, version: str, sdist: OfferedFile) -> Built:
        """Build a wheel, or find the one that was built before.

        Raises:
            SdistError: it cannot be built here, with the way out.
            PackageIndexError: the sdist or a build requirement cannot be had.
        """
