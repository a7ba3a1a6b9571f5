from __future__ import annotations

from dataclasses import replace

import pytest

from builder.cli.why import iter_lines
from builder.errors import InvalidInputError
from builder.lock.model import LockedFile, StackLock
from builder.usecase.why import Why, explain_why
from tests.support.stack_locks import make_candidate, make_lock


def make() -> StackLock:
    return make_lock(
        make_candidate("top", "1.0", dependencies=("mid", "low")),
        make_candidate("mid", "2.0", dependencies=("low",), wanted_by=("top",)),
        make_candidate("low", "3.0", wanted_by=("mid", "top")),
    )


REQUIRES = {
    "top": ("mid[fast]>=2", "low>=1"),
    "mid": ("low<4", 'low<3.5 ; extra == "fast"', 'low<2 ; extra == "slow"', 'low<1 ; python_version < "3.10"'),
}


def metadata(file: LockedFile) -> bytes | None:
    name, version = file.name.split("-")[:2]
    lines = "".join(f"Requires-Dist: {line}\n" for line in REQUIRES.get(name, ()))
    return f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{lines}\n".encode()


def explain(lock: StackLock, project: str = "low", **changes: object) -> Why:
    values: dict[str, object] = {"parents": {}, "asked": {"etl": ("top",)}, "metadata": metadata, **changes}
    return explain_why(lock, project, **values)  # type: ignore[arg-type]


def test_paths_lead_from_what_was_asked_and_the_shortest_stands_first() -> None:
    assert explain(make()).paths == (("stack:etl", "top", "low"), ("stack:etl", "top", "mid", "low"))


def test_bounds_hold_by_their_markers_and_the_extras_that_are_asked_for_lowest_first() -> None:
    assert [(row.who, row.text) for row in explain(make()).holders] == [
        (("mid 2.0",), "requires low<3.5"),
        (("mid 2.0",), "requires low<4"),
        (("top 1.0",), "requires low>=1"),
    ]


def test_a_bound_of_the_stack_itself_is_told() -> None:
    found = explain(make(), asked={"etl": ("top", "low<3.2")})
    assert (found.holders[0].who, found.holders[0].text, found.holders[0].caps) == (
        ("stack etl",),
        "requires low<3.2",
        True,
    )


def test_the_farthest_parent_that_pins_it_and_the_tested_set_are_told() -> None:
    lock = make()
    tested = tuple(replace(row, tested="3.0") if row.project == "low" else row for row in lock.candidates)
    child = replace(lock, parents=("near", "far"), candidates=tested)
    parents = {"near": replace(lock, stack="near"), "far": replace(lock, stack="far")}
    assert list(iter_lines(explain(child, parents=parents)))[3:6] == [
        "held by",
        "  the tested set of Airflow 3.3.2 pins low==3.0",
        "  parent far pins low==3.0",
    ]


def test_without_metadata_there_are_still_paths() -> None:
    found = explain(make(), metadata=lambda _: None)
    assert len(found.paths) == 2
    assert found.holders == ()


def test_what_is_not_in_the_lock_is_said_with_the_nearest() -> None:
    with pytest.raises(InvalidInputError) as caught:
        explain(make(), "lowe")
    assert (caught.value.message, caught.value.hint) == ("lowe is not in the lock", "did you mean 'low'?")
