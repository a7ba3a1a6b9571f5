"""Constraints are fetched once, kept beside the lock, and read from there."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from builder.digest import Digest
from builder.errors import InvalidInputError, PackageIndexError
from builder.project import Project, create_files, open_project, shipped_bases
from builder.stack.graph import effective_stack
from builder.stack.model import EffectiveStack
from builder.store.files import DirectoryFileStore
from builder.usecase.constraints import (
    Constraints,
    ConstraintSource,
    ensure_constraints,
    iter_changes,
    load_constraints,
)
from builder.usecase.lock_model import LockOptions
from tests.support.index_server import Index, serve

CORE = """\
description = "For tests"
[airflow]
version = "3.3.2"
constraints = "official"
[base]
name = "trixie"
"""
KEPT = "locks/constraints.3.3.2-py3.13.txt"
ADDRESS = "https://mirror.example/{ref}/{py}"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    files = {f"stacks/bases/{name}.toml": data for name, data in shipped_bases().items()}
    create_files(tmp_path / "p", {"stacks/core/stack.toml": CORE.encode(), **files})
    return open_project(tmp_path / "p")


class World:
    """What is published, and what was asked for."""

    def __init__(self, project: Project, cache: Path) -> None:
        self.project = project
        self.files = DirectoryFileStore(cache)
        self.pages: dict[str, bytes] = {"https://mirror.example/3.3.2/3.13": b"a==1\nb==1\n"}
        self.asked: list[str] = []
        self.said: list[str] = []
        self.failing = False

    def fetch(self, url: str) -> bytes | None:
        self.asked.append(url)
        if self.failing:
            raise PackageIndexError("HTTP 503", context=url)
        return self.pages.get(url)

    def stack(self, name: str = "core") -> EffectiveStack:
        return effective_stack(self.project.load_stacks(), name)

    def ensure(self, name: str = "core", *, refresh: bool = False, offline: bool = False) -> Constraints | None:
        source = ConstraintSource(official=ADDRESS, fetch=self.fetch, offline=offline)
        return ensure_constraints(
            self.project, self.stack(name), source, self.files, refresh=refresh, say=self.said.append
        )

    def rewrite(self, constraints: str) -> None:
        path = self.project.root / "stacks/core/stack.toml"
        path.write_text(CORE.replace('"official"', f'"{constraints}"'))


@pytest.fixture
def world(project: Project, tmp_path: Path) -> World:
    return World(project, tmp_path / "cache")


def refusal(ask: Callable[[], object]) -> str:
    with pytest.raises((PackageIndexError, InvalidInputError)) as caught:
        ask()
    return str(caught.value)


def test_the_official_set_is_fetched_once_and_kept_beside_the_lock_and_in_the_store(world: World) -> None:
    found = world.ensure()
    assert found == Constraints(data=b"a==1\nb==1\n", digest=Digest.of(b"a==1\nb==1\n"), file=KEPT)
    assert (world.project.root / KEPT).read_bytes() == found.data
    assert world.files.has(found.digest)
    assert world.ensure(offline=True) == found == load_constraints(world.project, world.stack())
    assert world.asked == ["https://mirror.example/3.3.2/3.13"]
    assert world.said == [f"fetched {KEPT}"]


def test_children_share_what_their_parents_address_gave(world: World) -> None:
    world.rewrite("https://x.example/c.txt")
    create_files(world.project.root, {"stacks/aws/stack.toml": b'description = "x"\nextends = "core"\n'})
    world.pages["https://x.example/c.txt"] = b"c==3\n"
    found = world.ensure("aws")
    assert found is not None
    assert found.file == "locks/constraints.core.txt"
    assert world.ensure("core") == found
    assert world.asked == ["https://x.example/c.txt"]


def test_none_asks_nobody(world: World) -> None:
    world.rewrite("none")
    assert world.ensure() is None
    assert world.asked == []


def test_a_file_beside_the_stack_asks_nobody(world: World) -> None:
    world.rewrite("c.txt")
    create_files(world.project.root, {"stacks/core/c.txt": b"z==1\n"})
    found = world.ensure(refresh=True)
    assert found is not None
    assert (found.file, world.asked) == ("stacks/core/c.txt", [])


def test_fetching_again_says_what_changed(world: World) -> None:
    world.ensure()
    world.pages["https://mirror.example/3.3.2/3.13"] = b"# again\nb==2\nc==1\n"
    found = world.ensure(refresh=True)
    assert found is not None
    assert found.digest == Digest.of(b"# again\nb==2\nc==1\n")
    assert world.said[-1] == (f"{KEPT} changed where it is published\n  a 1 -> gone\n  b 1 -> 2\n  c not there -> 1")


def test_long_lists_of_changes_are_cut_short() -> None:
    after = "".join(f"p{number}==1\n" for number in range(12)).encode()
    lines = list(iter_changes(b"", after, file="x"))
    assert (len(lines), lines[-1]) == (11, "and 2 more")
    assert list(iter_changes(b"a==1\n", b"# hi\na==1\n", file="x")) == ["in its comments alone"]


def test_what_is_no_set_of_constraints_is_not_kept(world: World) -> None:
    world.ensure()
    world.pages["https://mirror.example/3.3.2/3.13"] = b"<html>log in</html>\n"
    text = refusal(lambda: world.ensure(refresh=True))
    assert text.startswith("https://mirror.example/3.3.2/3.13: line 1: '<html>log in</html>' is no project==version")
    assert (world.project.root / KEPT).read_bytes() == b"a==1\nb==1\n"


def test_offline_and_not_kept_yet_tells_the_way_out(world: World) -> None:
    assert refusal(lambda: world.ensure(offline=True)) == (
        f"stacks/core/stack.toml: airflow.constraints: {KEPT} cannot be fetched: the settings say offline\n"
        f"  lock once with a network, or put the file to {KEPT} yourself"
    )


def test_an_address_that_does_not_answer_tells_the_way_out(world: World) -> None:
    world.failing = True
    assert refusal(world.ensure) == (
        "https://mirror.example/3.3.2/3.13: cannot be fetched: HTTP 503\n"
        f"  put the file to {KEPT} yourself, or name a mirror in the user's settings: constraints.official"
    )


def test_where_this_python_has_no_set_those_are_named_that_have(world: World) -> None:
    world.pages = {f"https://mirror.example/3.3.2/{python}": b"a==1\n" for python in ("3.10", "3.12")}
    assert refusal(world.ensure) == (
        "stacks/core/stack.toml: airflow.constraints: Airflow 3.3.2 has no tested set for Python 3.13\n"
        '  there are sets for Python 3.10, 3.12: take a base with one of them, or constraints = "none"'
    )


def test_an_airflow_without_any_set_is_told(world: World) -> None:
    world.pages = {}
    assert "Airflow 3.3.2 has no tested set\n" in refusal(world.ensure)


def test_an_address_without_a_file_is_told(world: World) -> None:
    world.rewrite("https://x.example/c.txt")
    assert refusal(world.ensure) == (
        "stacks/core/stack.toml: airflow.constraints: https://x.example/c.txt: there is no such file\n"
        "  correct the address"
    )


def test_the_users_mirror_is_asked_in_place_of_airflows_own_address(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from builder.resolve.settings import IndexSettings
    from builder.wiring.locks import make_constraints
    from builder.wiring.stores import make_transport

    index = Index()
    index.add("constraints-3.3.2-3.13.txt", b"a==1\n")
    with serve(index):
        config = tmp_path / "config/airflow-kubler/config.toml"
        config.parent.mkdir(parents=True)
        address = f"{index.url}/files/constraints-{{ref}}-{{py}}.txt"
        config.write_text(f"[constraints]\nofficial = {json.dumps(address)}\n")
        monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
        monkeypatch.setenv("AIRFLOW_KUBLER_CACHE", str(tmp_path / "cache"))
        settings = IndexSettings(source="default")
        stack = effective_stack(project.load_stacks(), "core")
        with make_transport(settings) as transport:
            constraints = make_constraints(settings, transport, lambda _: None)
            for _ in range(2):
                found = constraints(project, stack, LockOptions(refresh_constraints=True))
    assert found is not None
    assert found.data == (project.root / KEPT).read_bytes() == b"a==1\n"
    assert index.asked == ["/files/constraints-3.3.2-3.13.txt"]
