"""A store of snapshots in memory, and an upstream made of pages."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from builder.digest import Digest
from builder.errors import PackageIndexError
from builder.snapshot.model import (
    DEFAULT_INDEX,
    KnownPage,
    NamedIndex,
    OfferedFile,
    ProjectPage,
    SnapshotEntry,
)
from builder.snapshot.pages import dump_page


@dataclass(slots=True)
class MemoryStore:
    """A SnapshotStore."""

    blobs: dict[Digest, bytes] = field(default_factory=dict)
    pages: dict[tuple[str, str], KnownPage] = field(default_factory=dict)
    metadata: dict[str, Digest] = field(default_factory=dict)
    saved: dict[str, SnapshotEntry] = field(default_factory=dict)
    known_sizes: dict[Digest, int] = field(default_factory=dict)
    notes: dict[str, bytes] = field(default_factory=dict)

    def known_pages(self, index_key: str) -> Mapping[str, KnownPage]:
        """Read what is remembered of an index."""
        return {project: known for (key, project), known in self.pages.items() if key == index_key}

    def keep_page(self, index_key: str, project: str, known: KnownPage) -> None:
        """Remember an answer."""
        self.pages[index_key, project] = known

    def get(self, digest: Digest) -> bytes | None:
        """Read bytes."""
        return self.blobs.get(digest)

    def put(self, data: bytes) -> Digest:
        """Keep bytes."""
        digest = Digest.of(data)
        self.blobs[digest] = data
        return digest

    def metadata_digests(self) -> Mapping[str, Digest]:
        """Read what is known of metadata."""
        return dict(self.metadata)

    def keep_metadata(self, key: str, digest: Digest) -> None:
        """Remember a wheel's metadata."""
        self.metadata.setdefault(key, digest)

    def sizes(self, files: Sequence[Digest]) -> Mapping[Digest, int]:
        """Read the sizes that are known of files."""
        return {digest: self.known_sizes[digest] for digest in files if digest in self.known_sizes}

    def keep_sizes(self, sizes: Mapping[Digest, int]) -> None:
        """Remember sizes of files."""
        self.known_sizes.update(sizes)

    def settled(self, key: str) -> bytes | None:
        """Read what was noted of a lock."""
        return self.notes.get(key)

    def settle(self, key: str, data: bytes) -> None:
        """Note something of a lock."""
        self.notes[key] = data

    def save(self, entry: SnapshotEntry) -> None:
        """Keep a snapshot."""
        self.saved[entry.id] = entry

    def entries(self) -> tuple[SnapshotEntry, ...]:
        """List snapshots."""
        return tuple(self.saved.values())

    def delete(self, ids: Sequence[str]) -> int:
        """Delete snapshots."""
        for name in ids:
            self.saved.pop(name, None)
        return 0


@dataclass(slots=True)
class MadeUpUpstream:
    """An Upstream over pages that a test puts together."""

    names: tuple[str, ...] = (DEFAULT_INDEX,)
    offers: dict[tuple[str, str], tuple[OfferedFile, ...]] = field(default_factory=dict)
    """By index and project."""
    statuses: dict[str, tuple[str, str]] = field(default_factory=dict)
    """By project: PEP 792 status and reason."""
    texts: dict[str, bytes] = field(default_factory=dict)
    """METADATA by file name."""
    broken: set[str] = field(default_factory=set)
    """Indexes that do not answer."""
    max_age_s: int = 600
    asked: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def offer(
        self, project: str, version: str, *requires: str, index: str = DEFAULT_INDEX, sdist: bool = False, **facts: str
    ) -> OfferedFile:
        """Offer a wheel, or an sdist; `facts` are further fields of OfferedFile."""
        stem = f"{project.replace('-', '_')}-{version}"
        name = f"{stem}.tar.gz" if sdist else f"{stem}-py3-none-any.whl"
        needs = "".join(f"Requires-Dist: {text}\n" for text in requires)
        text = f"Metadata-Version: 2.1\nName: {project}\nVersion: {version}\n{needs}\n".encode()
        values = {"sha256": Digest.of(f"{index}/{name}".encode()).hex, **facts}
        file = OfferedFile(name=name, url=f"https://{index}.example/files/{name}", **values)  # type: ignore[arg-type]
        key = index, project
        self.offers[key] = tuple(sorted((*self.offers.get(key, ()), file), key=lambda item: item.name))
        self.texts[name] = text
        return file

    def indexes(self) -> Sequence[NamedIndex]:
        """List the places to ask."""
        return tuple(NamedIndex(name=name, url=f"https://{name}.example/simple") for name in self.names)

    def page(self, index: NamedIndex, project: str, known: KnownPage | None) -> tuple[KnownPage, bytes | None]:
        """Answer for a project."""
        del known
        with self._lock:
            self.asked.append(f"{index.name}/{project}")
        if index.name in self.broken:
            raise PackageIndexError("does not answer", context=index.name)
        files = self.offers.get((index.name, project))
        if files is None:
            return KnownPage(digest=None, etag="", checked_at=0, max_age_s=self.max_age_s), None
        status, reason = self.statuses.get(project, ("active", ""))
        data = dump_page(
            ProjectPage(index=index.name, project=project, files=files, status=status, status_reason=reason)
        )
        return KnownPage(digest=Digest.of(data), etag="", checked_at=0, max_age_s=self.max_age_s), data

    def metadata(self, file: OfferedFile) -> bytes:
        """Read a wheel's METADATA."""
        with self._lock:
            self.asked.append(f"metadata {file.name}")
        if file.name not in self.texts:
            raise PackageIndexError("is not there", context=file.name)
        return self.texts[file.name]
