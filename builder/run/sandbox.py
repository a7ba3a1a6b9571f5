"""What engines that start from an unpacked root folder need on disk for one run; gone when it ends."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from builder.errors import InvalidInputError
from builder.run.foreground import capture
from builder.run.model import AIRFLOW_HOME, SCRATCH, RunWish


@dataclass(frozen=True, slots=True, kw_only=True)
class Sandbox:
    """Folders of one run."""

    folder: Path
    """For the engine's own files."""
    root: Path
    home: Path
    """What is seen at AIRFLOW_HOME."""
    hosts: Path
    """What is seen as /etc/hosts: without a network `localhost` must have an address, too."""

    def write_private(self, name: str, text: str) -> Path:
        """Write a file of the engine's that only its user may read: variables may hold passwords, and the folder is open."""
        path = self.folder / name
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "w") as stream:
            stream.write(text)
        return path


@contextmanager
def make_sandbox(rootfs: Path, wish: RunWish) -> Iterator[Sandbox]:
    """Prepare one run.

    Args:
        rootfs: the image's root folder, shared by all runs and never written to.
        wish: what the caller wants.

    Raises:
        InvalidInputError: a volume is missing, or has no place in the container.
    """
    folder = Path(tempfile.mkdtemp(prefix="airflow-kubler-run-"))
    try:
        folder.chmod(0o711)
        root = rootfs
        if not wish.read_only:
            root = folder / "root"
            capture(["cp", "-a", "--reflink=auto", str(rootfs), str(root)], "copying the root folder")
        home = wish.home or folder / "home"
        _fill_home(rootfs, home)
        for volume in wish.volumes:
            if not volume.source.exists():
                raise InvalidInputError(f"{volume.source} is not there", context="--volume")
            _make_mount_point(root, home, volume.target, folder=volume.source.is_dir(), may_make=not wish.read_only)
        hosts = folder / "hosts"
        hosts.write_text(_hosts(wish))
        yield Sandbox(folder=folder, root=root, home=home, hosts=hosts)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _hosts(wish: RunWish) -> str:
    own = f"127.0.0.1 localhost\n::1 localhost\n127.0.1.1 {os.uname().nodename}\n"
    path = Path("/etc/hosts")
    return path.read_text(errors="replace") + own if wish.network == "host" and path.is_file() else own


def _fill_home(rootfs: Path, home: Path) -> None:
    """Make a missing or empty AIRFLOW_HOME from the image's own, writable for the image's user and group 0."""
    if home.exists() and (not home.is_dir() or any(home.iterdir())):
        return
    original = rootfs / AIRFLOW_HOME.removeprefix("/")
    home.mkdir(parents=True, exist_ok=True)
    shutil.copytree(original, home, symlinks=True, dirs_exist_ok=True)
    if os.geteuid() == 0:
        for path in (original, *original.rglob("*")):
            status = path.lstat()
            os.chown(home / path.relative_to(original), status.st_uid, status.st_gid, follow_symlinks=False)


def _make_mount_point(root: Path, home: Path, target: str, *, folder: bool, may_make: bool) -> None:
    place = _below(root, target.removeprefix("/"), target)
    if target == AIRFLOW_HOME or target.startswith(f"{AIRFLOW_HOME}/"):
        place, may_make = _below(home, target.removeprefix(AIRFLOW_HOME).removeprefix("/"), target), True
    elif target.startswith(tuple(f"{path}/" for path in SCRATCH)):
        raise InvalidInputError(f"cannot mount on {target}", context="--volume", hint=f"mount below {AIRFLOW_HOME}")
    if place.exists():
        return
    if not may_make:
        raise InvalidInputError(
            f"{target} is not there in the image, whose root is read-only",
            context="--volume",
            hint=f"mount below {AIRFLOW_HOME} or on a folder that the image has, or run with --writable",
        )
    place.parent.mkdir(parents=True, exist_ok=True)
    if folder:
        place.mkdir()
    else:
        place.touch()


def _below(top: Path, relative: str, target: str) -> Path:
    """Name a place below a folder. Links on the way are refused: they mean paths of the container, and lead out here."""
    place = top
    for part in Path(relative).parts:
        place /= part
        if part == ".." or place.is_symlink():
            raise InvalidInputError(
                f"{target} leads through a link or upwards", context="--volume", hint="name the folder itself"
            )
    return place
