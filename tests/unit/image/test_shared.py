"""Files that distributions share: the first has them where they are alike; else the image is refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from builder.digest import Digest
from builder.errors import IssuesError
from builder.image.assemble import BuiltImage, assemble
from builder.image.memory import ImageMemory
from builder.image.segment import find_segment, read_path_names
from builder.lock.model import LockedFile, PlannedLayer
from builder.store.artefacts import DirectoryArtefactStore
from builder.store.model import FileStore
from tests.support.made_up import PLATFORMS, World, make_candidate, make_world

SITE = "home/airflow/.local/lib/python3.13/site-packages"
MARK = "space/py.typed"
INIT = "space/__init__.py"


def _world(root: Path, alpha: Mapping[str, bytes], beta: Mapping[str, bytes]) -> World:
    world = make_world(root)
    first = make_candidate(world.files, "alpha", "1.0", {"alpha/__init__.py": b"x = 1\n", **alpha})
    second = make_candidate(world.files, "beta", "2.0", {"beta.py": b"y = 2\n", **beta})
    return replace(world, stack=replace(world.stack, candidates=(first, second, world.stack.candidates[2])))


class ReadFiles:
    """A FileStore that notes what is read."""

    def __init__(self, inner: FileStore) -> None:
        self._inner = inner
        self.names: list[str] = []

    def has(self, digest: Digest) -> bool:
        return self._inner.has(digest)

    def read(self, file: LockedFile) -> bytes:
        self.names.append(file.name)
        return self._inner.read(file)

    def path(self, digest: Digest) -> Path:
        return self._inner.path(digest)

    def add(self, data: bytes) -> Digest:
        return self._inner.add(data)


def _build(world: World, memory: ImageMemory | None = None, files: FileStore | None = None) -> BuiltImage:
    assembly = world.assembly()
    return assemble(
        world.stack,
        world.base,
        lock_digest=Digest.of(b"lock"),
        platforms=PLATFORMS,
        assembly=replace(
            assembly,
            memory=memory or ImageMemory(),
            intake=replace(assembly.intake, files=files or world.files),
        ),
    )


def _with_omega(world: World, content: Mapping[str, bytes]) -> World:
    """Add a distribution in a layer of its own."""
    own = make_candidate(world.files, "omega", "1.0", {"omega.py": b"w = 1\n", **content})
    layer = PlannedLayer(name="omega", stack="tiny", projects=("omega",))
    stack = replace(world.stack, candidates=(*world.stack.candidates, own), plan=(*world.stack.plan, layer))
    return replace(world, stack=stack)


def _owners(world: World, image: BuiltImage, path: str) -> list[str]:
    return [
        source.name
        for layer in image.platforms[0].layers
        for source, key in zip(layer.parts.sources, layer.segment_keys, strict=True)
        if (segment := find_segment(key, world.artefacts)) and f"{SITE}/{path}" in read_path_names(segment)
    ]


def test_a_file_that_two_distributions_have_alike_is_left_to_the_first_with_its_bytecode(tmp_path: Path) -> None:
    same = {MARK: b"", INIT: b"__path__ = []\n"}
    world = _world(tmp_path, same, same)
    image = _build(world)
    compiled = "space/__pycache__/__init__.cpython-313.pyc"
    for path in (MARK, INIT, compiled):
        assert _owners(world, image, path) == ["alpha==1.0"]


def test_the_first_distribution_and_its_layer_are_the_same_without_the_second(tmp_path: Path) -> None:
    same = {MARK: b"", INIT: b"__path__ = []\n"}
    shared = _build(_world(tmp_path / "shared", same, same))
    alone = _build(_world(tmp_path / "alone", same, {}))
    assert [layer.layer.digest for layer in shared.platforms[0].layers[:4]] == [
        layer.layer.digest for layer in alone.platforms[0].layers[:4]
    ]


def test_a_file_that_two_distributions_have_in_two_ways_is_refused_naming_both(tmp_path: Path) -> None:
    world = _world(tmp_path, {INIT: b"a = 1\n"}, {INIT: b"b = 1\n"})
    with pytest.raises(IssuesError, match=rf"{INIT}: is written by alpha==1\.0 and by beta==2\.0"):
        _build(world)


def test_one_file_in_two_ways_is_refused_though_others_are_alike(tmp_path: Path) -> None:
    world = _world(tmp_path, {MARK: b"", INIT: b"a = 1\n"}, {MARK: b"", INIT: b"b = 1\n"})
    with pytest.raises(IssuesError, match=INIT):
        _build(world)


def test_sharing_gives_the_same_image_from_a_warm_cache(tmp_path: Path) -> None:
    world = _world(tmp_path, {MARK: b""}, {MARK: b""})
    assert _build(world).index == _build(world).index


def test_an_image_that_begins_alike_is_settled_without_reading_its_distributions_again(tmp_path: Path) -> None:
    world, memory = _world(tmp_path, {MARK: b""}, {MARK: b""}), ImageMemory()
    _build(world, memory)
    more, read = _with_omega(world, {}), ReadFiles(world.files)
    image = _build(more, memory, read)
    assert set(read.names) == {"omega-1.0-py3-none-any.whl"}
    assert image.index == _build(replace(more, artefacts=_empty(tmp_path))).index


@pytest.mark.parametrize("content", [b"", b"not alike"])
def test_what_shares_a_file_with_a_settled_beginning_is_settled_or_refused_as_ever(
    tmp_path: Path, content: bytes
) -> None:
    world, memory = _world(tmp_path, {MARK: b""}, {MARK: b""}), ImageMemory()
    _build(world, memory)
    more = _with_omega(world, {MARK: content})
    assert _outcome(more, memory) == _outcome(replace(more, artefacts=_empty(tmp_path)), ImageMemory())


def _outcome(world: World, memory: ImageMemory) -> object:
    try:
        return _build(world, memory).index
    except IssuesError as error:
        return str(error)


def _empty(tmp_path: Path) -> DirectoryArtefactStore:
    return DirectoryArtefactStore(tmp_path / "empty", durable=False)
