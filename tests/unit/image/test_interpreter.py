from __future__ import annotations

from pathlib import Path

import pytest

from builder.digest import Digest
from builder.errors import BuildError, MissingBlobError, ToolError
from builder.image.interpreter import ensure_interpreter, interpreter_key
from builder.lock.model import BaseLock, LockedDeb, LockedFile
from builder.platform import AMD64, ARM64
from builder.store.artefacts import DirectoryArtefactStore
from builder.store.files import DirectoryFileStore
from tests.support.bases import make_base
from tests.support.debs import Item, make_deb, symlink

PACKAGES = ("python3.13-minimal", "libpython3.13-minimal", "libpython3.13-stdlib", "libc6", "libexpat1", "zlib1g")
LOADER = "usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"


class Debs:
    """A file store filled with made-up debs, and the base lock that names them."""

    def __init__(self, root: Path, *, says: str = "3.13.5", revision: str = "3.13.5-2") -> None:
        self.files = DirectoryFileStore(root)
        self.artefacts = DirectoryArtefactStore(root, durable=False)
        self._says = says
        self.lock = BaseLock(
            name="made-up",
            inputs=Digest.of(b""),
            release="trixie",
            python_version="3.13.5",
            glibc="2.41",
            created=0,
            releases=(),
            debs=tuple(self._add(package, revision) for package in PACKAGES),
            base=make_base(),
        )

    def _add(self, package: str, version: str) -> LockedDeb:
        items = [Item(name=f"./usr/share/doc/{package}/copyright")]
        if package == "libc6":
            # Stands in for the dynamic loader: it is given the program and its arguments.
            script = f'#!/bin/sh\n[ "$1" = --library-path ] && [ -e "$3" ] && echo {self._says}\n'
            items.append(Item(name=f"./{LOADER}", data=script.encode(), mode=0o755))
            items.append(Item(name="./usr/lib/x86_64-linux-gnu/gconv/BIG.so"))
        if package == "python3.13-minimal":
            items.append(Item(name="./usr/bin/python3.13", mode=0o755))
            items.append(symlink("./usr/bin/python3.13-again", "python3.13"))
        control = f"Package: {package}\nVersion: {version}\nArchitecture: amd64\nDescription: made up\n"
        data = make_deb(items, control=control)
        name = f"{package}_{version}_amd64.deb"
        return LockedDeb(
            package=package,
            version=version,
            architecture="amd64",
            source=package,
            suite="trixie",
            pool_path=f"pool/{name}",
            file=LockedFile(name=name, size=len(data), sha256=self.files.add(data)),
            platforms=(AMD64,),
        )


def test_interpreter_is_unpacked_once_and_started_by_its_own_loader(tmp_path: Path) -> None:
    debs = Debs(tmp_path)
    first = ensure_interpreter(debs.lock, debs.files, debs.artefacts, AMD64)
    again = ensure_interpreter(debs.lock, DirectoryFileStore(tmp_path / "empty"), debs.artefacts, AMD64)

    root = Path(first.env["PYTHONHOME"]).parent
    assert again == first
    assert first.argv[:4] == (
        str(root / LOADER),
        "--library-path",
        str(root / "usr/lib/x86_64-linux-gnu"),
        str(root / "usr/bin/python3.13"),
    )
    assert "-I" not in first.argv
    assert (root / "usr/bin/python3.13-again").is_symlink()
    assert not (root / "usr/share").exists()
    assert not (root / "usr/lib/x86_64-linux-gnu/gconv").exists()


def test_another_version_than_the_locks_is_refused_and_not_kept(tmp_path: Path) -> None:
    debs = Debs(tmp_path, says="3.13.4")

    with pytest.raises(ToolError, match=r"says '3\.13\.4', the lock says 3\.13\.5"):
        ensure_interpreter(debs.lock, debs.files, debs.artefacts, AMD64)
    assert not list((tmp_path / "artefacts").glob("**/python3.13"))


def test_base_that_is_not_locked_for_this_machine_is_named(tmp_path: Path) -> None:
    debs = Debs(tmp_path)

    with pytest.raises(BuildError) as failed:
        ensure_interpreter(debs.lock, debs.files, debs.artefacts, ARM64)

    assert "python3.13-minimal" in failed.value.message
    assert failed.value.context == "locks/base.made-up.toml"
    assert "linux/arm64" in failed.value.hint


def test_deb_that_was_not_fetched_is_missing(tmp_path: Path) -> None:
    debs = Debs(tmp_path)

    with pytest.raises(MissingBlobError):
        ensure_interpreter(debs.lock, DirectoryFileStore(tmp_path / "empty"), debs.artefacts, AMD64)


def test_key_says_version_and_debians_revision_but_not_a_rebuild_for_one_architecture(tmp_path: Path) -> None:
    plain = Debs(tmp_path, revision="3.13.5-2+deb13u5").lock
    rebuilt = Debs(tmp_path, revision="3.13.5-2+deb13u5+b1").lock

    assert interpreter_key(plain) == "cpython-3.13.5-debian-3.13.5-2+deb13u5"
    assert interpreter_key(rebuilt) == interpreter_key(plain)
