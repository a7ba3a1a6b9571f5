from __future__ import annotations

from functools import partial

from builder.lock.model import LockedCandidate, LockedFile
from builder.platform import AMD64, ARM64, Platform
from builder.resolve.choose import choose_wheels
from builder.resolve.merge import merge_resolutions
from builder.resolve.model import ChosenWheel, Resolution, ResolvedCandidate
from builder.snapshot.model import OfferedFile
from builder.snapshot.view import VersionFiles
from tests.support.stack_locks import make_candidate, make_file

Row = tuple[ResolvedCandidate, str, str | None]
"""A candidate, the tag of its wheel, and when that was uploaded."""


def resolved(project: str, version: str, tag: str, *needs: str, time: str | None = None) -> Row:
    return ResolvedCandidate(project=project, version=version, dependencies=needs), tag, time


def merge(
    *platforms: tuple[Platform, list[Row]], asked_by: dict[str, tuple[str, ...]] | None = None
) -> tuple[LockedCandidate, ...]:
    wheels: list[ChosenWheel] = []
    files: dict[str, LockedFile] = {}
    for platform, rows in platforms:
        for candidate, tag, time in rows:
            name = f"{candidate.project}-{candidate.version}-{tag}.whl"
            wheels.append(
                ChosenWheel(
                    project=candidate.project,
                    version=candidate.version,
                    platform=platform,
                    index="default",
                    offered=OfferedFile(name=name, url=f"https://host/{name}", upload_time=time),
                )
            )
            files[name] = make_file(name)
    resolutions = [
        Resolution(platform=platform, candidates=tuple(candidate for candidate, _, _ in rows))
        for platform, rows in platforms
    ]
    return merge_resolutions(resolutions, wheels=wheels, files=files, asked_by=asked_by or {})


def test_a_pure_wheel_stands_under_both_platforms() -> None:
    row = resolved("a", "1", "py3-none-any")
    (candidate,) = merge((AMD64, [row]), (ARM64, [row]), asked_by={"a": ("stack:s",)})
    assert candidate.wheels == {name: make_file("a-1-py3-none-any.whl") for name in ("linux/amd64", "linux/arm64")}
    assert candidate.wanted_by == ("stack:s",)
    assert candidate.index is None


def test_versions_that_differ_by_platform_stand_apart() -> None:
    merged = merge(
        (AMD64, [resolved("a", "2", "x")]),
        (ARM64, [resolved("a", "1", "y"), resolved("b", "1", "y", "a")]),
    )
    assert [(item.project, item.version, list(item.wheels)) for item in merged] == [
        ("a", "1", ["linux/arm64"]),
        ("a", "2", ["linux/amd64"]),
        ("b", "1", ["linux/arm64"]),
    ]
    assert merged[0].wanted_by == ("b",)


def test_requirements_of_all_platforms_are_joined_and_the_newest_time_counts() -> None:
    merged = merge(
        (AMD64, [resolved("a", "1", "x", "b", time="2026-01-01T00:00:00Z"), resolved("b", "1", "x")]),
        (ARM64, [resolved("a", "1", "y", "c", time="2026-01-02T00:00:00Z"), resolved("c", "1", "y")]),
    )
    assert merged[0].dependencies == ("b", "c")
    assert merged[0].upload_time == "2026-01-02T00:00:00Z"
    assert merged[1].upload_time is None


class _Offers:
    """Offers another wheel than the parent has."""

    def files(self, project: str, version: str) -> VersionFiles:
        name = f"{project}-{version}-2-py3-none-any.whl"
        return VersionFiles(index="default", wheels=(OfferedFile(name=name, url="https://host/x"),))


def test_a_parents_wheels_bind_even_where_an_index_has_others_now() -> None:
    parent = make_candidate("alpha", "1.0")
    candidate = ResolvedCandidate(project="alpha", version="1.0", dependencies=())
    both = [Resolution(platform=platform, candidates=(candidate,)) for platform in (AMD64, ARM64)]
    choose = partial(choose_wheels, both, _Offers(), label="x", python_version="3.13.5", glibc="2.41")
    assert len(choose()) == 2
    assert choose(parent=(parent,)) == ()
    (merged,) = merge_resolutions(both, wheels=(), files={}, asked_by={}, parent=(parent,))
    assert (merged.wheels, merged.upload_time) == (parent.wheels, parent.upload_time)
