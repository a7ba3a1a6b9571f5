"""The tests of a night: the suites of an image that has not passed them, inside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from builder.nightly.model import Result, Step, StepDone, short_reason

if TYPE_CHECKING:
    from builder.ledger.model import LedgerReader
    from builder.platform import Platform
    from builder.project import Project
    from builder.service.address import LedgerPlace
    from builder.testing.model import CheckReport


def make_test_gate(
    project: Project,
    ledger: LedgerPlace | None,
    output: str,
    suites: Sequence[str],
    jobs: int,
    say: Callable[[str], None],
) -> Callable[[str, str], StepDone]:
    """Make what tests an image that was built into the project's folder; one that has passed by the ledger is left alone.

    Args:
        project: the folder of stacks and locks.
        ledger: where tests are put on record, and were; None for nowhere.
        output: folder of the project that stacks are built into.
        suites: those to run.
        jobs: tests at a time.
        say: told what is being done.
    """

    def test(stack: str, digest: str) -> StepDone:
        from builder.usecase.check_stack import CheckRequest, check_stack
        from builder.usecase.run import read_image
        from builder.wiring.recording import open_recorder
        from builder.wiring.testing import folders_of_tests, make_check_tools

        node, folders = f"stack:{stack}", folders_of_tests(project, stack)
        wanted = [name for name in suites if name != "stack" or folders]
        with open_recorder(ledger) as recorder:
            if recorder is not None and has_passed(recorder.ledger, digest, wanted):
                return StepDone(node=node, step=Step.TEST, result=Result.UNCHANGED, key=digest)
        image = read_image(project.root / output / stack, stack, _host())
        request = CheckRequest(image=image, folders=folders, suites=tuple(suites), jobs=jobs)
        report = check_stack(request, make_check_tools("auto", say))
        with open_recorder(ledger) as recorder:
            if recorder is not None:
                recorder.tested(report)
        return step_of_report(node, digest, report)

    return test


def has_passed(ledger: LedgerReader, digest: str, suites: Sequence[str]) -> bool:
    """Tell whether each suite passed when it last ran on an image."""
    from builder.ledger.events import Tested
    from builder.ledger.queries import event_of, iter_found

    passed: dict[str, bool] = {}
    for entry in iter_found(ledger, "digest", digest, kinds=(Tested.kind,)):
        event = event_of(entry, Tested)
        passed.setdefault(event.name, event.passed)
    return all(passed.get(name, False) for name in suites)


def step_of_report(node: str, digest: str, report: CheckReport) -> StepDone:
    """Say how tests ended: one that did not pass with all that it said, several with their last words."""
    bad = [(suite.name, case) for suite in report.suites for case in suite.cases if case.bad]
    reason = "\n".join(
        f"{suite} {case.name} {case.status}: {case.reason if len(bad) == 1 else _last_words(case.reason)}"
        for suite, case in bad
    )
    return StepDone(
        node=node,
        step=Step.TEST,
        result=Result.DONE if report.passed else Result.FAILED,
        key=digest,
        reason="" if report.passed else short_reason(reason or "no test passed"),
        facts={
            "suites": {suite.name: suite.summary for suite in report.suites},
            "failed": [f"{suite} {case.name}" for suite, case in bad],
        },
    )


def _last_words(reason: str) -> str:
    """Join the last lines: of a program the very last one is no more than its exit status."""
    return " / ".join(line.strip() for line in reason.splitlines()[-2:])


def _host() -> Platform:
    import os

    from builder.platform import platform_of_machine

    return platform_of_machine(os.uname().machine)
