"""Snapshots for people: found by the beginning of their id, compared, packed, collected."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from builder.digest import Digest
from builder.errors import IntegrityError, InvalidInputError
from builder.image.tar_reader import BROKEN, BoundedTarInfo
from builder.snapshot.model import (
    OfferedFile,
    Snapshot,
    SnapshotEntry,
    SnapshotStore,
    dump_snapshot,
    file_key,
    metadata_key,
    parse_snapshot,
    snapshot_id,
)
from builder.snapshot.pages import parse_canonical_page
from builder.snapshot.rules import file_version

LEAST_PREFIX = 4
LATEST = "latest"
_MAX_PACKED_BYTES = 1 << 30
_DAY_S = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectChange:
    """What differs of one project between two snapshots."""

    index: str
    project: str
    new: tuple[str, ...]
    gone: tuple[str, ...]
    yanked: tuple[str, ...]
    """Versions, in the order of the index."""


def find_snapshot(store: SnapshotStore, prefix: str) -> SnapshotEntry:
    """Find a snapshot by the beginning of its id, or `latest`.

    Raises:
        InvalidInputError: none or several begin so.
    """
    entries = store.entries()
    if prefix == LATEST and entries:
        return entries[0]
    found = [entry for entry in entries if len(prefix) >= LEAST_PREFIX and entry.id.startswith(prefix)]
    if len(found) != 1:
        message = f"no snapshot {prefix!r}" if not found else f"{len(found)} snapshots begin with {prefix!r}"
        raise InvalidInputError(message, hint="list them with: airflow-kubler snapshot ls")
    return found[0]


def compare_snapshots(store: SnapshotStore, before: Snapshot, after: Snapshot) -> tuple[ProjectChange, ...]:
    """Compare what two snapshots offer, of projects that both were asked for."""
    found = []
    for index, pages in sorted(after.pages.items()):
        old = before.pages.get(index, {})
        for project in sorted(pages.keys() & old.keys()):
            if pages[project] == old[project]:
                continue
            one, two = _versions(store, old[project]), _versions(store, pages[project])
            found.append(
                ProjectChange(
                    index=index,
                    project=project,
                    new=tuple(version for version in two if version not in one),
                    gone=tuple(version for version in one if version not in two),
                    yanked=tuple(version for version, bad in two.items() if bad and one.get(version) is False),
                )
            )
    return tuple(found)


def collect_snapshots(store: SnapshotStore, *, keep: int, days: int, now: int) -> tuple[tuple[str, ...], int]:
    """Delete snapshots but the newest and those of the last days; returns ids deleted, and bytes freed."""
    entries = store.entries()
    gone = tuple(entry.id for entry in entries[keep:] if now - entry.taken_at > days * _DAY_S)
    return gone, store.delete(gone)


def pack_snapshot(store: SnapshotStore, entry: SnapshotEntry) -> bytes:
    """Write a snapshot and all that is known of its wheels as one tar file, enough to lock again on another machine.

    Raises:
        IntegrityError: the store has lost a part of it.
    """
    whole = replace(entry.snapshot, metadata=_all_metadata(store, entry.snapshot))
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        head = {"taken_at": entry.taken_at, "locks": {name: digest.hex for name, digest in sorted(entry.locks.items())}}
        _add(archive, "entry.json", json.dumps(head, sort_keys=True).encode())
        _add(archive, "snapshot.json", dump_snapshot(whole))
        for digest in _contents(whole):
            data = store.get(digest)
            if data is None:
                raise IntegrityError(f"the store has lost {digest}", context=entry.id[:12], hint="take a new snapshot")
            _add(archive, f"blobs/{digest.hex}", data)
    return out.getvalue()


def unpack_snapshot(store: SnapshotStore, data: bytes, *, file: str) -> SnapshotEntry:
    """Read a packed snapshot into the store; every part is checked against its hash before any is kept.

    Raises:
        IntegrityError: it is damaged, or not whole.
    """
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:", tarinfo=BoundedTarInfo) as archive:
            parts = dict(_iter_parts(archive))
        snapshot = parse_snapshot(parts["snapshot.json"])
        head = json.loads(parts["entry.json"])
        locks = {str(name): Digest(text) for name, text in head["locks"].items()}
        taken_at = int(head["taken_at"])
    except (*BROKEN, KeyError, TypeError, AttributeError, InvalidInputError) as error:
        raise IntegrityError(f"is no packed snapshot: {error}", context=file) from error
    blobs = {}
    for digest in _contents(snapshot):
        blob = parts.get(f"blobs/{digest.hex}")
        if blob is None or Digest.of(blob) != digest:
            raise IntegrityError(
                f"{digest} is damaged or missing", context=file, hint="pack it again where it is whole"
            )
        blobs[digest] = blob
    for blob in blobs.values():
        store.put(blob)
    entry = SnapshotEntry(id=snapshot_id(snapshot), taken_at=taken_at, snapshot=snapshot, locks=locks)
    store.save(entry)
    return entry


def _all_metadata(store: SnapshotStore, snapshot: Snapshot) -> Mapping[str, Digest]:
    """Collect what is known of any file on the snapshot's pages: metadata of wheels, and notes of sizes."""
    known = store.metadata_digests()
    found = dict(snapshot.metadata)
    for pages in snapshot.pages.values():
        for digest in pages.values():
            data = store.get(digest) if digest else None
            for file in parse_canonical_page(data).files if data else ():
                for key in _keys(file):
                    if key not in found and (fact := known.get(key)):
                        found[key] = fact
    return dict(sorted(found.items()))


def _keys(file: OfferedFile) -> Iterable[str]:
    if file.name.endswith(".whl"):
        yield metadata_key(file)
    if file.size is None or file.sha256 is None:
        yield file_key(file)


def _contents(snapshot: Snapshot) -> list[Digest]:
    pages = (digest for by_project in snapshot.pages.values() for digest in by_project.values() if digest)
    return sorted({*pages, *snapshot.metadata.values()})


def _versions(store: SnapshotStore, digest: Digest | None) -> Mapping[str, bool]:
    """Map each version of a page to whether all of it is yanked."""
    data = store.get(digest) if digest else None
    found: dict[str, bool] = {}
    for file in parse_canonical_page(data).files if data else ():
        version = file_version(file.name)
        if version is not None:
            found[str(version)] = found.get(str(version), True) and file.yanked is not None
    return found


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    archive.addfile(member, io.BytesIO(data))


def _iter_parts(archive: tarfile.TarFile) -> Iterable[tuple[str, bytes]]:
    total = 0
    for member in archive:
        stream = archive.extractfile(member) if member.isreg() else None
        total += member.size
        if stream is None or total > _MAX_PACKED_BYTES:
            raise ValueError(f"{member.name!r} is no part of a snapshot")
        yield member.name, stream.read()
