"""The scan of a night: today's database over an image, and what the image before had by the last scan on record."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING

from builder.nightly.model import Result, Step, StepDone

if TYPE_CHECKING:
    from builder.finding.document import Findings
    from builder.project import Project
    from builder.service.address import LedgerPlace


def make_scan_gate(
    project: Project, ledger: LedgerPlace | None, output: str, now: int, say: Callable[[str], None]
) -> Callable[[str, str], StepDone]:
    """Make what scans an image that was built into the project's folder.

    Args:
        project: the folder of stacks and locks.
        ledger: where scans are put on record, and were; None for nowhere.
        output: folder of the project that stacks are built into.
        now: seconds since the epoch.
        say: told what nothing vouches for.
    """

    def scan(stack: str, digest: str) -> StepDone:
        from builder.usecase.scan_record import iter_scans
        from builder.usecase.scan_run import ScanRequest, ScanWorld, run_scan
        from builder.usecase.waivers import load_scan_settings
        from builder.wiring.ledgers import open_ledger, this_actor
        from builder.wiring.scanning import ScanChoice, make_fix_finders, open_places, open_scan_tools

        settings = load_scan_settings(project)
        with ExitStack() as later:
            book = later.enter_context(open_ledger(ledger, write=True)) if ledger is not None else None
            before = next(iter_scans(book, stack), None) if book is not None else None
            world = ScanWorld(
                project=project,
                places=later.enter_context(open_places(project, book, output)),
                open_tools=lambda: open_scan_tools(settings, ScanChoice(), now, say),
                open_fixers=lambda project, base: make_fix_finders(project, base, say, snapshot=None),
                ledger=book,
                record=book,
                actor=this_actor(),
                now=now,
            )
            outcome = run_scan(ScanRequest(text=stack), world)
        return step_of_scan(f"stack:{stack}", digest, before, outcome.scan.found, outcome.scan.result)

    return scan


def step_of_scan(node: str, digest: str, before: Findings | None, found: Findings, result: str) -> StepDone:
    """Say what a scan found, and what is fixed and new since the scan before."""
    from collections import Counter

    from builder.finding.changes import compare_findings

    changes = compare_findings(before.findings if before else (), found.findings)
    fixed, new = (tuple(dict.fromkeys(one.id for one in rows)) for rows in (changes.fixed, changes.new))
    return StepDone(
        node=node,
        step=Step.SCAN,
        result=Result.DONE if fixed or new else Result.UNCHANGED,
        key=digest,
        facts={
            "result": result,
            "counts": dict(Counter(one.severity.value for one in found.findings)),
            "fixed": list(fixed),
            "new": list(new),
            "scanner": f"{found.scanner.name} {found.scanner.version}",
        },
    )
