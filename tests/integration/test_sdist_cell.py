"""Builds in real cells, on the root folder of a real base: what a build backend may try, and what comes of it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from builder.lock.base import parse_base_lock
from builder.platform import platform_of_machine
from builder.sdist.build import BuildTask, BuiltBytes, SdistBuild
from builder.sdist.cell import Cell, CellLimits
from builder.sdist.errors import Kind, SdistError
from builder.sdist.root import ensure_root
from builder.wheel.archive import read_archive
from builder.wiring.stores import make_artefact_store, make_file_store
from tests.conftest import Kubler, fetch_files
from tests.support.sdists import make_backend_sdist, make_sdist
from tests.support.tools import ROOT, require_root, wait_until

pytestmark = [pytest.mark.network, pytest.mark.slow, pytest.mark.usefixtures("_few_processes")]

LIMITS = CellLimits(wall_s=60, cpu_s=20, memory=1 << 30, file_size=8 << 20, processes=32, scratch=16 << 20)
Build = Callable[..., BuiltBytes]


@pytest.fixture(scope="module")
def root(kubler: Kubler) -> Path:
    fetch_files(kubler, "core-py311")
    base = parse_base_lock((ROOT / "locks/base.bookworm.toml").read_bytes(), file="base")
    return ensure_root(base, make_file_store(), make_artefact_store(), platform_of_machine(os.uname().machine))


@pytest.fixture
def build(root: Path, tmp_path: Path) -> Build:
    def run(data: bytes, **limits: float) -> BuiltBytes:
        return SdistBuild(make_task(root, data, **limits), Cell(tmp_path / "cells")).build_twice(())

    return run


def make_task(root: Path, data: bytes, **limits: float) -> BuildTask:
    return BuildTask(
        project="demo",
        version="1.0",
        file_name="demo-1.0.tar.gz",
        data=data,
        root=root,
        python="3.11",
        limits=replace(LIMITS, **limits),  # type: ignore[arg-type]
    )


def content(built: BuiltBytes) -> str:
    members = read_archive(built.data, file_name=built.file_name)
    return next(member.data.decode() for member in members if member.name == "demo.py")


def test_the_cell_holds_no_more_than_is_said(build: Build) -> None:
    """One build that looks at everything it can see, so that one run shows it all."""
    code = """
import json, socket, pwd
def attempt(function):
    try:
        return str(function())
    except Exception as error:
        return type(error).__name__
