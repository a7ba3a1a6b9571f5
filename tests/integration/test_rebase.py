"""`core` put on a base with a patched package: every layer of distributions kept, and refused where a library is gone."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from builder.digest import Digest
from builder.lock.base import dump_base_lock, parse_base_lock
from builder.lock.model import BaseLock, LockedDeb, LockedFile
from builder.store.files import DirectoryFileStore
from tests.conftest import Kubler, fetch_files
from tests.support.filled_store import borrow_cache
from tests.support.tools import ROOT, require_tool

pytestmark = [pytest.mark.network, pytest.mark.slow]


class Copy:
    """This project's stacks and locks, elsewhere, with a cache that holds what the user's does."""

    def __init__(self, root: Path, cache: Path) -> None:
        self.root = root
        self.env = {**os.environ, **borrow_cache(cache)}
        self.store = DirectoryFileStore(cache)
        shutil.copytree(ROOT / "stacks", root / "stacks")
        (root / "locks").mkdir()
        for path in (ROOT / "locks").glob("*.*"):
            shutil.copy(path, root / "locks")

    def run(self, *words: str, status: int = 0) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "builder", "--project", str(self.root), *words],
            cwd=ROOT,
            env=self.env,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        assert done.returncode == status, f"{words}: {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-4000:]}"
        return done.stdout

    def change_base(self, change: Callable[[BaseLock], BaseLock]) -> None:
        path = self.root / "locks/base.trixie.toml"
        path.write_bytes(dump_base_lock(change(parse_base_lock(path.read_bytes(), file="base"))))

    def lock(self, name: str) -> bytes:
        return (self.root / f"locks/pylock.{name}.toml").read_bytes()


@pytest.fixture
def copy(kubler: Kubler, tmp_path: Path) -> Copy:
    fetch_files(kubler, "core")
    return Copy(tmp_path / "project", tmp_path / "cache")


def patched(deb: LockedDeb, store: DirectoryFileStore, folder: Path) -> LockedDeb:
    """Make the package again, of another version and with another file in it."""
    tree = folder / deb.file.name
    require_tool("dpkg-deb")
    (folder / "in.deb").write_bytes(store.read(deb.file))
    subprocess.run(["dpkg-deb", "-R", folder / "in.deb", tree], check=True)
    control, version = tree / "DEBIAN/control", f"{deb.version}+patched1"
    control.write_text(control.read_text().replace(f"Version: {deb.version}\n", f"Version: {version}\n"))
    notice = tree / "usr/share/doc" / deb.package / "copyright"
    notice.write_text(f"{notice.read_text()}\npatched\n")
    out = folder / "out.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "-Zxz", "-b", tree, out], check=True, stdout=subprocess.DEVNULL)
    data = out.read_bytes()
    name = deb.file.name.replace(deb.version, version)
    file = LockedFile(name=name, size=len(data), sha256=store.add(data))
    return replace(deb, version=version, pool_path=f"{deb.pool_path.rpartition('/')[0]}/{name}", file=file)


def layers(layout: Path) -> list[str]:
    """List the digests of layers with distributions."""
    from builder.image.layout_reader import FolderLayout
    from builder.oci.layout import parse_layout

    return [
        str(layer.digest)
        for image in parse_layout(FolderLayout(layout)).platforms
        for layer, line in zip(image.manifest.layers, image.config.history, strict=True)
        if "==" in line.created_by
    ]


def test_a_patched_base_keeps_every_layer_of_distributions(copy: Copy, tmp_path: Path) -> None:
    copy.run("build", "core")
    before, old = layers(copy.root / "build/core"), copy.lock("core")
    copy.change_base(
        lambda base: replace(
            base,
            debs=tuple(patched(deb, copy.store, tmp_path) if deb.package == "hostname" else deb for deb in base.debs),
        )
    )
    (told,) = json.loads(copy.run("rebase", "core", "--json"))
    assert told["moved"]
    assert told["verdict"]["compatible"]
    assert told["verdict"]["native_files"] > 100
    assert layers(copy.root / "build/core") == before
    assert [change["new"] for change in told["layers"]] == [[], []]
    assert copy.lock("core") != old
    assert "stack core: fresh" in copy.run("lock", "--check", "core")
    assert "is what the lock of core gives" in copy.run("verify", "core")
    assert copy.run("run", "core", "--", "airflow", "version").strip().endswith("3.3.2")
    # Children are stale until they are rebased, too; their own layers stay.
    told = json.loads(copy.run("rebase", "--no-build", "--json"))
    assert {"aws", "gcp", "analytics"} <= {one["verdict"]["stack"] for one in told if one["moved"]}
    assert json.loads(copy.run("rebase", "--json", "--no-build")) == []


def test_a_base_without_a_needed_library_is_refused_by_name(copy: Copy) -> None:
    old = copy.lock("core")
    copy.change_base(lambda base: replace(base, debs=tuple(deb for deb in base.debs if deb.package != "libstdc++6")))
    told: Any = json.loads(copy.run("rebase", "core", "--json", status=1))
    missing = told[0]["verdict"]["missing"]
    assert {one["library"] for one in missing} == {"libstdc++.so.6"}
    assert any(one["distribution"].startswith("grpcio==") for one in missing)
    assert "needs libstdc++.so.6" in copy.run("rebase", "core", status=1)
    assert copy.lock("core") == old
    assert not (copy.root / "build").exists()


def test_more_than_a_base_is_left_to_lock(copy: Copy) -> None:
    toml = copy.root / "stacks/core/stack.toml"
    toml.write_text(
        toml.read_text().replace("compression", "# compression").replace("[image]", "[image]\nlayers = 40", 1)
    )
    copy.change_base(lambda base: replace(base, created=base.created + 1))
    old = Digest.of(copy.lock("core"))
    done = subprocess.run(
        [sys.executable, "-m", "builder", "--project", str(copy.root), "rebase", "core"],
        cwd=ROOT,
        env=copy.env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert "more than the base has moved" in done.stderr
    assert Digest.of(copy.lock("core")) == old
