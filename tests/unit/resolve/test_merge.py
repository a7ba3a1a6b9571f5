from __future__ import annotations

from builder.lock.model import LockedFile
from builder.platform import AMD64, ARM64, Platform
from builder.resolve.merge import chosen_wheels, merge_resolutions
from builder.resolve.model import OfferedWheel, Resolution, ResolvedCandidate
from tests.support.stack_locks import make_candidate, make_file


def resolved(project: str, version: str, tag: str, *needs: str, time: str | None = None) -> ResolvedCandidate:
    name = f"{project}-{version}-{tag}.whl"
    wheel = OfferedWheel(name=name, url=f"https://host/{name}", size=1, sha256=None, upload_time=time)
    return ResolvedCandidate(project=project, version=version, wheel=wheel, dependencies=needs)


def resolution(platform: Platform, *candidates: ResolvedCandidate) -> Resolution:
    return Resolution(platform=platform, candidates=candidates)


def files(*resolutions: Resolution) -> dict[str, LockedFile]:
    return {wheel.offered.url: make_file(wheel.offered.name) for wheel in chosen_wheels(resolutions, ())}


def test_a_pure_wheel_stands_under_both_platforms_and_is_measured_once() -> None:
    both = [resolution(platform, resolved("a", "1", "py3-none-any")) for platform in (AMD64, ARM64)]
    assert len(chosen_wheels(both, ())) == 1
    (candidate,) = merge_resolutions(both, files=files(*both), asked_by={"a": ("stack:s",)})
    assert candidate.wheels == {name: make_file("a-1-py3-none-any.whl") for name in ("linux/amd64", "linux/arm64")}
    assert candidate.wanted_by == ("stack:s",)


def test_versions_that_differ_by_platform_stand_apart() -> None:
    both = [
        resolution(AMD64, resolved("a", "2", "x")),
        resolution(ARM64, resolved("a", "1", "y"), resolved("b", "1", "y", "a")),
    ]
    merged = merge_resolutions(both, files=files(*both), asked_by={})
    assert [(item.project, item.version, list(item.wheels)) for item in merged] == [
        ("a", "1", ["linux/arm64"]),
        ("a", "2", ["linux/amd64"]),
        ("b", "1", ["linux/arm64"]),
    ]
    assert merged[0].wanted_by == ("b",)


def test_requirements_of_all_platforms_are_joined_and_the_newest_time_counts() -> None:
    both = [
        resolution(AMD64, resolved("a", "1", "x", "b", time="2026-01-01T00:00:00Z"), resolved("b", "1", "x")),
        resolution(ARM64, resolved("a", "1", "y", "c", time="2026-01-02T00:00:00Z"), resolved("c", "1", "y")),
    ]
    merged = merge_resolutions(both, files=files(*both), asked_by={})
    assert merged[0].dependencies == ("b", "c")
    assert merged[0].upload_time == "2026-01-02T00:00:00Z"
    assert merged[1].upload_time is None


def test_a_parents_wheels_bind_even_where_an_index_has_others_now() -> None:
    parent = make_candidate("alpha", "1.0")
    both = [resolution(platform, resolved("alpha", "1.0", "2-py3-none-any")) for platform in (AMD64, ARM64)]
    assert chosen_wheels(both, (parent,)) == ()
    (candidate,) = merge_resolutions(both, files={}, asked_by={}, parent=(parent,))
    assert candidate.wheels == parent.wheels
    assert candidate.upload_time == parent.upload_time
