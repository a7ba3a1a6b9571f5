"""What a container told, read as tests that passed or failed. Pure.

Every task that was planned becomes at least one test: what was not told of did not pass.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, assert_never

import msgspec

from builder.errors import InvalidInputError
from builder.testing.inside import SEPARATOR
from builder.testing.junit import parse_junit
from builder.testing.model import MOST_LINES, Case, Status, five_lines
from builder.testing.settings import Service
from builder.testing.tasks import Kind, Task

_NO_TESTS: Final = 5
"""pytest's exit status where a file holds none."""
_PYTEST_RAN: Final = (0, 1)
_MOST_NAMES: Final = 8


class ServiceAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What was told of a service."""

    service: str
    ok: bool
    seconds: float
    said: str


class TaskAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What was told of a task."""

    task: str
    exit: int | None
    timed_out: bool
    seconds: list[float]
    said: str
    result: str


class _Provider(msgspec.Struct, frozen=True, kw_only=True):
    provider: str
    imported: int
    seconds: float
    failed: list[str]
    optional: list[str]
    ended: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """All that a container told."""

    services: Mapping[str, ServiceAnswer]
    tasks: Mapping[str, TaskAnswer]
    beside: str
    """What was said besides: of the entrypoint, or of an interpreter that did not start."""


def parse_answers(log: bytes) -> Answers:
    """Read a container's output. Lines that are no answers, as of a container that died, are kept as what was said."""
    services: dict[str, ServiceAnswer] = {}
    tasks: dict[str, TaskAnswer] = {}
    beside: list[str] = []
    for line in log.decode("utf-8", "replace").split("\n"):
        before, separator, text = line.partition(SEPARATOR)
        try:
            told = msgspec.json.decode(text, type=dict[str, Any]) if separator else {}
            if "service" in told:
                service = msgspec.convert(told, type=ServiceAnswer)
                services[service.service] = service
            elif separator:
                task = msgspec.convert(told, type=TaskAnswer)
                tasks[task.task] = task
        except msgspec.DecodeError:
            before = line
        if before.strip():
            beside.append(before)
    return Answers(services=services, tasks=tasks, beside="\n".join(beside))


def read_cases(
    answers: Answers, tasks: Sequence[Task], services: Sequence[Service], *, ended: str = ""
) -> Iterator[Case]:
    """Make the tests of a container.

    Args:
        answers: what was told.
        tasks: what was planned.
        services: those that were planned beside it.
        ended: how the container ended, if not well.
    """
    down = ""
    for service in services:
        told = answers.services.get(service.name)
        if told is None:
            yield Case(name=f"service {service.name}", status=Status.FAILED, reason=_untold(answers, down, ended))
            continue
        if not told.ok:
            down = down or f"not run: service {service.name} is not healthy"
        status = Status.PASSED if told.ok else Status.FAILED
        yield Case(name=f"service {service.name}", status=status, seconds=told.seconds, reason=five_lines(told.said))
    for task in tasks:
        answer = answers.tasks.get(task.name)
        if answer is None:
            yield Case(name=task.name, status=Status.FAILED, reason=_untold(answers, down, ended))
        else:
            yield from _read_task(task, answer)


def _untold(answers: Answers, down: str, ended: str) -> str:
    return down or five_lines(f"{answers.beside}\nthe container ended before this: {ended or 'without a word'}")


def _read_task(task: Task, answer: TaskAnswer) -> Iterator[Case]:
    seconds = sum(answer.seconds)
    if answer.timed_out:
        reason = five_lines(f"{answer.said}\nnot done within {task.timeout_s} s")
        yield Case(name=task.name, status=Status.TIMED_OUT, seconds=seconds, reason=reason)
        return
    match task.kind:
        case Kind.STATUS:
            yield _by_status(task, answer, seconds)
        case Kind.BUDGET:
            yield _by_budget(task, answer)
        case Kind.PYTEST:
            yield from _by_junit(task, answer, seconds)
        case Kind.PROVIDERS:
            yield from _by_provider(task, answer, seconds)
        case _:
            assert_never(task.kind)


def _by_status(task: Task, answer: TaskAnswer, seconds: float) -> Case:
    if answer.exit == 0:
        return Case(name=task.name, status=Status.PASSED, seconds=seconds)
    reason = five_lines(f"{answer.said}\n{_ending(answer)}")
    return Case(name=task.name, status=Status.FAILED, seconds=seconds, reason=reason)


def _ending(answer: TaskAnswer) -> str:
    status = answer.exit or 0
    return f"ended by signal {-status}" if status < 0 else f"exit status {status}"


def _by_budget(task: Task, answer: TaskAnswer) -> Case:
    if answer.exit != 0:
        return _by_status(task, answer, sum(answer.seconds))
    best = min(answer.seconds)
    reason = f"{best:.1f} s, the best of {len(answer.seconds)}; the budget is {task.budget_s} s"
    status = Status.PASSED if best <= task.budget_s else Status.FAILED
    return Case(name=task.name, status=status, seconds=best, reason=reason)


def _by_junit(task: Task, answer: TaskAnswer, seconds: float) -> Iterator[Case]:
    if answer.exit == _NO_TESTS:
        yield Case(name=task.name, status=Status.FAILED, seconds=seconds, reason="holds no tests")
        return
    try:
        cases = parse_junit(answer.result, name=task.name) if answer.result else ()
    except InvalidInputError as error:
        yield Case(name=task.name, status=Status.FAILED, seconds=seconds, reason=five_lines(str(error)))
        return
    yield from cases
    # pytest that ended otherwise than by a verdict, or by one that no test accounts for.
    accounted = any(case.bad for case in cases) if answer.exit else bool(cases)
    if answer.exit not in _PYTEST_RAN or not accounted:
        yield (
            _by_status(task, answer, seconds)
            if answer.exit
            else Case(name=task.name, status=Status.FAILED, seconds=seconds, reason="pytest left no result")
        )


def _by_provider(task: Task, answer: TaskAnswer, seconds: float) -> Iterator[Case]:
    try:
        found = msgspec.json.decode(answer.result or "null", type=list[_Provider])
    except msgspec.DecodeError:
        found = []
    if answer.exit != 0 or not found:
        reason = five_lines(f"{answer.said}\n{_ending(answer) if answer.exit else 'found no provider'}")
        yield Case(name=task.name, status=Status.FAILED, seconds=seconds, reason=reason)
        return
    yield from (_provider(one) for one in found)


def _provider(one: _Provider) -> Case:
    name = f"provider {one.provider}"
    if one.ended:
        status = Status.TIMED_OUT if one.ended == "timed out" else Status.FAILED
        return Case(name=name, status=status, seconds=one.seconds, reason=f"its imports: {one.ended}")
    if one.failed:
        more = [f"and {len(one.failed) - MOST_LINES + 1} more"] if len(one.failed) > MOST_LINES else []
        lines = [*one.failed[: MOST_LINES - len(more)], *more]
        return Case(name=name, status=Status.FAILED, seconds=one.seconds, reason="\n".join(lines))
    names = [*one.optional[:_MOST_NAMES], *(["..."] if len(one.optional) > _MOST_NAMES else [])]
    optional = f"; may be missing: {', '.join(names)}" if names else ""
    return Case(name=name, status=Status.PASSED, seconds=one.seconds, reason=f"{one.imported} imported{optional}")
