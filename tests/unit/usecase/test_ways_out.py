"""Ways out say which line of which file to change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from builder.resolve.conflict import Edit
from builder.resolve.problem import Unsolved
from builder.usecase.answer import explain_failure
from builder.usecase.stack_session import StackSession
from tests.support.made_up_session import Asked, made_up_session
from tests.support.memory_snapshots import MadeUpUpstream


def _world() -> MadeUpUpstream:
    made = MadeUpUpstream()
    made.offer("apache-airflow", "3.3.2")
    made.offer("client", "1.0")
    return made


def _edits(session: StackSession) -> Sequence[Edit]:
    answer = session.solver.solve(session.problem)
    assert isinstance(answer, Unsolved)
    return [edit for fix in explain_failure(session, answer).fixes for edit in fix.edits]


@pytest.mark.parametrize(
    ("text", "beside", "edit"),
    [
        pytest.param(
            "client>=2",
            False,
            Edit(file="stacks/finance/stack.toml", instead_of='"client>=2"', write=('"client==1.0"',)),
            id="a value of stack.toml",
        ),
        pytest.param(
            "client>=2",
            True,
            Edit(file="stacks/finance/requirements.in", instead_of="client>=2", write=("client==1.0",)),
            id="a line of requirements.in",
        ),
        pytest.param(
            'client>=2; python_version > "3"',
            False,
            Edit(
                file="stacks/finance/stack.toml",
                instead_of="'client>=2; python_version > \"3\"'",
                write=("'client==1.0; python_version > \"3\"'",),
            ),
            id="a marker with quotes",
        ),
    ],
)
def test_a_way_out_names_the_file_that_the_line_is_in(tmp_path: Path, text: str, *, beside: bool, edit: Edit) -> None:
    with made_up_session(tmp_path, _world(), Asked(requirements=[text])) as session:
        stack = replace(session.stacks["finance"], requirements_in=(text,) if beside else ())
        assert _edits(replace(session, stacks={"finance": stack})) == [edit]


def test_what_another_platform_asks_for_is_not_blamed(tmp_path: Path) -> None:
    asked = Asked(requirements=['nowhere; sys_platform == "win32"', "client>=2"])
    with made_up_session(tmp_path, _world(), asked) as session:
        answer = session.solver.solve(session.problem)
        assert isinstance(answer, Unsolved)
        lines = explain_failure(session, answer).lines
    assert len(lines) == 1
    assert lines[0].startswith("stack finance asks for client>=2: ")


def test_a_conflict_is_told_though_the_index_fails_while_ways_out_are_tried(tmp_path: Path) -> None:
    made = _world()
    made.offer("client", "2.0")
    made.offer("plugin", "1.0", "client<2")
    newer = made.offer("apache-airflow", "3.4.0")
    del made.texts[newer.name]
    asked = Asked(requirements=("plugin", "client>=2"))
    with made_up_session(tmp_path, made, asked) as session:
        answer = session.solver.solve(session.problem)
        assert isinstance(answer, Unsolved)
        error = explain_failure(session, answer)
    assert "plugin 1.0 requires client<2" in error.message
    assert "not every way out could be tried" in str(error)