status = open("/proc/self/status").read()
seen = {
    "env": dict(os.environ),
    "home": os.path.expanduser("~"),
    "user": attempt(lambda: pwd.getpwuid(os.getuid())),
    "cwd": os.getcwd(),
    "caps": sorted({line.split()[1] for line in status.splitlines() if line[:6] in ("CapPrm", "CapEff")}),
    "no new privileges": "NoNewPrivs:\\t1" in status,
    "connect": attempt(lambda: socket.create_connection(("192.0.2.1", 80), 3)),
    "name": attempt(lambda: socket.gethostbyname("example.org")),
    "interfaces": [name for _, name in socket.if_nameindex()],
    "processes": sorted(int(name) for name in os.listdir("/proc") if name.isdecimal()),
    "write root": attempt(lambda: open("/usr/lib/x", "w")),
    "write source": attempt(lambda: open("/build/sdist/x", "w")),
    "write requires": attempt(lambda: open("/build/requires/x", "w")),
    "shadow": attempt(lambda: open("/etc/shadow").read()),
    "mount": attempt(lambda: os.mkdir("/build/out/m")),
    "homes": os.listdir("/home") if os.path.isdir("/home") else [],
    "devices": sorted(os.listdir("/dev")),
}
"""
    built = build(make_backend_sdist(code, content="json.dumps(seen)"))
    seen = json.loads(content(built))
    # Neither HOME nor anything of this process: names and values are the same on every machine. LC_CTYPE is Python's own.
    assert seen["env"].pop("LC_CTYPE", "C.UTF-8") == "C.UTF-8"
    assert seen["env"] == {
        "LC_ALL": "C.UTF-8",
        "PATH": "/build/requires/bin:/usr/bin:/bin",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONHASHSEED": "0",
        "SOURCE_DATE_EPOCH": "1790000000",
        "TZ": "UTC",
    }
    assert (seen["home"], seen["user"], seen["cwd"]) == ("~", "KeyError", "/build/src")
    assert (seen["caps"], seen["no new privileges"]) == (["0" * 16], True)
    assert (seen["connect"], seen["name"], seen["interfaces"]) == ("OSError", "gaierror", ["lo"])
    assert seen["processes"] == [1]
    assert {seen[f"write {place}"] for place in ("root", "source", "requires")} == {"OSError"}
    assert seen["shadow"] in {"PermissionError", "root:*:::::::\n"} or "airflow:!" in seen["shadow"]
    assert not {"sda", "vda", "mem", "kmsg", "fuse"} & set(seen["devices"])


@pytest.mark.parametrize(
    ("code", "kind", "message"),
    [
        ("import time; time.sleep(600)", Kind.TIME, "took more than 3 s"),
        ("if os.fork(): import time; time.sleep(600)", Kind.TIME, "took more than 3 s"),
        ("import subprocess; subprocess.run(['gcc', '-c', 'x.c'], check=True)", Kind.COMPILER, "needs a compiler"),
        ("open('/tmp/big', 'wb').write(bytes(12 << 20))", Kind.FAILED, "too large a file|File too large"),
        ("[open(f'/tmp/{n}', 'wb').write(bytes(4 << 20)) for n in range(9)]", Kind.FAILED, "No space left"),
        ("bytearray(3 << 30)", Kind.FAILED, "MemoryError"),
        ("raise SystemExit('\\x1b[31mred\\x07')", Kind.FAILED, r"\\x1b\[31mred\\x07"),
        ("os._exit(0)", Kind.FAILED, "without an answer"),
        ("open('/build/result', 'w').write('[]'); os._exit(0)", Kind.FAILED, "without an answer"),
        ("import socket; socket.create_connection(('192.0.2.1', 443), 3)", Kind.FAILED, "Network is unreachable"),
        ("open(os.environ['HOME'] + '/.netrc')", Kind.FAILED, "KeyError: 'HOME'"),
        ("open('/usr/bin/python3.11', 'a')", Kind.FAILED, "(?:Read-only file system|Permission denied)"),
    ],
)
def test_what_builds_may_not_is_refused(build: Build, code: str, kind: Kind, message: str) -> None:
    with pytest.raises(SdistError, match=message) as refused:
        build(make_backend_sdist(code), wall_s=3 if kind is Kind.TIME else 60)
    assert refused.value.kind is kind
    assert refused.value.hint


def test_a_fork_bomb_meets_its_limit_and_nothing_of_it_is_left(build: Build) -> None:
    require_root("the user that builds run as is then one of its own")
    code = "import time\nwhile True:\n    if os.fork() == 0:\n        time.sleep(7919.5)"
    with pytest.raises(SdistError, match=r"BlockingIOError|Resource temporarily unavailable"):
        build(make_backend_sdist(code))
    # What others build at the moment ends by itself; what the bomb leaves would sleep on.
    seen = processes_of_builds()
    wait_until(lambda: not seen & processes_of_builds(), timeout_s=120, what="the end of all processes of the build")


def processes_of_builds() -> set[str]:
    return {name for name in os.listdir("/proc") if name.isdecimal() and _uid(name) == 61184}  # noqa: PTH208


def _uid(process: str) -> int:
    try:
        return Path("/proc", process).stat().st_uid
    except OSError:
        return -1


def test_processor_time_ends(build: Build) -> None:
    with pytest.raises(SdistError, match=r"processor time|killed"):
        build(make_backend_sdist("while True: pass"), cpu_s=2)


@pytest.mark.parametrize("content_code", ["os.urandom(8).hex()", "str(__import__('time').time_ns())"])
def test_a_build_that_gives_another_wheel_each_time_is_refused(build: Build, content_code: str) -> None:
    with pytest.raises(SdistError, match=r"two builds differ in demo\.py") as refused:
        build(make_backend_sdist(content=content_code))
    assert refused.value.kind is Kind.NOT_REPRODUCIBLE


def test_order_of_folders_hashes_and_umask_are_the_same_each_time(build: Build) -> None:
    code = "mode = os.umask(0)"
    first = build(make_backend_sdist(code, content="repr((os.listdir('.'), list({'a', 'b', 'c'}), mode, os.getuid()))"))
    assert content(first).startswith("(['")


def test_a_wheel_for_one_machine_is_refused_with_the_way_out(build: Build) -> None:
    with pytest.raises(SdistError, match="native code") as refused:
        build(make_backend_sdist(tag="cp311-cp311-linux_x86_64"))
    assert refused.value.kind is Kind.COMPILER
    assert "debian.compilers = [" in refused.value.hint


def test_no_backend_to_import_says_what_python_said(build: Build) -> None:
    toml = b'[build-system]\nrequires = []\nbuild-backend = "absent.backend"\n'
    with pytest.raises(SdistError, match="No module named 'absent'"):
        build(make_sdist({"pyproject.toml": toml}))


def test_another_folder_time_zone_umask_and_kind_of_namespace_give_the_same_bytes(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = make_task(root, make_backend_sdist(content="repr((sorted(os.environ.items()), os.getuid(), os.getcwd()))"))
    first = SdistBuild(task, Cell(tmp_path / "here")).build_twice(())
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    before = os.umask(0o077)
    try:
        assert SdistBuild(task, Cell(tmp_path / "a/longer place", as_root=False)).build_twice(()) == first
    finally:
        os.umask(before)
