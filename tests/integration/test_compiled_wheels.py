"""Sdists with native code, compiled by BuildKit of a real dockerd on the base's debs and its compilers."""

from __future__ import annotations

import json
import os
import shutil
import tomllib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from builder.digest import Digest
from builder.lock.base import parse_base_lock
from builder.lock.model import LockedFile
from builder.platform import AMD64
from builder.sdist.build import BuildTask, BuiltBytes, SdistBuild
from builder.sdist.cell import CellLimits
from builder.sdist.compile_cell import CompileCell
from builder.sdist.errors import Kind, SdistError
from builder.sdist.root import ensure_root
from builder.usecase.build_sdist import check_libraries
from builder.wiring.fetching import make_build_room
from builder.wiring.stores import make_artefact_store, make_file_store
from tests.support.filled_store import borrow_cache
from tests.support.sdists import make_backend_sdist
from tests.support.tools import ROOT, Registry, give_up, run_tool

pytestmark = [
    pytest.mark.tools,
    pytest.mark.network,
    pytest.mark.slow,
    pytest.mark.usefixtures("_few_processes"),
]

LIMITS = CellLimits(wall_s=30, cpu_s=10, memory=1 << 30, file_size=8 << 20, processes=64)
CHECK = "import ldap, _ldap, airflow; print(ldap.__version__, _ldap.__file__)"
TAG = "cp313-cp313-linux_x86_64"


def kubler(project: Path, env: dict[str, str], *arguments: str) -> str:
    return run_tool(ROOT / ".venv/bin/python", "-m", "builder", "--project", project, *arguments, env=env)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, docker: dict[str, str]) -> Path:
    """The example, locked: its wheel was compiled, or was compiled before and is in the store."""
    if os.uname().machine != "x86_64":
        give_up("the example is for linux/amd64")
    project = tmp_path_factory.mktemp("compiled") / "project"
    shutil.copytree(ROOT / "examples/compiled", project, ignore=shutil.ignore_patterns("locks", "build"))
    kubler(project, docker, "lock", "--base", "trixie-ldap")
    kubler(project, docker, "lock", "ldap")
    return project


@pytest.fixture
def compile_sdist(project: Path, docker: dict[str, str], tmp_path: Path) -> Callable[..., BuiltBytes]:
    return make_compile(project, docker, tmp_path)


def make_compile(project: Path, docker: dict[str, str], tmp_path: Path) -> Callable[..., BuiltBytes]:
    """Make what compiles an sdist by a docker."""
    base = parse_base_lock((project / "locks/base.trixie-ldap.toml").read_bytes(), file="base")
    root = ensure_root(base, make_file_store(), make_artefact_store(), AMD64, compiling=True)

    def run(data: bytes, **limits: float) -> BuiltBytes:
        task = BuildTask(
            project="demo",
            version="1.0",
            file_name="demo-1.0.tar.gz",
            data=data,
            root=root,
            python="3.13",
            limits=replace(LIMITS, **limits),  # type: ignore[arg-type]
            machine="x86_64",
        )
        return SdistBuild(task, CompileCell({**os.environ, **docker}, tmp_path)).build_twice(())

    return run


def test_an_image_loads_what_was_compiled(project: Path, docker: dict[str, str], tmp_path: Path) -> None:
    lock = (project / "locks/pylock.ldap.toml").read_text()
    assert "-cp313-cp313-linux_x86_64.whl" in lock
    assert 'compilers = "' in lock
    kubler(project, docker, "fetch", "ldap")
    borrowed = {**docker, **borrow_cache(tmp_path)}
    said = kubler(project, borrowed, "run", "ldap", "--", "python", "-c", CHECK)
    assert "/home/airflow/.local/lib/python3.13/site-packages/" in said


def test_who_has_the_wheel_needs_no_docker(project: Path, docker: dict[str, str]) -> None:
    nowhere = {**docker, "DOCKER_HOST": "unix:///nonexistent/docker.sock"}
    kubler(project, nowhere, "fetch", "ldap")
    kubler(project, nowhere, "build", "ldap", "-o", str(project / "out"))


def test_each_docker_compiles_the_same_wheel_and_its_cache_goes_by_dockers_own_command(
    project: Path, each_docker: dict[str, str], tmp_path: Path
) -> None:
    made = make_compile(project, each_docker, tmp_path)(make_backend_sdist("", tag=TAG))
    assert Digest.of(made.data).hex == "50062afd63f64da1223c2268785e975d3d9829436be7e4d359cc59ecbc569c3e"
    listed = ("docker", "image", "ls", "--quiet", "airflow-kubler/build-root")
    assert len(run_tool(*listed, env=each_docker).split()) == 1
    run_tool("docker", "image", "prune", "--all", "--force", "--filter", "label=airflow-kubler.cache", env=each_docker)
    assert run_tool(*listed, env=each_docker) == ""


