"""`airflow-kubler waivers`: what is waived, until when, and what of it is to be taken out."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import click

from builder.cli.options import json_option
from builder.cli.output import note, show_json, show_text
from builder.cli.root import Context
from builder.cli.waive import last_findings
from builder.cli.waivers_view import render_waivers, waiver_to_dict
from builder.finding.vex import Waiver, dump_vex


@click.command()
@click.argument("stack", default="", metavar="[STACK]")
@click.option(
    "--export",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write those that hold as one OpenVEX document, as `trivy --vex` reads it.",
)
@click.option("--author", default="", metavar="WHO", help="Of that document. Default: the waivers' owners.")
@json_option
@click.pass_obj
def command(context: Context, /, stack: str, file: Path | None, author: str, *, as_json: bool) -> int:
    """Show the waivers for STACK, its parents' among them, or all; exit status 1 where one has expired.

    With STACK and a scan of it on record, it is said which of them waive nothing, and which could be mended.
    """
    from builder.errors import InvalidInputError
    from builder.usecase.waivers import days_left, load_stack_waivers, load_waivers
    from builder.wiring.ledgers import clock

    project, now = context.project(), clock()
    if stack:
        project.load_stack(stack)
    waivers = load_stack_waivers(project, stack) if stack else load_waivers(project)
    holding = tuple(waiver for waiver in waivers if days_left(waiver, now) >= 0)
    if file is not None:
        from builder.cli.output import save_page

        if not holding:
            raise InvalidInputError(
                "nothing is waived", context=stack or "all stacks", hint="there is nothing to write"
            )
        owners = ", ".join(sorted({waiver.owner for waiver in holding}))
        save_page(file, dump_vex(holding, author=author or owners).decode())
    states = _states(context, stack, waivers, now) if stack else {}
    rows = [waiver_to_dict(waiver, days_left(waiver, now), states.get(waiver, "")) for waiver in waivers]
    if as_json:
        show_json(rows)
    elif file is None:
        show_text(render_waivers(rows) if rows else "nothing is waived")
    expired = len(waivers) - len(holding)
    if expired:
        note(f"{expired} expired: mend what they waived, or state a new end with a reason")
    return int(expired > 0)


def _states(context: Context, stack: str, waivers: tuple[Waiver, ...], now: int) -> dict[Waiver, str]:
    from builder.finding.waivers import apply_waivers

    last = last_findings(context, stack)
    if last is None:
        return {}
    found = apply_waivers(last.findings, waivers, dt.datetime.fromtimestamp(now, tz=dt.UTC).date())
    idle = dict.fromkeys(found.idle, "waives nothing")
    return idle | {waiver: f"{finding.fix.version} can be had" for finding, waiver in found.mendable}
