"""`airflow-kubler nightly`: everything locked again, what changed rebuilt, the rest proved unchanged."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

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
@click.option("--list", "listed", is_flag=True, help="List the nights that are on disk.")
@click.option("--show", metavar="NIGHT", help="Show the report of one of them.")
@jobs_option
@json_option
@click.pass_obj
def command(context: Context, /, stacks: tuple[str, ...], *, as_json: bool, **how: Any) -> int:
    """Lock bases and STACKs again within their rules, build and test what changed, scan, push, move channels, report.

    All stacks where none is named; stacks/nightly.toml says what is done. A night that was killed is gone on with. Exit
    status 1 where anything failed.
    """
    from builder.cli.nightly_run import run_night
    from builder.cli.nightly_view import list_nights, render_plan, show_summary
    from builder.nightly.summary import summarise
    from builder.wiring.nights import Nights

    project = context.project()
    nights = Nights(root=project.root / "build" / _FOLDER)
    if how["listed"]:
        return list_nights(nights, as_json=as_json)
    if how["show"]:
        return show_summary(summarise(nights.read(how["show"])), as_json=as_json)
    settings = _settings(project)
    _check_names(project, stacks)
    if how["plan"]:
        plan = _plan(project, settings, stacks)
        show_json(asdict(plan)) if as_json else show_text(render_plan(plan))
        return int(not plan.is_empty)
    summary = run_night(context, nights, settings, stacks, **how)
    return show_summary(summary, as_json=as_json)


def _plan(project: Project, settings: NightSettings, stacks: tuple[str, ...]) -> NightPlan:
    from builder.usecase.night_plan import plan_night
    from builder.wiring.locks import make_lock_tools
    from builder.wiring.nightly import bases_of, options_of

    with tally("asking the indexes") as watch, make_lock_tools(project, note, refresh=True, watch=watch) as tools:
        bases = bases_of(project, settings, stacks)
        return plan_night(project, tools, options_of(settings), bases=bases, names=stacks)


def _settings(project: Project) -> NightSettings:
    from builder.nightly.settings import NightSettings, parse_settings

    path = project.nightly_path
    return parse_settings(path.read_bytes()) if path.is_file() else NightSettings()


def _check_names(project: Project, stacks: tuple[str, ...]) -> None:
    for name in stacks:
        project.load_stack(name)
