from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from builder.sdist.canonical import canonical_wheel, differing
from builder.wheel.archive import Member, read_archive
from builder.wheel.wheel import read_wheel

INFO = "demo-1.0.dist-info"
NAME = "demo-1.0-py3-none-any.whl"


def member(name: str, text: str = "", *, executable: bool = False) -> Member:
    return Member(name=name, data=text.encode(), executable=executable)


WHEEL = (
    member("demo/__init__.py", "x = 1\n"),
    member("demo/tool", "#!/bin/sh\n", executable=True),
    member(f"{INFO}/METADATA", "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n"),
    member(f"{INFO}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"),
    member(f"{INFO}/RECORD", "lies"),
)


@given(st.permutations(WHEEL))
def test_order_of_entries_changes_no_byte(members: list[Member]) -> None:
    assert canonical_wheel(members) == canonical_wheel(WHEEL)


def test_the_one_form_is_a_wheel_that_intake_accepts() -> None:
    wheel = read_wheel(canonical_wheel(WHEEL), file_name=NAME)
    assert {item.name: item.executable for item in wheel.members}["demo/tool"] is True


def test_metadata_stands_last_and_bytecode_and_signatures_are_left_out() -> None:
    extra = (member("demo/__pycache__/x.cpython-311.pyc", "?"), member(f"{INFO}/RECORD.jws", "{}"))
    names = [item.name for item in read_archive(canonical_wheel((*WHEEL, *extra)), file_name=NAME)]
    assert names == ["demo/__init__.py", "demo/tool", f"{INFO}/METADATA", f"{INFO}/WHEEL", f"{INFO}/RECORD"]


def test_differences_are_named_by_path() -> None:
    other = (member("demo/__init__.py", "x = 2\n"), *WHEEL[1:], member("more", ""))
    assert differing(WHEEL, other) == ("demo/__init__.py", "more")
    assert differing(WHEEL, tuple(reversed(WHEEL))) == ()
