from __future__ import annotations

import pytest

from builder.errors import IssuesError
from builder.wheel.overlap import check_overlap
from builder.wheel.refusal import Refusal, WheelRefusedError


def test_distinct_files_in_shared_folders_are_no_overlap() -> None:
    check_overlap({"a.whl": ["lib/ns/a.py"], "b.whl": ["lib/ns/b.py"], "c.whl": ["LIB/other"]})


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        ("lib/x.py", "lib/x.py", "the file is installed by a.whl [distributions-overlap]"),
        ("lib/X.py", "lib/x.py", "the file is installed by a.whl as 'lib/X.py' [distributions-overlap]"),
    ],
    ids=["same", "case"],
)
def test_one_file_of_two_wheels_is_refused_naming_both(first: str, second: str, message: str) -> None:
    with pytest.raises(IssuesError) as refused:
        check_overlap({"b.whl": [second], "a.whl": [first]})

    (issue,) = refused.value.issues
    assert isinstance(issue, WheelRefusedError)
    assert (issue.kind, issue.context, issue.message) == (Refusal.DISTRIBUTIONS_OVERLAP, f"b.whl: {second}", message)


def test_file_of_one_and_folder_of_another_is_refused() -> None:
    with pytest.raises(IssuesError, match=r"a\.whl: lib/x: the file is a folder to b\.whl as 'lib/x/y'"):
        check_overlap({"a.whl": ["lib/x"], "b.whl": ["lib/x/y"]})


def test_the_images_own_files_are_not_for_wheels() -> None:
    with pytest.raises(IssuesError, match="installed by the image itself"):
        check_overlap({"a.whl": ["bin/python"]}, reserved=["bin/python"])


def test_every_conflict_is_collected() -> None:
    with pytest.raises(IssuesError) as refused:
        check_overlap({"a.whl": ["x", "y"], "b.whl": ["x", "y"], "c.whl": ["x"]})

    assert len(refused.value.issues) == 3
