"""`airflow-kubler nightly`: everything locked again, what changed rebuilt, the rest proved unchanged."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from builder.cli.nightly_view import list_nights, render_plan, show_night_page, show_summary
from builder.cli.options import jobs_option, json_option, stacks_argument
from builder.cli.output import note, show_json, show_text, tally
from builder.cli.root import Context

if TYPE_CHECKING:
    from builder.nightly.settings import NightSettings
    from builder.project import Project
    from builder.usecase.night_plan import NightPlan

_FOLDER = "nights"


@click.command()
@stacks_argument
@click.option("--plan", is_flag=True, help="Only show what would be done and why; exit 1 where there is anything.")
@click.option("--anew", is_flag=True, help="Begin a new night, where the last one was not finished.")
@click.option("--take-over", is_flag=True, help="Go on though another machine's night says that it runs.")
@click.option("--commit", is_flag=True, help="Commit the locks that changed, with the report as message.")
@click.option("--branch", metavar="NAME", help="Commit them on this new branch instead; {night} stands for the night.")
@click.option("--list", "listed", is_flag=True, help="List the nights that are on disk.")
@click.option("--show", metavar="NIGHT", help="Show the report of one of them.")
@click.option("--html", is_flag=True, help="With --show: as a page that needs nothing from outside.")
@click.option(
    "--output", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False), help="With --html: write it there."
)
@jobs_option
@json_option
@click.pass_obj
def command(context: Context, /, stacks: tuple[str, ...], *, as_json: bool, **how: Any) -> int:
    """Lock bases and STACKs again within their rules, build and test what changed, scan, push, move channels, report.

    All stacks where none is named; stacks/nightly.toml says what is done and who is told. A night that was killed is
    gone on with. Exit status 1 where anything failed.
    """
    from builder.nightly.summary import summarise
    from builder.usecase.night_settings import load_night_settings
    from builder.wiring.nights import Nights

    _check_options(stacks, **how)
    project = context.project()
    nights = Nights(root=project.root / "build" / _FOLDER)
    if how["listed"]:
        return list_nights(nights, as_json=as_json)
    if how["show"]:
        summary = summarise(nights.read(how["show"]))
        if how["html"]:
            return show_night_page(nights, summary, context.recording(), how["output"])
        return show_summary(summary, as_json=as_json)
    settings = load_night_settings(project)
    for name in stacks:
        project.load_stack(name)
    if how["plan"]:
        plan = _plan(project, settings, stacks)
        show_json(asdict(plan)) if as_json else show_text(render_plan(plan))
        return int(not plan.is_empty)
    from builder.cli.nightly_run import run_night

    return show_summary(run_night(context, nights, settings, stacks, **how), as_json=as_json)


def _check_options(stacks: tuple[str, ...], *, html: bool, output: Path | None, **how: Any) -> None:
    if html and not how["show"]:
        raise click.UsageError("--html shows a night that is over: name it with --show")
    if output and not html:
        raise click.UsageError("--output is of --html")
    if stacks and (how["show"] or how["listed"]):
        raise click.UsageError("--show and --list are of whole nights: name no stacks")


def _plan(project: Project, settings: NightSettings, stacks: tuple[str, ...]) -> NightPlan:
    from builder.usecase.lock_heads import LockHeads
    from builder.usecase.night_plan import plan_night
    from builder.wiring.locks import make_lock_tools
    from builder.wiring.nightly import bases_of, options_of
    from builder.wiring.stores import make_build_store

    with tally("asking the indexes") as watch, make_lock_tools(project, note, refresh=True, watch=watch) as tools:
        known = project.load_stacks()
        bases = bases_of(known, settings, stacks)
        heads = LockHeads(make_build_store())
        return plan_night(project, tools, options_of(settings), bases=bases, names=stacks, heads=heads, stacks=known)
