"""The root folder that sdists are built in: all of a base's debs for this machine, unpacked once, never written to.

Not the image's: no Airflow, no user's home, and the mount points of the cell.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Protocol

from builder.canonical import dump_json
from builder.digest import Digest
from builder.entry import Entry, EntryKind
from builder.errors import BuildError
from builder.lock.model import BaseLock, LockedDeb
from builder.platform import Platform
from builder.store.model import FileStore

_KIND = "build-root"
_FORMAT = 1
FOLDERS = ("dev", "proc", "tmp", "var/tmp", "build/sdist", "build/requires", "build/src", "build/out")
FILES = ("build/driver.py", "build/result")


class TreeStore(Protocol):
    """Where unpacked roots are kept."""

    def get(self, kind: str, key: str) -> Path | None:
        """Find one, None where there is none."""

    def put_tree(self, kind: str, key: str, populate: Callable[[Path], None]) -> Path:
        """Keep a folder atomically."""


def root_debs(base: BaseLock, platform: Platform) -> tuple[LockedDeb, ...]:
    """List the debs of a base that run on this machine.

    Raises:
        BuildError: the base is not locked for it.
    """
    debs = tuple(deb for deb in base.debs if platform in deb.platforms)
    if base.images:
        raise BuildError(
            "the base is an image, and sdists are built in bases of Debian packages",
            context=f"locks/base.{base.name}.toml",
            hint="lock the project by a wheel, or lock a stack with this sdist on a base of Debian packages",
        )
    if not debs:
        raise BuildError(
            f"the base is not locked for {platform}, which this machine needs to build sdists",
            context=f"locks/base.{base.name}.toml",
            hint=f"add {platform} to the base's platforms, or lock on {base.base.platforms[0]}",
        )
    return debs


def compiler_debs(base: BaseLock, platform: Platform) -> tuple[LockedDeb, ...]:
    """List what a base compiles with on this machine."""
    return tuple(deb for deb in base.compilers if platform in deb.platforms)


def ensure_root(
    base: BaseLock, files: FileStore, artefacts: TreeStore, platform: Platform, *, compiling: bool = False
) -> Path:
    """Give the root folder of a base for this machine, unpacked now or found.

    Args:
        base: names its debs.
        files: holds them.
        artefacts: keeps the unpacked tree.
        platform: of this machine.
        compiling: whether the base's compilers are in it too.

    Raises:
        BuildError: the base is not locked for this machine's platform, or two debs do not go together.
        MissingBlobError: a deb was not fetched.
    """
    debs = (*root_debs(base, platform), *(compiler_debs(base, platform) if compiling else ()))
    plain = replace(base.base, files=tuple(file for file in base.base.files if file.kind != "ca-bundle"))
    parts = [
        _FORMAT,
        [deb.file.sha256.hex for deb in debs],
        list(plain.exclude),
        [asdict(file) for file in plain.files],
    ]
    key = Digest.of(dump_json(parts)).hex
    found = artefacts.get(_KIND, key)
    if found is not None:
        return found

    def populate(folder: Path) -> None:
        from builder.debian.deb import check_deb, read_deb
        from builder.debian.rootfs import base_file_entries, deb_entries

        for locked in debs:
            deb = read_deb(files.read(locked.file), file_name=locked.file.name)
            check_deb(deb, locked)
            write_entries(deb_entries(deb, base.base), folder)
        write_entries(base_file_entries(plain, ca_certificates=None), folder)
        for name in FOLDERS:
            (folder / name).mkdir(parents=True, exist_ok=True)
        for name in FILES:
            (folder / name).touch()
        for path in (folder, *(path for path in folder.rglob("*") if path.is_dir() and not path.is_symlink())):
            path.chmod(0o755)

    return artefacts.put_tree(_KIND, key, populate)


def write_entries(entries: Iterable[Entry], folder: Path) -> None:
    """Write entries below a folder that nobody else writes to; later ones replace earlier ones.

    Raises:
        BuildError: a path leads through a link.
    """
    top = folder.resolve()
    for entry in entries:
        path = top / entry.path
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.parent.resolve() != path.parent:
            raise BuildError("the path leads through a link", context=entry.path)
        _write(entry, path, top)


def _write(entry: Entry, path: Path, top: Path) -> None:
    if entry.kind is EntryKind.DIRECTORY:
        if not path.is_dir():
            path.mkdir()
        return
    if path.is_dir() and not path.is_symlink():
        if entry.kind is EntryKind.SYMLINK and not any(path.iterdir()):
            path.rmdir()
        else:
            raise BuildError("a folder, and a file or link too", context=entry.path)
    path.unlink(missing_ok=True)
    match entry.kind:
        case EntryKind.SYMLINK:
            path.symlink_to(entry.target)
        case EntryKind.HARDLINK:
            path.hardlink_to(top / entry.target)
        case _:
            path.write_bytes(entry.data)
            path.chmod(0o755 if entry.mode & 0o100 else 0o644)
