"""`airflow-kubler licences`: the licences of all that is in an image, held against the rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from builder.cli.options import DEFAULT_STACK, default_jobs, json_option, platform_option
from builder.cli.output import note, progress, render_table, show_json, show_text
from builder.cli.root import Context
from builder.platform import Platform

if TYPE_CHECKING:
    from builder.licence.judge import Judged, Judgement

_WIDEST = 60


@click.command()
@click.argument("image", default=DEFAULT_STACK, metavar="[STACK|IMAGE]")
@platform_option
@click.option("--all", "everything", is_flag=True, help="Show what is allowed too.")
@click.option("--record", is_flag=True, help="Put it on record of the IMAGE: channels with `licences` ask for it.")
@json_option
@click.pass_obj
def command(
    context: Context, /, image: str, platforms: tuple[Platform, ...], *, everything: bool, record: bool, as_json: bool
) -> int:
    """Hold the licences of STACK as it is locked, or of an IMAGE that the ledger knows, against stacks/licences.toml.

    Exit status 1 where one is denied, unknown, in no list, or its exception has ended.
    """
    from builder.errors import InvalidInputError
    from builder.usecase.licences import judge_licences, judgement_to_dict, licences_event, load_licence_rules
    from builder.wiring.bills import make_fact_tools, open_image, this_day
    from builder.wiring.recording import open_recorder

    project = context.project()
    rules = load_licence_rules(project)
    opened = open_image(project, context.recording(), image)
    if record and not opened.digest:
        hint = "build it, then name the image by its digest"
        raise InvalidInputError("is a stack, and no image that could be on record", context=image, hint=hint)
    tools = make_fact_tools(default_jobs(), lambda total: progress(f"read {opened.stack}", total))
    chosen = opened.platforms(platforms, None) if platforms else opened.all_platforms()
    if record and set(chosen) != set(opened.all_platforms()):
        raise click.UsageError("What is on record is of the whole image: leave out --platform.")
    judgement = judge_licences(opened, chosen, rules, tools, today=this_day())
    if record:
        event, report = licences_event(judgement, opened.digest)
        with open_recorder(context.recording()) as recorder:
            if recorder is not None:
                recorder.told(event, report)
    if as_json:
        show_json({"stack": opened.stack, "image": opened.digest or None, **judgement_to_dict(judgement)})
    else:
        show_text(_render(judgement, everything=everything))
        for entry in judgement.unused:
            note(f"stacks/licences.toml: {entry.subject} says something else by now: {entry.licence} does not apply")
    return int(not judgement.is_good)


def _render(judgement: Judgement, *, everything: bool) -> str:
    rows = [row for row in judgement.rows if everything or not row.is_good]
    counts = ", ".join(f"{count} {outcome}" for outcome, count in judgement.counts.items())
    lines = [counts + (f"; holds until {judgement.until}" if judgement.until else "")]
    if rows:
        header = ("package", "version", "licence", "verdict", "why")
        cells = [(_name(row), row.package.version, _cut(row.expression), row.verdict.word, _why(row)) for row in rows]
        lines += ["", render_table(header, cells)]
    return "\n".join(lines)


def _name(row: Judged) -> str:
    package = row.package
    return f"{package.name} in {package.inside}" if package.inside else f"{package.sort} {package.name}"


def _cut(text: str) -> str:
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 3]}..."


def _why(row: Judged) -> str:
    if row.exemption is not None:
        holds = "until" if row.is_good else "ended"
        return f"{row.exemption.owner}: {row.exemption.reason} (exception, {holds} {row.exemption.expires})"
    licence = row.package.licence
    if row.conclusion is not None:
        return f"{row.conclusion.owner}: {row.conclusion.reason}"
    if not licence.is_known and licence.said_digest:
        return f"says {_cut(licence.said)!r}; statements {licence.said_digest}"
    return f"from {licence.source}" if licence.source else "it says nothing"
