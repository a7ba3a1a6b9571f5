"""Every error of `lock` stands in docs/locks.md as a user sees it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from builder.errors import BuilderError
from builder.resolve.problem import Solved, Unsolved
from builder.snapshot.rules import ViewRules
from builder.stack.reader import parse_stack
from builder.usecase.answer import explain_failure
from tests.support.made_up_index import offer_wheel
from tests.support.made_up_session import Asked, made_up_session
from tests.support.memory_snapshots import MadeUpUpstream

PAGE = Path(__file__).parents[3] / "docs/locks.md"
GOOGLE = "apache-airflow-providers-google"
OLD, YOUNG = "2026-01-10T00:00:00Z", "2026-05-25T00:00:00Z"


def _world() -> MadeUpUpstream:
    made = MadeUpUpstream()
    for version in ("3.3.2", "3.4.0"):
        needs = (f"protobuf>={4 if version == '3.3.2' else 5}", f'{GOOGLE}; extra == "google"')
        made.offer("apache-airflow", version, *needs, upload_time=OLD)
    for version in ("4.25.3", "5.29.1", "6.33.0"):
        made.offer("protobuf", version, upload_time=OLD)
    made.offer("dbt-core", "1.8.9", "protobuf>=4,<5", upload_time=OLD)
    made.offer("dbt-core", "1.9.4", "protobuf>=5,<6", upload_time=OLD)
    made.offer("cloud-client", "2.0", "protobuf>=6", upload_time=OLD)
    made.offer("fresh", "1.0", upload_time=OLD)
    made.offer("fresh", "2.0", upload_time=YOUNG)
    made.offer("timeless", "1.0")
    made.offer("bad", "1.0", upload_time=OLD, yanked="breaks everything")
    made.offer(GOOGLE, "10.0", "apache-airflow>=2.9", upload_time=OLD)
    made.offer(GOOGLE, "22.0", "apache-airflow>=3.4", upload_time=OLD)
    made.offer("elderly", "1.2", upload_time=OLD, requires_python=">=3.9,<3.13")
    made.offer("poisoned", "1.0", upload_time=OLD)
    made.statuses["poisoned"] = ("quarantined", "malware")
    offer_wheel(made, "windows-only", "1.0", tag="cp313-cp313-win_amd64")
    return made


CASES: dict[str, Asked] = {
    "tested-set": Asked(requirements=["dbt-core==1.9.4"], tested={"protobuf": "4.25.3"}),
    "parent": Asked(requirements=["dbt-core==1.9.4"], parent_pins={"protobuf": "6.33.0"}),
    "two-plugins": Asked(requirements=["dbt-core==1.9.4", "cloud-client"]),
    "another-airflow": Asked(requirements=[f"{GOOGLE}>=22"]),
    "misspelt": Asked(requirements=["airflow-provider-google>=10"]),
    "unknown-project": Asked(requirements=["dbt-cor"]),
    "no-such-version": Asked(requirements=["dbt-core>=3"]),
    "cool-down": Asked(requirements=["fresh>=2"], rules=ViewRules(cooldown_days=7)),
    "quarantined": Asked(requirements=["poisoned"]),
    "another-python": Asked(requirements=["elderly"]),
    "no-wheel": Asked(requirements=["windows-only"]),
    "yanked": Asked(requirements=["bad"]),
    "no-upload-times": Asked(requirements=["timeless"], rules=ViewRules(cooldown_days=7)),
    "reserved": Asked(requirements=["acme-tools"], rules=ViewRules(reserved=(("acme-*", "internal"),))),
}


def _told(folder: Path, asked: Asked) -> str:
    with made_up_session(folder, _world(), asked) as session:
        try:
            answer = session.solver.solve(session.problem)
            assert not isinstance(answer, Solved)
            return str(explain_failure(session, answer))
        except BuilderError as error:
            return str(error)


def _airflow_diverges(folder: Path) -> str:
    del folder
    text = """\
description = "For tests"
extends = "core"
[[divergences]]
project = "apache-airflow"
specifier = ">3.3"
reason = "newer"
owner = "team:finance-data"
expires = 2027-03-31
"""
    with pytest.raises(BuilderError) as caught:
        parse_stack(text.encode(), name="finance", file="stacks/finance/stack.toml")
    return str(caught.value)


ERRORS: dict[str, Callable[[Path], str]] = {
    **{name: partial(_told, asked=asked) for name, asked in CASES.items()},
    "airflow-diverges": _airflow_diverges,
}


@pytest.mark.parametrize("name", list(ERRORS))
def test_errors_read_as_the_page_shows_them(name: str, tmp_path: Path) -> None:
    block = f"```text\nerror: {ERRORS[name](tmp_path)}\n```"
    assert block in PAGE.read_text(encoding="utf-8"), f"docs/locks.md does not show:\n{block}"


def test_a_conflict_whose_fixes_are_shown_has_fixes_that_resolve(tmp_path: Path) -> None:
    with made_up_session(tmp_path, _world(), CASES["tested-set"]) as session:
        answer = session.solver.solve(session.problem)
        assert isinstance(answer, Unsolved)
        kinds = [fix.kind for fix in explain_failure(session, answer).fixes]
    assert kinds == ["version", "divergence", "airflow", "virtualenv"]
