"""Which files are tests, and how they are started."""

from __future__ import annotations

import pytest

from builder.errors import StackError
from builder.testing.settings import Service, Settings
from builder.testing.smoke import smoke_tasks
from builder.testing.tasks import Kind, TestFolder, dump_spec, longest_s, stack_tasks


def folder(*paths: str, stack: str = "core", **settings: object) -> TestFolder:
    return TestFolder(stack=stack, paths=paths, settings=Settings(**settings))  # type: ignore[arg-type]


def test_parents_tests_come_first_and_each_has_its_own_folders_limit() -> None:
    folders = (folder("test_a.py", "lib.py", timeout_s=7), folder("b.sh", stack="child"))
    tasks = stack_tasks(folders, Settings(memory_bytes=1 << 20))
    assert [(task.name, task.kind, task.timeout_s) for task in tasks] == [
        ("core/test_a.py", Kind.PYTEST, 7),
        ("child/b.sh", Kind.STATUS, 300),
    ]
    assert tasks[1].argv == ("bash", "/opt/airflow/.check/tests/child/b.sh")
    assert {task.memory_bytes for task in tasks} == {1 << 20}


def test_a_limit_of_a_file_that_is_no_test_is_refused() -> None:
    with pytest.raises(StackError) as caught:
        stack_tasks([folder("test_slow.py", file_timeouts=(("test_slo.py", 5),))], Settings())
    assert str(caught.value).startswith("stacks/core/tests/tests.toml: files: no test 'test_slo.py'")
    assert "test_slow.py" in caught.value.hint


def test_start_up_is_measured_alone_several_times_with_a_limit_beyond_its_budget() -> None:
    version, *others = smoke_tasks(Settings(version_budget_s=10, tries=4))
    assert (version.budget_s, version.timeout_s, version.tries, version.alone) == (10, 40, 4, True)
    assert [task.name for task in others if task.alone] == ["start dags"]


def test_the_whole_is_limited_by_the_sum_of_all_limits() -> None:
    tasks = smoke_tasks(Settings())
    service = Service(name="a", command="b", timeout_s=100)
    assert longest_s(tasks, [service]) > sum(task.timeout_s * task.tries for task in tasks) + 100
    spec = dump_spec(tasks, [service], 3)
    assert spec["jobs"] == 3
    assert spec["services"][0]["timeout_s"] == 100
    assert [task["name"] for task in spec["tasks"]] == [task.name for task in tasks]
