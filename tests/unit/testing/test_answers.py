"""What a container told, read as tests."""

from __future__ import annotations

import json

from builder.testing.answers import Answers, parse_answers, read_cases
from builder.testing.model import Case, Status, SuiteReport
from builder.testing.settings import Service
from builder.testing.tasks import Kind, Task

SERVICE = Service(name="web", command="web", url="http://127.0.0.1/")


def make_task(kind: Kind = Kind.STATUS, *, budget_s: int = 0) -> Task:
    return Task(name="t", kind=kind, argv=("t",), timeout_s=9, budget_s=budget_s)


def told(**answer: object) -> bytes:
    whole = {"task": "t", "exit": 0, "timed_out": False, "seconds": [1.0], "said": "", "result": ""} | answer
    return b"\x1e" + json.dumps(whole).encode() + b"\n"


def cases(log: bytes, task: Task, *, ended: str = "") -> list[Case]:
    return list(read_cases(parse_answers(log), [task], [], ended=ended))


def test_exit_status_decides() -> None:
    assert cases(told(), make_task()) == [Case(name="t", status=Status.PASSED, seconds=1.0)]
    (bad,) = cases(told(exit=3, said="1\n2\n3\n4\n5\n6\n"), make_task())
    assert (bad.status, bad.reason) == (Status.FAILED, "3\n4\n5\n6\nexit status 3")
    (killed,) = cases(told(exit=-9), make_task())
    assert killed.reason == "ended by signal 9"


def test_a_time_limit_is_told_apart_from_a_failure() -> None:
    (case,) = cases(told(exit=None, timed_out=True, said="still here"), make_task(Kind.PYTEST))
    assert (case.status, case.reason) == (Status.TIMED_OUT, "still here\nnot done within 9 s")


def test_the_best_of_several_times_is_held_against_the_budget() -> None:
    log = told(seconds=[9.0, 2.0, 30.0])
    assert cases(log, make_task(Kind.BUDGET, budget_s=2)) == [
        Case(name="t", status=Status.PASSED, seconds=2.0, reason="2.0 s, the best of 3; the budget is 2 s")
    ]
    assert cases(log, make_task(Kind.BUDGET, budget_s=1))[0].status is Status.FAILED
    assert cases(told(exit=1, said="boom"), make_task(Kind.BUDGET, budget_s=9))[0].reason == "boom\nexit status 1"


def test_each_test_of_a_pytest_file_is_one() -> None:
    xml = '<testsuites><testcase name="a" time="1"/><testcase name="b" time="2"><failure message="m"/></testcase></testsuites>'
    found = cases(told(exit=1, result=xml), make_task(Kind.PYTEST))
    assert [(case.name, case.status, case.reason) for case in found] == [
        ("t::a", Status.PASSED, ""),
        ("t::b", Status.FAILED, "m"),
    ]


def test_pytest_that_ends_badly_did_not_pass_whatever_its_file_says() -> None:
    good = '<testsuites><testcase name="a" time="1"/></testsuites>'
    for log, reason in (
        (told(exit=-11, result=good), "ended by signal 11"),
        (told(exit=1, result=good, said="in teardown"), "in teardown\nexit status 1"),
        (told(exit=5), "holds no tests"),
        (told(exit=0), "pytest left no result"),
        (told(exit=1, said="no module"), "no module\nexit status 1"),
        (told(exit=0, result="<a"), "t: is no JUnit file: unclosed token: line 1, column 0"),
    ):
        assert [case.reason for case in cases(log, make_task(Kind.PYTEST)) if case.bad] == [reason]


def test_each_provider_is_a_test() -> None:
    one = {"provider": "http", "imported": 6, "seconds": 0.5, "failed": [], "optional": ["x"], "ended": ""}
    two = one | {"provider": "aws", "failed": [f"m{n}: ImportError" for n in range(7)]}
    three = one | {"provider": "gcp", "ended": "died of signal 11"}
    found = cases(told(result=json.dumps([one, two, three])), make_task(Kind.PROVIDERS))
    assert [(case.name, case.status) for case in found] == [
        ("provider http", Status.PASSED),
        ("provider aws", Status.FAILED),
        ("provider gcp", Status.FAILED),
    ]
    assert found[0].reason == "6 imported; may be missing: x"
    assert found[1].reason.splitlines()[-1] == "and 3 more"
    assert len(found[1].reason.splitlines()) == 5
    assert found[2].reason == "its imports: died of signal 11"


def test_an_image_without_providers_or_with_a_probe_that_died_fails() -> None:
    assert cases(told(result="[]"), make_task(Kind.PROVIDERS))[0].reason == "found no provider"
    assert cases(told(exit=1, said="no airflow"), make_task(Kind.PROVIDERS))[0].reason == "no airflow\nexit status 1"


def test_what_was_not_told_of_did_not_pass() -> None:
    (case,) = cases(b"/entrypoint: python: not found\n", make_task(), ended="exit status 127")
    assert case.status is Status.FAILED
    assert case.reason == "/entrypoint: python: not found\nthe container ended before this: exit status 127"


def test_answers_before_a_container_died_hold_and_half_a_line_does_not() -> None:
    log = b"warning\n" + told() + told(task="u")[:-20]
    found = parse_answers(log)
    assert list(found.tasks) == ["t"]
    assert found.beside.startswith("warning\n\x1e")


def test_tests_beside_a_service_that_is_down_say_so() -> None:
    down = b'\x1e{"service": "web", "ok": false, "seconds": 3, "said": "port taken"}\n'
    found = list(read_cases(parse_answers(down), [make_task()], [SERVICE]))
    assert [(case.name, case.status, case.reason) for case in found] == [
        ("service web", Status.FAILED, "port taken"),
        ("t", Status.FAILED, "not run: service web is not healthy"),
    ]


def test_a_service_that_was_never_told_of_failed() -> None:
    (case,) = read_cases(Answers(services={}, tasks={}, beside=""), [], [SERVICE], ended="it did not end in time")
    assert case.reason == "the container ended before this: it did not end in time"


def test_a_suite_in_which_nothing_passed_has_not_passed() -> None:
    skipped = Case(name="a", status=Status.SKIPPED)
    passed = Case(name="b", status=Status.PASSED)
    assert not SuiteReport(name="stack", cases=(skipped,), seconds=0).passed
    suite = SuiteReport(name="stack", cases=(skipped, passed), seconds=0)
    assert (suite.passed, suite.summary) == (True, "1 passed, 1 skipped")
