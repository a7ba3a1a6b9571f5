from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from builder.resolve.core import Budget
from builder.usecase.outdated import Outdated, find_outdated
from tests.support.made_up_session import Asked, made_up_session
from tests.support.memory_snapshots import MadeUpUpstream


def look(folder: Path, requirements: Sequence[str], *, everything: bool = False) -> tuple[Outdated, ...]:
    made = MadeUpUpstream()
    made.offer("apache-airflow", "3.3.2")
    for version in ("6.1.0", "6.2.0", "6.9.0"):
        made.offer("snow", version, *(["sqla<2.1"] if version == "6.9.0" else []))
    for version in ("2.0.5", "2.1.3"):
        made.offer("sqla", version)
    made.offer("caps", "1.0", "snow<6.2")
    made.offer("alch", "1.0", "sqla>=2.1")
    with made_up_session(folder, made, Asked(requirements=requirements)) as session:
        return find_outdated(session, everything=everything, budget=Budget(solves=20))


def test_the_newest_of_all_is_not_listed(tmp_path: Path) -> None:
    assert [row.project for row in look(tmp_path, ["snow", "sqla<2.1"])] == ["sqla"]


def test_a_blocker_is_named_for_what_is_asked_for(tmp_path: Path) -> None:
    (row,) = look(tmp_path, ["snow", "caps"])
    assert (row.project, row.current, row.reachable, row.newest) == ("snow", "6.1.0", "6.1.0", "6.9.0")
    assert row.blocker == "caps 1.0 requires snow<6.2"


def test_a_bound_of_the_stack_itself_is_a_blocker_too(tmp_path: Path) -> None:
    (row,) = look(tmp_path, ["snow<6.9"])
    assert row.blocker == "stack finance asks for snow<6.9"


def test_a_knot_is_told_as_it_meets(tmp_path: Path) -> None:
    (row,) = look(tmp_path, ["snow", "alch"])
    assert row.blocker == "snow 6.9.0 requires sqla<2.1; alch 1.0 requires sqla>=2.1"


def test_what_nobody_asked_for_is_listed_only_where_all_is_wanted(tmp_path: Path) -> None:
    assert [row.project for row in look(tmp_path, ["snow"])] == []
    (row,) = look(tmp_path, ["snow"], everything=True)
    assert (row.project, row.blocker) == ("sqla", "snow 6.9.0 requires sqla<2.1")
