"""kill -9 amid push and pull, and a disk that is full: nothing corrupt is kept, and the next run ends whole and sends no blob twice."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.killing import run_whole
from tests.support.registries import Asked, Fault, SmallRegistry, skopeo
from tests.support.registry_images import write_real_layout
from tests.support.tools import ROOT, give_up, registry, require_root, require_tool, run_tool, wait_until

pytestmark = [pytest.mark.slow]
LARGE = 6
ENV = {name: value for name, value in os.environ.items() if not name.startswith(("DOCKER_", "REGISTRY_"))}


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("killed") / "layout"
    write_real_layout(folder, large=LARGE)
    return folder


def push_argv(host: str, layout: Path) -> list[str]:
    words = ("push", f"{host}/image", "img", "--layout", str(layout), "--tag", "t", "--no-dated", "--json")
    return [sys.executable, "-m", "builder", *words]


def pull_argv(host: str, folder: Path) -> list[str]:
    return [sys.executable, "-m", "builder", "pull", f"{host}/image:t", "-o", str(folder), "--json"]


def hang_at(number: int, method: str, part: str, first: Fault) -> Callable[[Asked], Fault | None]:
    """Bend the answer to one question of a kind, and keep all that come later waiting."""
    seen = 0

    def fault(asked: Asked) -> Fault | None:
        nonlocal seen
        if seen >= number:
            return Fault(status=503, pause_s=3)
        seen += asked.method == method and part in asked.path
        return first if seen == number else None

    return fault


def kill_when(registry: SmallRegistry, argv: list[str], number: int, method: str, part: str) -> None:
    """Run a command until a question has come so often, and kill it a moment later."""
    process = subprocess.Popen(
        argv, cwd=ROOT, env=ENV, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        wait_until(lambda: registry.count(method, part) >= number, timeout_s=30, what=f"{method} {part} {number}")
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.1)
    finally:
        process.kill()
        process.wait()


def blobs_of(folder: Path) -> dict[str, str]:
    """Give name and hash of each blob, and of what has no such name."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("blobs/sha256/*")}


@pytest.mark.parametrize(
    ("number", "part"), [(1, "/manifests/"), (2, "/manifests/"), (1, "/blobs/"), (4, "/blobs/"), (LARGE + 4, "/blobs/")]
)
def test_killed_pull_goes_on_with_what_is_missing(layout: Path, tmp_path: Path, number: int, part: str) -> None:
    pulled = tmp_path / "pulled"
    with SmallRegistry() as served:
        run_whole(push_argv(served.host, layout), ENV, ROOT)
        served.asked.clear()
        served.fault = hang_at(number, "GET", part, Fault(stop_after=1 << 20 if number <= LARGE else 100))
        kill_when(served, pull_argv(served.host, pulled), number, "GET", part)
        kept = {name: actual for name, actual in blobs_of(pulled).items() if not name.startswith(".")}
        assert all(name == actual for name, actual in kept.items())
        assert not (pulled / "index.json").exists()
        if (number, part) == (LARGE + 4, "/blobs/"):
            assert len(kept) >= LARGE - 3

        served.fault = lambda _: None
        served.asked.clear()
        whole = json.loads(run_whole(pull_argv(served.host, pulled), ENV, ROOT).stdout)
        fetched = {asked.path.rpartition(":")[2] for asked in served.asked if "/blobs/" in asked.path}
    assert whole["digest"] == f"sha256:{root_of(layout)}"
    assert fetched.isdisjoint(kept)
    assert blobs_of(pulled) == blobs_of(layout)


def test_pull_that_was_killed_amid_a_large_blob_does_not_begin_it_anew(layout: Path, tmp_path: Path) -> None:
    pulled, argv = tmp_path / "pulled", ["--workers", "1"]
    with SmallRegistry() as served:
        run_whole(push_argv(served.host, layout), ENV, ROOT)
        served.asked.clear()
        served.fault = hang_at(1, "GET", "/blobs/", Fault(stop_after=4 << 20))
        # Once the connection has broken off it asks for the rest, and is killed while it waits for that.
        kill_when(served, [*pull_argv(served.host, pulled), *argv], 2, "GET", "/blobs/")
        (part,) = pulled.glob("blobs/sha256/.new-*")
        size = part.stat().st_size
        assert size > 3 << 20
        served.fault = lambda _: None
        served.asked.clear()
        run_whole([*pull_argv(served.host, pulled), *argv], ENV, ROOT)
        ranges = {
            asked.path.rpartition(":")[2]: asked.headers.get("range")
            for asked in served.asked
            if "/blobs/" in asked.path
        }
    assert ranges.pop(part.name.removeprefix(".new-")) == f"bytes={size}-"
    assert set(ranges.values()) == {None}
    assert blobs_of(pulled) == blobs_of(layout)


@pytest.mark.tools
def test_real_registry_continues_what_a_killed_pull_left_and_damage_begins_anew(layout: Path, tmp_path: Path) -> None:
    with registry(tmp_path) as served:
        run_whole(push_argv(served.host, layout), ENV, ROOT)
        for number, flip in enumerate((0, 1)):
            pulled = tmp_path / f"pulled{number}"
            large = max((layout / "blobs/sha256").iterdir(), key=lambda path: path.stat().st_size)
            left = pulled / "blobs/sha256" / f".new-{large.name}"
            left.parent.mkdir(parents=True)
            (pulled / "oci-layout").write_bytes((layout / "oci-layout").read_bytes())
            data = bytearray(large.read_bytes()[: 4 << 20])
            data[0] ^= flip
            left.write_bytes(data)
            run_whole(pull_argv(served.host, pulled), ENV, ROOT)
            assert blobs_of(pulled) == blobs_of(layout)


def root_of(layout: Path) -> str:
    digest: str = json.loads((layout / "index.json").read_bytes())["manifests"][0]["digest"]
    return digest.partition(":")[2]


PUSH_MOMENTS = [
    (1, "HEAD", "/blobs/"),
    (1, "POST", "/uploads/"),
    (1, "PUT", "/uploads/"),
    (4, "PUT", "/uploads/"),
    (LARGE, "PUT", "/uploads/"),
    (1, "PUT", "/manifests/"),
    (3, "PUT", "/manifests/"),
    (4, "PUT", "/manifests/"),
]


@pytest.mark.parametrize(("number", "method", "part"), PUSH_MOMENTS)
def test_killed_push_sends_only_what_is_missing(layout: Path, number: int, method: str, part: str) -> None:
    with SmallRegistry() as served:
        amid_blob = part == "/uploads/" and method == "PUT" and number < LARGE
        # Longer than it can take to notice the question here, and nobody waits for it.
        first = Fault(reset_reading=1 << 20) if amid_blob else Fault(pause_s=5)
        served.fault = hang_at(number, method, part, first)
        kill_when(served, push_argv(served.host, layout), number, method, part)
        there = {digest for _, digest in served.state.blobs}
        if (method, number) != ("PUT", 4):
            assert served.state.tags == {}
        for data, _ in served.state.manifests.values():
            value = json.loads(data)
            named = [*value.get("layers", ()), *([value["config"]] if "config" in value else ())]
            assert {entry["digest"] for entry in named} <= there

        served.fault = lambda _: None
        served.asked.clear()
        run_whole(push_argv(served.host, layout), ENV, ROOT)
        sent = {asked.query["digest"][0] for asked in served.asked if asked.method == "PUT" and "digest" in asked.query}
        assert sent.isdisjoint(there)
        assert served.state.tags == {("image", "t"): f"sha256:{root_of(layout)}"}
        names = {path.name for path in (layout / "blobs/sha256").iterdir()}
        assert {d.partition(":")[2] for _, d in (*served.state.blobs, *served.state.manifests)} == names


@pytest.mark.tools
def test_real_registry_holds_a_whole_image_after_pushes_killed_at_any_time(layout: Path, tmp_path: Path) -> None:
    with registry(tmp_path) as served:
        for after_s in (0.3, 0.4, 0.5, 0.6, 0.7):
            process = subprocess.Popen(
                push_argv(served.host, layout), cwd=ROOT, env=ENV, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            try:
                process.wait(after_s)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        run_whole(push_argv(served.host, layout), ENV, ROOT)
        copied = tmp_path / "copied"
        skopeo(
            "copy",
            "--all",
            "--preserve-digests",
            "--src-tls-verify=false",
            f"docker://{served.host}/image:t",
            f"oci:{copied}:t",
        )
        run_tool(require_tool("crane"), "validate", "--remote", f"{served.host}/image:t")
    assert blobs_of(copied) == blobs_of(layout)


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    require_root("mounting a file system needs it")
    folder.mkdir()
    mount = require_tool("mount")
    if subprocess.run([mount, "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", folder], check=False).returncode:
        give_up("no file system may be mounted here")
    try:
        yield folder
    finally:
        run_tool("umount", folder)


@pytest.mark.tools
def test_full_disk_is_told_and_more_room_is_enough_to_go_on(layout: Path, tmp_path: Path) -> None:
    with SmallRegistry() as served, small_disk(tmp_path / "disk", 2 * 5 + 3) as disk:
        run_whole(push_argv(served.host, layout), ENV, ROOT)
        argv = [*pull_argv(served.host, disk / "pulled"), "--workers", "1"]
        full = subprocess.run(argv, cwd=ROOT, env=ENV, capture_output=True, text=True, check=False)
        assert full.returncode == 4
        assert "No space left on device" in full.stderr
        assert f"{disk}/pulled/blobs/sha256/" in full.stderr
        assert "make room" in full.stderr
        kept = blobs_of(disk / "pulled")
        assert kept
        assert all(name == actual for name, actual in kept.items())
        assert not (disk / "pulled/index.json").exists()

        run_tool(require_tool("mount"), "-o", "remount,size=100m", disk)
        served.asked.clear()
        run_whole(argv, ENV, ROOT)
        fetched = {asked.path.rpartition(":")[2] for asked in served.asked if "/blobs/" in asked.path}
        assert fetched.isdisjoint(kept)
        assert blobs_of(disk / "pulled") == blobs_of(layout)
