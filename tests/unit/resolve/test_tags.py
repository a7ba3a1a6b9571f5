from __future__ import annotations

import platform as host
import sys

import pytest
from packaging.tags import sys_tags

from builder.errors import InvalidInputError
from builder.platform import AMD64, ARM64, Platform, platform_of_machine
from builder.resolve.tags import choose_wheel, platform_tags, rank_tags, wheel_rank


def choose(*names: str, python: str = "3.13.5", platform: Platform = AMD64, glibc: str = "2.41") -> str | None:
    return choose_wheel(names, names, python_version=python, platform=platform, glibc=glibc)


def test_ranking_equals_that_of_packaging_on_this_machine() -> None:
    libc, glibc = host.libc_ver()
    if libc != "glibc" or sys.implementation.name != "cpython":
        pytest.skip("this machine's own tags are not those of a base")
    version = ".".join(str(part) for part in sys.version_info[:3])
    ranks = rank_tags(version, platform_of_machine(host.machine()), glibc)
    ours = sorted(ranks, key=lambda tag: ranks[tag])
    theirs = [tag for tag in dict.fromkeys(sys_tags()) if "musllinux" not in tag.platform]
    assert ours == theirs


def test_platform_tags_end_where_a_machine_began() -> None:
    amd64 = platform_tags(AMD64, "2.36")
    assert amd64[:2] == ("linux_x86_64", "manylinux_2_36_x86_64")
    assert amd64[-2:] == ("manylinux_2_5_x86_64", "manylinux1_x86_64")
    assert "manylinux2010_x86_64" in amd64
    arm64 = platform_tags(ARM64, "2.41")
    assert arm64[-2:] == ("manylinux_2_17_aarch64", "manylinux2014_aarch64")
    assert not any("2010" in tag or "manylinux1_" in tag for tag in arm64)


@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        (("a-1-py3-none-any.whl", "a-1-cp313-cp313-manylinux_2_17_x86_64.whl"), 1),
        (("a-1-cp313-cp313-manylinux_2_17_x86_64.whl", "a-1-cp313-cp313-manylinux_2_28_x86_64.whl"), 1),
        (("a-1-cp313-cp313-manylinux_2_17_x86_64.whl", "a-1-cp311-abi3-manylinux_2_34_x86_64.whl"), 0),
        (("a-1-cp39-abi3-manylinux2014_x86_64.whl", "a-1-py3-none-any.whl"), 0),
        (("a-1-1-py3-none-any.whl", "a-1-2-py3-none-any.whl", "a-1-py3-none-any.whl"), 1),
        (("a-1-py2.py3-none-any.whl", "a-1-cp314-cp314-manylinux_2_17_x86_64.whl"), 0),
        (("a-1-cp313-cp313-musllinux_1_2_x86_64.whl", "a-1-cp313-cp313-manylinux_2_17_aarch64.whl"), None),
        (("a-1-cp313-cp313t-manylinux_2_17_x86_64.whl", "a-1.tar.gz"), None),
        (("a-1-cp313-cp313-manylinux_2_42_x86_64.whl",), None),
        (("a-1-cp313-cp313-linux_x86_64.whl",), 0),
    ],
    ids=["native", "newer-glibc", "abi", "abi3", "build", "future", "foreign", "threads", "too-new", "linux"],
)
def test_the_wheel_chosen_is_an_installers(names: tuple[str, ...], chosen: int | None) -> None:
    assert choose(*names) == (None if chosen is None else names[chosen])
    assert choose(*reversed(names)) == (None if chosen is None else names[chosen])


def test_what_is_no_wheel_has_no_rank() -> None:
    assert wheel_rank("a-1.zip", rank_tags("3.13.5", AMD64, "2.41")) is None


@pytest.mark.parametrize("glibc", ["3.1", "2", "two.1", ""])
def test_odd_glibc_versions_are_refused(glibc: str) -> None:
    with pytest.raises(InvalidInputError):
        platform_tags(AMD64, glibc)
