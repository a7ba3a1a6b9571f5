"""What runs tests inside a container, tried outside of one."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from builder.testing.inside import Service, Streak, run_spec

SERVE = f"exec {sys.executable} -m http.server --bind 127.0.0.1 --directory"


def run(tasks: list[dict[str, Any]], services: list[dict[str, Any]] | None = None, *, jobs: int = 4) -> dict[str, Any]:
    """Run a spec; gives the answers by name."""
    told: list[dict[str, Any]] = []
    run_spec({"jobs": jobs, "services": services or [], "tasks": tasks}, told.append)
    return {answer.get("task") or answer["service"]: answer for answer in told}


def bash(name: str, script: str, **more: Any) -> dict[str, Any]:
    plain = {"name": name, "argv": ["bash", "-c", script], "env": {}, "timeout_s": 20, "tries": 1}
    return {**plain, "memory_bytes": 0, "alone": False, **more}


def service(command: str, **more: Any) -> dict[str, Any]:
    plain = {"name": "s", "command": command, "url": "", "health": "", "streak": 2, "interval_s": 0.05, "timeout_s": 20}
    return {**plain, **more}


def test_a_streak_begins_anew_after_each_failure() -> None:
    streak = Streak(3)
    seen = [True, True, False, True, True, True, True]
    assert [streak.tell(healthy=healthy) for healthy in seen] == [False, False, False, False, False, True, True]


def test_tasks_answer_with_status_output_and_what_they_left() -> None:
    answer = run([bash("a", 'echo hello; echo "$GREETING" > "$CHECK_RESULT"; exit 3', env={"GREETING": "x"})])["a"]
    assert (answer["exit"], answer["said"], answer["result"], answer["timed_out"]) == (3, "hello\n", "x\n", False)


def test_tasks_run_beside_each_other_and_those_that_want_it_alone_first(tmp_path: Path) -> None:
    meet = 'touch "{0}/$0"; for i in $(seq 200); do [ -e {0}/a ] && [ -e {0}/b ] && exit 0; sleep 0.05; done; exit 1'
    tasks = [{**bash(name, ""), "argv": ["bash", "-c", meet.format(tmp_path), name]} for name in ("a", "b")]
    alone = bash("alone", f'[ -z "$(ls {tmp_path})" ]', alone=True)
    assert {name: answer["exit"] for name, answer in run([*tasks, alone]).items()} == {"a": 0, "b": 0, "alone": 0}


def test_a_time_limit_ends_a_task_and_all_it_started(tmp_path: Path) -> None:
    script = f"(sleep 3; touch {tmp_path}/late) & sleep 60"
    answer = run([bash("a", script, timeout_s=0.3)])["a"]
    assert (answer["timed_out"], answer["exit"]) == (True, None)
    time.sleep(3.2)
    assert not list(tmp_path.iterdir())


def test_what_a_task_leaves_running_is_ended(tmp_path: Path) -> None:
    assert run([bash("a", f"(sleep 2; touch {tmp_path}/late) & exit 0")])["a"]["exit"] == 0
    time.sleep(2.2)
    assert not list(tmp_path.iterdir())


def test_a_limit_of_memory_holds() -> None:
    program = [sys.executable, "-c", "x = bytearray(600 << 20); print(len(x))"]
    found = run([{**bash("a", ""), "argv": program, "memory_bytes": 300 << 20}, {**bash("b", ""), "argv": program}])
    assert "MemoryError" in found["a"]["said"]
    assert found["b"]["exit"] == 0


def test_tries_end_with_the_first_failure() -> None:
    assert len(run([bash("a", "true", tries=3)])["a"]["seconds"]) == 3
    assert len(run([bash("a", "false", tries=3)])["a"]["seconds"]) == 1


def test_a_service_runs_while_tests_do_and_is_ended(tmp_path: Path) -> None:
    command = f"touch {tmp_path}/up; trap 'rm {tmp_path}/up; exit 0' TERM; while :; do sleep 0.05; done"
    found = run([bash("a", f"[ -e {tmp_path}/up ]")], [service(command, health=f"[ -e {tmp_path}/up ]")])
    assert (found["s"]["ok"], found["a"]["exit"]) == (True, 0)
    assert not list(tmp_path.iterdir())


def test_a_service_is_asked_by_its_address(tmp_path: Path, free_port: Callable[[], int]) -> None:
    port = free_port()
    found = run([bash("a", "true")], [service(f"{SERVE} {tmp_path} {port}", url=f"http://127.0.0.1:{port}/")])
    assert found["s"]["ok"], found["s"]["said"]
    other = service(f"{SERVE} {tmp_path} {port}", url=f"http://127.0.0.1:{port}/none", timeout_s=0.5)
    found = run([bash("a", "true")], [other])
    assert "not healthy 2 times in a row within 0.5 s" in found["s"]["said"]
    assert "a" not in found


@pytest.fixture
def free_port() -> Callable[[], int]:
    import socket

    def find() -> int:
        with socket.socket() as handle:
            handle.bind(("127.0.0.1", 0))
            port: int = handle.getsockname()[1]
            return port

    return find


def test_a_service_that_ends_before_it_is_healthy_is_not_waited_for() -> None:
    found = run([bash("a", "true")], [service("echo no port; exit 4", health="false", timeout_s=600)])
    assert found["s"]["said"] == "no port\n\nended by itself, with status 4"
    assert "a" not in found


def test_a_service_that_dies_during_the_tests_has_failed(tmp_path: Path) -> None:
    command = f"while [ ! -e {tmp_path}/die ]; do sleep 0.02; done"
    found = run([bash("a", f"touch {tmp_path}/die; sleep 0.3")], [service(command, health="true")])
    assert found["a"]["exit"] == 0
    assert (found["s"]["ok"], found["s"]["said"].strip()) == (False, "ended by itself, with status 0")


def test_no_time_passes_between_the_last_of_a_streak_and_the_tests() -> None:
    one = Service(service("sleep 20", health="true", streak=3))
    slept: list[float] = []
    try:
        assert one.wait(sleep=slept.append) == ""
    finally:
        one.end()
    assert slept == [0.05, 0.05]