def test_the_wheel_is_compiled_again_from_the_archive_alone(
    project: Path, buildx: dict[str, str], local_registry: Registry, tmp_path: Path
) -> None:
    kubler(project, buildx, "fetch", "ldap", "--sources")
    kubler(project, buildx, "build", "ldap")
    repository = f"{local_registry.host}/team/compiled"
    pushed = json.loads(kubler(project, buildx, "push", repository, "ldap", "--json"))["reference"]
    kubler(project, buildx, "archive", "push", pushed)
    titles = {one["title"] for one in json.loads(kubler(project, buildx, "archive", "ls", pushed, "--json"))["inputs"]}
    assert any(title.startswith("debs/gcc_") for title in titles)
    assert "sdists/python_ldap-3.4.8.tar.gz" in titles
    # Another machine: no index, no mirror, no cache; and another docker than the one that compiled first.
    nowhere = {
        **buildx,
        "AIRFLOW_KUBLER_CACHE": str(tmp_path / "cache"),
        "PIP_INDEX_URL": "http://127.0.0.1:9/simple",
        "HOME": str(tmp_path),
        "XDG_CONFIG_HOME": str(tmp_path),
    }
    words = ("verify", pushed, "--rebuild", "--wheels", "--json")
    told = json.loads(run_tool(ROOT / ".venv/bin/python", "-m", "builder", *words, env=nowhere))
    assert told["differences"] == []
    assert [name.partition("-cp313")[0] for name in told["wheels"]] == ["python_ldap-3.4.8"]


def test_what_a_build_tries_in_a_step_of_buildkit_fails(compile_sdist: Callable[..., BuiltBytes]) -> None:
    code = """
import socket
def attempt(function):
    try:
        return str(function())
    except Exception as error:
        return type(error).__name__
seen = [
    attempt(lambda: socket.create_connection(("192.0.2.1", 80), 3)),
    attempt(lambda: open("/usr/lib/x", "w")),
    attempt(lambda: open("/build/sdist/x", "w")),
    attempt(lambda: open("/build/answer/status.json", "w")),
    attempt(lambda: bytearray(2 << 30)),
    os.environ.get("HOME"),
    os.getuid(),
]
assert seen == ["OSError", "PermissionError", "OSError", "PermissionError", "MemoryError", None, 61184], seen
"""
    assert compile_sdist(make_backend_sdist(code, tag=TAG)).file_name == f"demo-1.0-{TAG}.whl"


@pytest.mark.parametrize(
    ("code", "tag", "kind"),
    [
        ("import time; time.sleep(600)", TAG, Kind.TIME),
        ("import signal\nwhile True: os.fork()", TAG, Kind.FAILED),
        ("", "cp313-cp313-manylinux_2_28_x86_64", Kind.WHEEL),
        ("", "cp313-cp313-linux_aarch64", Kind.WHEEL),
    ],
)
def test_what_is_no_wheel_of_this_base_is_refused(
    compile_sdist: Callable[..., BuiltBytes], code: str, tag: str, kind: Kind
) -> None:
    with pytest.raises(SdistError) as caught:
        compile_sdist(make_backend_sdist(code, tag=tag), wall_s=5 if kind is Kind.TIME else LIMITS.wall_s)
    assert caught.value.kind is kind


def test_a_library_that_only_the_compilers_have_is_refused_with_its_package(project: Path) -> None:
    base = parse_base_lock((project / "locks/base.trixie-ldap.toml").read_bytes(), file="base")
    lock = tomllib.loads((project / "locks/pylock.ldap.toml").read_text())
    entry = next(one for one in lock["packages"] if one["name"] == "python-ldap")["wheels"][0]
    wheel = LockedFile(name=entry["name"], size=entry["size"], sha256=Digest(entry["hashes"]["sha256"]))
    moved = [deb for deb in base.debs if deb.package == "libldap2"]
    poor = replace(
        base,
        debs=tuple(deb for deb in base.debs if deb not in moved),
        compilers=(*base.compilers, *moved),
    )
    room = make_build_room(lambda _files, _debs: None)
    check_libraries("python-ldap", "3.4.8", wheel, base, room)
    with pytest.raises(SdistError, match=r"liblber\.so\.2; the Debian package libldap2 has it"):
        check_libraries("python-ldap", "3.4.8", wheel, poor, room)
