from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.errors import BuilderError, InvalidInputError
from builder.platform import AMD64, ARM64
from builder.resolve.constraints import (
    demands_from,
    marker_environment,
    official_url,
    parse_constraints,
)
from builder.resolve.constraints import tested_versions as pinned  # pytest takes its own name for a test
from builder.resolve.problem import Demand, Kind
from builder.stack.model import Divergence, EffectiveStack

FILE = "stacks/legacy/constraints.txt"
HINT = "\n  write one project==version a line"
STACK = EffectiveStack(
    name="etl",
    description="For tests",
    owners=(),
    parents=(),
    airflow_version="3.3.2",
    constraints="official",
    base="trixie",
    requirements=("a",),
    divergences=(),
    platforms=(AMD64,),
    layers=60,
    compression="zstd",
)
DIVERGENCE = Divergence(project="p", specifier="<1", reason="r", owner="o", expires=dt.date(2027, 1, 1))
ENVIRONMENT = marker_environment("3.11.2", AMD64)


def complaint(data: bytes) -> str:
    with pytest.raises(InvalidInputError) as caught:
        pinned(data, ENVIRONMENT, file=FILE)
    return str(caught.value)


def test_airflows_own_files_are_read_whatever_their_comments_say() -> None:
    data = b'\n#\n# made on 2024-06-06\n# pip install "apache-airflow[celery]==X.Y.Z" \\\n\nAPScheduler==3.10.4\r\nPy_YAML == 6.0.1  # why\nz.one==2\n'
    assert pinned(data, ENVIRONMENT, file=FILE) == {"apscheduler": "3.10.4", "py-yaml": "6.0.1", "z-one": "2"}


def test_versions_are_written_as_pep_440_has_them() -> None:
    assert pinned(b"a==1.0.0-Beta1\n", ENVIRONMENT, file=FILE) == {"a": "1.0.0b1"}


@pytest.mark.parametrize(
    "line",
    ["a", "a>=1", "a==1.*", "a===1", "a==1,<2", "a[x]==1", "-r b", "a==what", "a==1 --hash=sha256:0", "a==1; os"],
)
def test_anything_but_a_pin_is_refused_by_its_line(line: str) -> None:
    assert complaint(f"# head\n{line}\n".encode()) == f"{FILE}: line 2: {line!r} is no project==version{HINT}"


def test_all_bad_lines_are_told_at_once() -> None:
    assert complaint(b"a\nb==1\nc\n").count("is no project==version") == 2


def test_what_is_no_text_is_refused() -> None:
    assert complaint(b"a==1\xff") == f"{FILE}: is not UTF-8{HINT}"


def test_a_project_pinned_in_two_ways_is_refused() -> None:
    text = complaint(b"Alpha==1\nb==1\nalpha==2\n")
    assert text == f"{FILE}: line 3: pins alpha to 2, and line 1 to 1\n  keep one of the lines"


def test_the_same_pin_twice_is_no_harm() -> None:
    assert pinned(b"a==1\nA==1\n", ENVIRONMENT, file=FILE) == {"a": "1"}


def test_markers_are_those_of_the_base_not_of_this_machine() -> None:
    data = (
        b"a==1; python_version < '3.12'\na==2; python_version >= '3.12'\n"
        b"b==1; sys_platform == 'win32'\nc==1; platform_machine == 'aarch64' and python_full_version == '3.13.5'\n"
    )
    assert pinned(data, ENVIRONMENT, file=FILE) == {"a": "1"}
    assert pinned(data, marker_environment("3.13.5", ARM64), file=FILE) == {"a": "2", "c": "1"}


def test_markers_that_hold_together_pin_once() -> None:
    text = complaint(b"a==1; python_version > '3'\na==2; sys_platform == 'linux'\n")
    assert text == f"{FILE}: line 2: pins a to 2, and line 1 to 1\n  keep one of the lines"


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        parse_constraints(data, file=FILE)
    except BuilderError:
        return


def airflow_2(**changes: object) -> EffectiveStack:
    return replace(STACK, airflow_version="2.9.2", **changes)  # type: ignore[arg-type]


def test_constraints_demand_all_but_what_diverges() -> None:
    stack = airflow_2(divergences=(DIVERGENCE,))
    assert demands_from(stack, {"a": "1", "p": "5"}, file=FILE) == (
        Demand(kind=Kind.TESTED, text="a==1", source=FILE),
        Demand(kind=Kind.DIVERGED, text="p<1", source=f"stack:{stack.name}"),
    )


def test_the_task_sdk_is_a_part_of_airflow_and_gives_never_way() -> None:
    found = demands_from(
        STACK, {"apache-airflow-task-sdk": "1.3.2", "apache-airflow-core": STACK.airflow_version}, file=FILE
    )
    assert found == (Demand(kind=Kind.AIRFLOW, text="apache-airflow-task-sdk==1.3.2", source=FILE),)


def test_constraints_of_another_airflow_are_refused() -> None:
    with pytest.raises(InvalidInputError) as caught:
        demands_from(airflow_2(), {"apache-airflow": "2.10.5"}, file=FILE)
    assert str(caught.value) == (
        f"{FILE}: pins apache-airflow to 2.10.5, while the stack is for Airflow 2.9.2\n"
        "  take the constraints of the stack's own Airflow"
    )


def test_divergences_hold_without_constraints_too() -> None:
    found = demands_from(airflow_2(divergences=(DIVERGENCE,)), {}, file="")
    assert [demand.kind for demand in found] == [Kind.DIVERGED]


def test_the_official_set_of_a_release_is_named_by_airflow_and_python() -> None:
    assert official_url("3.3.2", "3.13", "https://mirror.example/{ref}/{py}") == "https://mirror.example/3.3.2/3.13"
    assert official_url("2.9.2", "3.11").endswith("/constraints-2.9.2/constraints-3.11.txt")


def test_a_template_with_other_names_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="is no template of an address"):
        official_url("3.3.2", "3.13", "https://mirror.example/{version}")
