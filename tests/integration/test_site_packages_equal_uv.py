"""What we unpack is what uv installs from the same wheels.

Left out of the comparison, since they say who installed and how: bytecode, and of each distribution's own dist-info the
files INSTALLER, RECORD, REQUESTED, direct_url.json and uv_cache.json; and the .lock by which uv keeps others out. RECORD is compared by the paths that it names; the
hashes in ours are checked against our files. Scripts name the Python that they are installed for in their first line:
uv's is replaced by ours.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import os
import posixpath
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from uv import find_uv_bin

from builder.platform import PLATFORMS
from builder.project import Project
from tests.conftest import Built
from tests.support.core_image import SITE, Layers, stack_lock
from tests.support.tools import ROOT

pytestmark = [pytest.mark.network, pytest.mark.slow]

_PREFIX = "home/airflow/.local/"
_SHEBANG = b"#!/home/airflow/.local/bin/python\n"
_ABOUT_THE_INSTALLER = ("INSTALLER", "RECORD", "REQUESTED", "direct_url.json", "uv_cache.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """Files of an installation, by path in the image."""

    digests: Mapping[str, str]
    """As RECORD writes sha256."""
    records: Mapping[str, bytes]
    """RECORD files."""

    def recorded(self, site: str) -> dict[str, set[str]]:
        """Give the paths that each RECORD names, its own kind aside."""
        return {
            path: {name for name, _ in rows(data, site) if not _is_about_the_installer(name, site)}
            for path, data in self.records.items()
        }


@pytest.fixture(scope="module")
def site() -> str:
    """The folder of distributions in the image."""
    return SITE.format(python=stack_lock("core").python_version.rpartition(".")[0])


@pytest.fixture(scope="module")
def ours(core: Built, site: str) -> Installed:
    """What core holds for linux/amd64."""
    layers = Layers(folder=core.folder, image=core.platform("amd64"))
    digests, records = {}, {}
    for path, data in layers.contents(lambda path: path.startswith(_PREFIX) and path != f"{_PREFIX}pyvenv.cfg"):
        if posixpath.basename(path) == "RECORD":
            records[path] = data
        if not _is_about_the_installer(path, site) and not path.endswith(".pyc"):
            digests[path] = _digest(data)
    return Installed(digests=digests, records=records)


@pytest.fixture(scope="module")
def theirs(core: Built, site: str, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """What uv makes of the same wheels."""
    del core  # The files are fetched for it.
    target = tmp_path_factory.mktemp("uv") / "target"
    _install(target, tmp_path_factory.mktemp("uv-cache"))
    # A script of an entry point begins with uv's own shebang and the text that follows in all of them.
    shebang = (target / "bin/airflow").read_bytes().partition(b"# -*- coding")[0]
    digests, records = {}, {}
    for file in target.rglob("*"):
        if not file.is_file() or file == target / ".lock":
            continue
        path = _in_image(file.relative_to(target).as_posix(), site)
        data = file.read_bytes()
        if file.parent.name == "bin" and data.startswith(shebang):
            data = _SHEBANG + data.removeprefix(shebang)
        if file.name == "RECORD":
            records[path] = data
        if not _is_about_the_installer(path, site) and file.suffix != ".pyc":
            digests[path] = _digest(data)
    return Installed(digests=digests, records=records)


def _install(target: Path, cache: Path) -> None:
    """Unpack the locked wheels with uv: nothing is resolved, and nothing comes from the network."""
    platform = PLATFORMS["linux/amd64"]
    lock = stack_lock("core")
    locked = [candidate.wheels[platform.name] for candidate in lock.candidates_for(platform)]
    folder = Project(root=ROOT).files_folder
    python = ["--python", sys.executable, "--python-version", lock.python_version.rpartition(".")[0]]
    where = ["--target", str(target), "--cache-dir", str(cache), "--link-mode", "hardlink"]
    subprocess.run(
        [find_uv_bin(), "pip", "install", "--no-config", "--offline", "--no-index", "--no-deps", "--quiet"]
        + [*python, "--python-platform", "x86_64-manylinux_2_40", *where]
        + [str(folder / file.sha256.hex / file.name) for file in locked],
        check=True,
        env={"PATH": os.defpath, "HOME": str(cache)},
    )


def test_files_are_the_same(ours: Installed, theirs: Installed) -> None:
    assert sorted(ours.digests.keys() - theirs.digests.keys()) == []
    assert sorted(theirs.digests.keys() - ours.digests.keys()) == []
    assert [path for path, digest in sorted(ours.digests.items()) if theirs.digests[path] != digest] == []
    assert len(ours.digests) > 10_000


def test_scripts_are_programs(core: Built) -> None:
    tree = Layers(folder=core.folder, image=core.platform("amd64")).tree()
    modes = {path: entry.mode for path, entry in tree.items() if entry.isreg() and path.startswith(f"{_PREFIX}bin/")}
    assert {path for path, mode in modes.items() if mode != 0o755} == set()
    assert f"{_PREFIX}bin/airflow" in modes


def test_records_name_the_same_files(ours: Installed, theirs: Installed, site: str) -> None:
    assert ours.recorded(site) == theirs.recorded(site)


def test_our_records_are_true(ours: Installed, site: str) -> None:
    named: dict[str, str] = {}
    for data in ours.records.values():
        named |= dict(rows(data, site))
    vouched = {path: digest for path, digest in named.items() if not _is_about_the_installer(path, site)}
    assert vouched == ours.digests


def rows(record: bytes, site: str) -> list[tuple[str, str]]:
    """Read a RECORD: paths in the image, and hashes."""
    read = csv.reader(record.decode().splitlines())
    return [(_in_image(path, site), digest) for path, digest, _ in read if not path.endswith(".pyc")]


def _in_image(path: str, site: str) -> str:
    """Say where in the image lies what uv puts below a target folder, or what a RECORD names."""
    if path.startswith("bin/"):
        return _PREFIX + path
    if path.startswith("include/"):
        return f"{_PREFIX}include/site/{site.split('/')[-3]}/{path.removeprefix('include/')}"
    return posixpath.normpath(site + path)


def _is_about_the_installer(path: str, site: str) -> bool:
    folder, _, name = path.removeprefix(site).rpartition("/")
    return folder.endswith(".dist-info") and "/" not in folder and name in _ABOUT_THE_INSTALLER


def _digest(data: bytes) -> str:
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
