"""Cleaning and checking the cache: `gc` removes what was not used for long, `verify` hashes every file again.

Use is the access time, which the stores write down at most once a day. Nothing that a lock at hand names is removed. What
another process may be writing right now, anything changed in the last hour, is left alone.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import stat
from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from builder.digest import Digest
from builder.errors import InvalidInputError
from builder.store.files import DirectoryFileStore
from builder.store.model import Progress

UNDER_WAY_S = 3_600
_DAY_S = 86_400
_SCRATCH = ("partial", "tmp", "quarantine")


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One thing in the cache."""

    kind: str
    """`file`, `partial`, `tmp`, `quarantine`, or an artefact's kind."""
    name: str
    path: Path
    size_bytes: int
    used: float
    """Seconds since the epoch, to about a day."""
    changed: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """A stored file that is not what its name says."""

    name: str
    moved_to: Path | None
    """None where it is gone by itself."""


def iter_items(root: Path) -> Iterator[Item]:
    """List everything in the cache, sorted by kind and name."""
    for path in sorted((root / "files" / "sha256").glob("??/*")):
        yield from _item("file", path)
    for kind in sorted(path.name for path in _children(root / "artefacts")):
        for path in sorted((root / "artefacts" / kind).glob("*/*")):
            yield from _item(kind, path)
    for kind in _SCRATCH:
        for path in _children(root / kind):
            yield from _item(kind, path)


def summarise(items: Iterable[Item]) -> tuple[tuple[str, int, int], ...]:
    """Count items and bytes by kind, sorted."""
    totals: dict[str, tuple[int, int]] = {}
    for item in items:
        count, size = totals.get(item.kind, (0, 0))
        totals[item.kind] = (count + 1, size + item.size_bytes)
    return tuple((kind, *totals[kind]) for kind in sorted(totals))


def choose_garbage(
    items: Collection[Item], *, keep: Collection[Digest], now: float, days: float, only_unnamed: bool = False
) -> tuple[Item, ...]:
    """Choose what to remove: what no lock names and nobody used for some days, and what killed processes left.

    Args:
        items: the cache.
        keep: files named by locks at hand.
        now: seconds since the epoch.
        days: what was used more recently stays.
        only_unnamed: remove files that no lock names, however recently used; artefacts go by days all the same.
    """
    kept = {digest.hex for digest in keep}

    def is_garbage(item: Item) -> bool:
        if now - item.changed < UNDER_WAY_S:
            return False
        if item.kind in {"tmp", "quarantine"}:
            return True
        if item.kind == "file" and item.name in kept:
            return False
        return (only_unnamed and item.kind == "file") or now - item.used > days * _DAY_S

    return tuple(item for item in items if is_garbage(item))


def remove_items(items: Collection[Item]) -> int:
    """Remove items; returns the bytes they took. What is gone already does not matter."""
    for item in items:
        if item.path.is_dir() and not item.path.is_symlink():
            # A folder loses its name first, so that nobody finds half of it.
            dying = item.path.with_name(f".{item.path.name}.{os.getpid()}")
            with contextlib.suppress(OSError):
                item.path.rename(dying)
                shutil.rmtree(dying, ignore_errors=True)
        else:
            with contextlib.suppress(FileNotFoundError):
                item.path.unlink()
    return sum(item.size_bytes for item in items)


def verify_files(
    store: DirectoryFileStore, *, workers: int = 2, progress: Progress = lambda _: None
) -> tuple[Damage, ...]:
    """Hash every stored file; what is not what its name says is set aside. Returns the damage, by name."""
    items = [item for item in iter_items(store.root) if item.kind == "file"]

    def check(item: Item) -> Damage | None:
        good = _hashes_to_name(item.path, progress)
        if good:
            return None
        try:
            return Damage(name=item.name, moved_to=store.quarantine(Digest(item.name)))
        except InvalidInputError:
            # No file of ours has such a name: say so, and leave it to whoever put it there.
            return Damage(name=item.name, moved_to=None)

    with ThreadPoolExecutor(max_workers=workers, thread_name_prefix="verify") as pool:
        return tuple(damage for damage in pool.map(check, items) if damage)


def _hashes_to_name(path: Path, progress: Progress) -> bool:
    digest = hashlib.sha256()
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    with open(descriptor, "rb", buffering=0) as handle:  # noqa: PTH123  a descriptor, not a path
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return False
        while chunk := handle.read(1 << 20):
            digest.update(chunk)
            progress(len(chunk))
    return digest.hexdigest() == path.name


def _item(kind: str, path: Path) -> Iterator[Item]:
    try:
        status = path.lstat()
        size = status.st_size if not stat.S_ISDIR(status.st_mode) else _tree_size(path)
    except OSError:
        return
    used, changed = max(status.st_atime, status.st_mtime), max(status.st_mtime, status.st_ctime)
    yield Item(kind=kind, name=path.name, path=path, size_bytes=size, used=used, changed=changed)


def _tree_size(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def _children(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []
