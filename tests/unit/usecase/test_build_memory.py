"""Stacks that are built one after another by one process: what is known is not asked again, and nothing is taken on trust."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from builder.lock.base import parse_base_lock
from builder.lock.memory import LockMemory
from builder.lock.model import BaseLock, PlannedLayer, StackLock
from builder.stack.model import BaseFile
from builder.store.artefacts import DirectoryArtefactStore
from builder.usecase.build import BuildRequest, BuildTools, build
from builder.usecase.build_memory import BuildMemory
from tests.support.made_up import World, make_candidate, make_world, write_locks


class CountedStore:
    """An ArtefactStore that notes what it is asked for, and tells of what was brought beforehand."""

    def __init__(self, inner: DirectoryArtefactStore) -> None:
        self._inner = inner
        self.asked: list[tuple[str, str]] = []
        self.brought: list[str] = []

    def get(self, kind: str, key: str) -> Path | None:
        self.asked.append((kind, key))
        return self._inner.get(kind, key)

    def put(self, kind: str, key: str, chunks: Iterable[bytes]) -> Path:
        return self._inner.put(kind, key, chunks)

    def bring(self, keys: Iterable[str]) -> None:
        self.brought += keys


class CountedBases:
    """A parser of base locks that counts."""

    def __init__(self) -> None:
        self.read = 0

    def __call__(self, data: bytes, *, file: str) -> BaseLock:
        self.read += 1
        return parse_base_lock(data, file=file)


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A world with a second stack, which adds a distribution to what the first one has."""
    world = make_world(tmp_path)
    write_locks(world, tmp_path / "locks")
    write_locks(replace(world, stack=_second(world)), tmp_path / "locks")
    return world


def _second(world: World) -> StackLock:
    own = make_candidate(world.files, "omega", "1.0", {"omega/__init__.py": b"x = 9\n"})
    layer = PlannedLayer(name="second-omega", stack="second", projects=("omega",))
    return replace(
        world.stack,
        stack="second",
        candidates=(*world.stack.candidates, own),
        plan=(*world.stack.plan, layer),
    )


def _tools(world: World, **changes: object) -> BuildTools:
    tools = BuildTools(files=world.files, artefacts=world.artefacts, compilers=world.compilers, jobs=2)
    return replace(tools, **changes)  # type: ignore[arg-type]


def _build(world: World, tools: BuildTools, stack: str, output: str = "") -> dict[str, object]:
    request = BuildRequest(stack=stack, locks=world.root / "locks", output=world.root / "images" / (output or stack))
    return build(request, tools)


def _expected(world: World, stack: str) -> dict[str, object]:
    cache = DirectoryArtefactStore(world.root / "other-cache", durable=False)
    return _build(world, _tools(world, artefacts=cache), stack, f"expected-{stack}")


def test_a_second_stack_reads_no_base_lock_again(world: World) -> None:
    bases = CountedBases()
    tools = _tools(world, memory=BuildMemory(LockMemory(base=bases)))
    for stack in ("tiny", "second"):
        _build(world, tools, stack)
    assert bases.read == 1


def test_of_a_second_stack_only_the_segments_of_its_own_are_looked_for(world: World) -> None:
    store = CountedStore(world.artefacts)
    tools = _tools(world, artefacts=store)
    _build(world, tools, "tiny")
    first = {key for kind, key in store.asked if kind == "segment"}
    store.asked.clear()
    _build(world, tools, "second")
    second = {key for kind, key in store.asked if kind == "segment"}
    assert len(first) > len(second) == 1
    assert not first & second


def test_a_second_stack_is_the_same_image_as_on_its_own(world: World) -> None:
    tools = _tools(world)
    _build(world, tools, "tiny")
    assert _build(world, tools, "second") == _expected(world, "second")


def test_layers_follow_what_their_own_base_says_of_folders(world: World) -> None:
    base = world.base.base
    folder = BaseFile(path="home", kind="directory", mode=0o711)
    other = replace(world.base, name="other", base=replace(base, name="other", files=(*base.files, folder)))
    moved = replace(world, base=other, stack=replace(world.stack, stack="moved", base="other"))
    write_locks(moved, world.root / "locks")
    tools = _tools(world)
    first = _build(world, tools, "tiny")
    second = _build(world, tools, "moved")
    assert second == _expected(world, "moved")
    assert second["platforms"] != first["platforms"]


SAME = {"space/py.typed": b"", "space/__init__.py": b"__path__ = []\n"}
"""Files that several distributions install alike."""


def _sharing(world: World, stack: str, *, version: str = "1.0", code: bytes = b"x = 1\n") -> StackLock:
    alpha = make_candidate(world.files, "alpha", version, {"alpha/__init__.py": code, **SAME})
    beta = make_candidate(world.files, "beta", "2.0", {"beta.py": b"y = 2\n", **SAME})
    return replace(world.stack, stack=stack, candidates=(alpha, beta, *world.stack.candidates[2:]))


def test_a_base_of_another_name_is_named_in_the_image_though_all_else_is_alike(world: World) -> None:
    other = replace(world.base, name="other", base=replace(world.base.base, name="other"))
    write_locks(replace(world, stack=_sharing(world, "one")), world.root / "locks")
    moved = replace(world, base=other, stack=replace(_sharing(world, "moved"), base="other"))
    write_locks(moved, world.root / "locks")
    tools = _tools(world)
    _build(world, tools, "one")
    assert _build(world, tools, "moved") == _expected(world, "moved")


def test_an_image_that_begins_otherwise_is_settled_for_itself(world: World) -> None:
    for stack in (_sharing(world, "one"), _sharing(world, "changed", version="1.1", code=b"x = 11\n")):
        write_locks(replace(world, stack=stack), world.root / "locks")
    tools = _tools(world)
    _build(world, tools, "one")
    assert _build(world, tools, "changed") == _expected(world, "changed")


def test_segments_that_went_meanwhile_are_looked_for_once_more_and_made(world: World) -> None:
    write_locks(replace(world, stack=_sharing(world, "one")), world.root / "locks")
    tools = _tools(world)
    _build(world, tools, "one", "first")
    for kind in ("segment", "layer", "layer-record", "ownership"):
        for path in (world.artefacts.root / "artefacts" / kind).glob("*/*"):
            path.unlink()
    assert _build(world, tools, "one", "second") == _expected(world, "one")


def test_images_that_are_built_side_by_side_do_not_take_layers_from_each_other(world: World) -> None:
    stacks = ["tiny", "second", "tiny", "second", "tiny", "second"]
    expected = {stack: _expected(world, stack) for stack in set(stacks)}
    for number in range(10):
        cache = DirectoryArtefactStore(world.root / f"cache-{number}", durable=False)
        tools = _tools(world, artefacts=cache)
        with ThreadPoolExecutor(4) as pool:
            made = [pool.submit(_build, world, tools, stack, f"{number}-{place}") for place, stack in enumerate(stacks)]
            assert [future.result() for future in made] == [expected[stack] for stack in stacks]


def test_a_segment_that_went_meanwhile_is_made_again(world: World) -> None:
    tools = _tools(world)
    _build(world, tools, "tiny")
    for kind in ("segment", "layer", "layer-record", "ownership"):
        for path in (world.artefacts.root / "artefacts" / kind).glob("*/*"):
            path.unlink()
    assert _build(world, tools, "second") == _expected(world, "second")


@pytest.mark.parametrize("hidden", [False, True], ids=["plainly", "with its time set back"])
def test_a_layer_that_was_changed_after_it_was_hashed_is_not_linked(world: World, *, hidden: bool) -> None:
    tools = _tools(world)
    _build(world, tools, "tiny")
    time.sleep(0.05)  # the clock of files ticks every few milliseconds
    for path in (world.artefacts.root / "artefacts/layer").glob("*/*"):
        status = path.stat()
        path.chmod(0o644)
        path.write_bytes(bytes(status.st_size))
        if hidden:
            os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert _build(world, tools, "second") == _expected(world, "second")
    second, expected = (world.root / "images" / name / "blobs/sha256" for name in ("second", "expected-second"))
    assert {path.name: path.read_bytes() for path in second.iterdir()} == {
        path.name: path.read_bytes() for path in expected.iterdir()
    }


def test_what_brings_segments_is_told_of_all_of_them_at_once(world: World) -> None:
    store = CountedStore(world.artefacts)
    _build(world, _tools(world, artefacts=store, prefetch=store.bring), "tiny")
    asked = [key for kind, key in store.asked if kind == "segment"]
    assert store.brought == list(dict.fromkeys(asked))
