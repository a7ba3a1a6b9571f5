"""`airflow-kubler deploy`: checks of what is to be deployed."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import click
import msgspec

from builder.cli.deploy_view import render_annotations, render_report
from builder.cli.options import json_option
from builder.cli.output import show_json, show_text
from builder.cli.root import Context
from builder.usecase.deploy_check import CheckRequest, check_manifests
from builder.wiring.ledgers import clock, open_ledger


@click.group()
def command() -> None:
    """Check what is to be deployed against what channels stand for."""


@command.command()
@click.option(
    "--stack",
    "stacks",
    metavar="STACK[=CHANNEL]",
    multiple=True,
    required=True,
    help="Stack whose image may run, with its channel where that is another; may be repeated.",
)
@click.option("--channel", metavar="CHANNEL", default="", help="Channel of the stacks that name none.")
@click.option("--allow", metavar="REFERENCE", multiple=True, help="Further image, by digest; may be repeated.")
@click.option("--github", is_flag=True, help="Print annotations as GitHub Actions reads them.")
@json_option
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.pass_obj
def check(
    context: Context,
    stacks: tuple[str, ...],
    files: tuple[Path, ...],
    *,
    channel: str,
    allow: tuple[str, ...],
    github: bool,
    as_json: bool,
) -> int:
    """Check that every image in rendered manifests is what a channel stands for, or is allowed beside it.

    FILEs are files, folders, and - for standard input. Exit status 1 where anything is not pinned to a recorded digest.
    """
    pairs = tuple((stack, own or channel) for stack, _, own in (text.partition("=") for text in stacks))
    if not all(stack and name for stack, name in pairs):
        raise click.UsageError("name a channel, by --channel or as --stack STACK=CHANNEL")
    request = CheckRequest(
        channels=pairs,
        files=files,
        allow=allow,
        stacks_folder=context.stacks_folder(),
        today=dt.datetime.fromtimestamp(clock(), dt.UTC).date(),
    )
    with open_ledger(context.ledger_place()) as ledger:
        report = check_manifests(ledger, request)
    if as_json:
        show_json(msgspec.to_builtins(report))
    else:
        show_text(render_annotations(report) if github else render_report(report))
    return 0 if report.ok else 1
