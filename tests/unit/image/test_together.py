"""Images that begin alike: what is beyond the beginning is checked against it, by the same rules, with the same words."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from builder.digest import Digest
from builder.entry import directory_entry, file_entry
from builder.errors import IssuesError
from builder.image.compress import ZstdCompressor
from builder.image.ownership import check_ownership
from builder.image.segment import DamagedSegmentError, Segment, make_segment
from builder.image.sources import EntriesSource, Source, WheelSource
from builder.image.together import Together
from builder.lock.model import LockedFile
from builder.store.artefacts import DirectoryArtefactStore

Owned = list[tuple[Source, Segment]]
SHARED = (("a", ("a/x", "a/y")), ("b", ("b/x",)), ("c", ("c/x",)))


class Made:
    """Segments of made-up wheels, and of other things where the name is in capitals."""

    def __init__(self, root: Path) -> None:
        self._store = DirectoryArtefactStore(root, durable=False)

    def owned(self, *contents: tuple[str, tuple[str, ...]]) -> Owned:
        return [(self._source(name), self._segment(name, paths)) for name, paths in contents]

    def _source(self, name: str) -> Source:
        if name.isupper():
            return EntriesSource(name=name, entries=())
        wheel = LockedFile(name=f"{name}-1-py3-none-any.whl", size=1, sha256=Digest.of(name.encode()))
        return WheelSource(project=name, version="1", wheel=wheel)

    def _segment(self, name: str, paths: tuple[str, ...]) -> Segment:
        key = Digest.of(repr((name, paths)).encode()).hex
        entries = [directory_entry(path[:-1]) if path.endswith("/") else file_entry(path, b"") for path in paths]
        return make_segment(key, entries, ZstdCompressor(), self._store)


@pytest.fixture
def made(tmp_path: Path) -> Made:
    return Made(tmp_path)


def said(check: Callable[[Owned], None], owned: Owned) -> str:
    try:
        check(owned)
    except IssuesError as error:
        return str(error)
    return ""


def test_what_many_images_begin_with_is_read_no_third_time(made: Made) -> None:
    together, shared = Together(), made.owned(*SHARED)
    for name in ("own1", "own2"):
        together.check([*shared, *made.owned((name, (f"{name}/x",)))])
    for _, segment in shared:
        segment.path.unlink()
    together.check([*shared, *made.owned(("own3", ("own3/x",)))])
    with pytest.raises(DamagedSegmentError):
        Together().check([*shared, *made.owned(("own3", ("own3/x",)))])


@pytest.mark.parametrize(
    "path",
    ["a/x", "A/X", "a", "a/x/y", "b/x", "own1/x"],
    ids=["same file", "other case", "a folder there", "a file there", "elsewhere", "what another image has"],
)
def test_a_conflict_with_a_known_beginning_is_told_as_ever(made: Made, path: str) -> None:
    together, shared = Together(), made.owned(*SHARED)
    for name in ("own1", "own2"):
        together.check([*shared, *made.owned((name, (f"{name}/x",)))])
    new = [*shared, *made.owned(("own3", (path,)))]
    expected = said(check_ownership, new)
    assert bool(expected) is (path != "own1/x")
    assert said(together.check, new) == expected


def test_an_image_in_conflict_is_no_beginning_of_another_one(made: Made) -> None:
    together, bad = Together(), made.owned(*SHARED, ("d", ("a/x",)))
    for name in ("own1", "own2", "own3"):
        assert "a/x" in said(together.check, [*bad, *made.owned((name, (f"{name}/x",)))])


_paths = st.sampled_from(["a", "A", "a/", "a/b", "A/b", "a/b/c", "b", "b.pyc", "home/x", "home/X", "Ä", "ä"])
_contents = st.tuples(st.sampled_from(["p", "q", "r", "s", "D", "E"]), st.lists(_paths, max_size=2, unique=True))
_images = st.lists(st.lists(_contents, max_size=4, unique_by=lambda row: row[0]), min_size=2, max_size=4)


@given(st.lists(_contents, max_size=3, unique_by=lambda row: row[0]), _images)
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
def test_what_was_seen_before_changes_no_answer(
    begin: list[tuple[str, list[str]]], images: list[list[tuple[str, list[str]]]]
) -> None:
    together = Together()
    with tempfile.TemporaryDirectory() as folder:
        made = Made(Path(folder))
        for image in images:
            names = {name for name, _ in begin}
            rows = [*begin, *(row for row in image if row[0] not in names)]
            # A segment lists no path as a file and as a folder at once.
            owned = made.owned(*((name, tuple(sorted(set(paths), key=len))[:1]) for name, paths in rows))
            assert said(together.check, owned) == said(check_ownership, owned)
