"""`airflow-kubler scan`: what is known to be weak in an image, and whose it is."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import click

from builder.cli.options import DEFAULT_FOLDER, DEFAULT_STACK, json_option, platform_option
from builder.cli.output import note, show_json, show_text
from builder.cli.root import Context, Verb
from builder.cli.subverbs import VerbWithSubverbs

if TYPE_CHECKING:
    from builder.project import Project
    from builder.usecase.scan_run import ScanOutcome, ScanRequest
    from builder.wiring.scanning import ScanChoice


class _Scan(VerbWithSubverbs):
    subverbs: ClassVar = {
        "db": Verb("builder.cli.scan_db:command", "List, pull, push and add the scanner's databases.")
    }


@click.command(cls=_Scan)
@click.argument("target", default=DEFAULT_STACK, metavar="[STACK|DIGEST|REFERENCE]")
@click.option(
    "--layout",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    metavar="DIR",
    help="OCI layout that holds it. Default: build/STACK in the project, else the registry.",
)
@platform_option
@click.option("--channel", default="", metavar="CHANNEL", help="Judge by its gate. Default: by all that have one.")
@click.option("--before", metavar="IMAGE", help="Say what is fixed and new since that image, scanned alike.")
@click.option("--check-fixes", is_flag=True, help="Ask indexes and mirrors for what mends each finding.")
@click.option("--snapshot", metavar="ID", help="With --check-fixes: ask this snapshot of the indexes, offline.")
@click.option("--trivy", type=click.Path(path_type=Path, dir_okay=False), help="The program; else the configured one.")
@click.option("--database", default="", metavar="DIGEST|DIR", help="Else the pinned one, else the newest that is here.")
@click.option("--record", is_flag=True, help="Put it on record in the ledger, where channels ask for it.")
@json_option
@click.pass_obj
def command(context: Context, /, target: str, *, as_json: bool, **how: Any) -> int:
    """Scan an image by Trivy, shut in and without network, and say whose each finding is.

    Exit status 0: clean, waived, or below the gates; 1: findings over a gate; 4: not scanned, which is never taken for
    clean.
    """
    from builder.cli.scan_view import outcome_to_dict, render_outcome
    from builder.usecase.scan_run import ScanRequest
    from builder.wiring.scanning import ScanChoice

    snapshot, record = how.pop("snapshot"), how.pop("record")
    choice = ScanChoice(program=how.pop("trivy"), database=how.pop("database"))
    if snapshot and not how["check_fixes"]:
        raise click.UsageError("--snapshot goes with --check-fixes")
    outcome = _carry_out(context, ScanRequest(text=target, **how), choice, snapshot, record=record)
    show_json(outcome_to_dict(outcome)) if as_json else show_text(render_outcome(outcome))
    return int(outcome.stops)


def _carry_out(
    context: Context, request: ScanRequest, choice: ScanChoice, snapshot: str | None, *, record: bool
) -> ScanOutcome:
    from builder.scan.settings import ScanSettings
    from builder.usecase.scan_run import ScanWorld, run_scan
    from builder.usecase.waivers import load_scan_settings
    from builder.wiring.ledgers import clock, open_ledger, this_actor
    from builder.wiring.scanning import make_fix_finders, open_places, open_scan_tools

    project, now = _project(context), clock()
    settings = load_scan_settings(project) if project else ScanSettings()
    path = context.ledger_place() if record else context.recording()
    with ExitStack() as later:
        ledger = later.enter_context(open_ledger(path, write=record)) if path else None
        world = ScanWorld(
            project=project,
            places=later.enter_context(open_places(project, ledger, DEFAULT_FOLDER)),
            open_tools=lambda: open_scan_tools(settings, choice, now, note),
            open_fixers=lambda project, base: make_fix_finders(project, base, note, snapshot=snapshot),
            ledger=ledger,
            record=ledger if record else None,
            actor=this_actor(),
            now=now,
        )
        return run_scan(request, world)


def _project(context: Context) -> Project | None:
    """Find the project, where there is one."""
    return context.project() if context.stacks_folder() is not None else None
