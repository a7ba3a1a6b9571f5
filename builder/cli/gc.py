"""`airflow-kubler gc`: old images out of a repository."""

from __future__ import annotations

import datetime as dt
from typing import IO

import click

from builder.cli.gc_ran import digests_to_keep
from builder.cli.gc_view import garbage_json, garbage_text
from builder.cli.options import json_option, workers_option
from builder.cli.output import note, progress, show_json, show_text
from builder.cli.root import Context
from builder.registry.garbage import Retention, plan_garbage
from builder.registry.model import parse_repository
from builder.usecase.registry_gc import check_moved, delete_garbage, read_contents
from builder.wiring.recording import open_recorder
from builder.wiring.registries import make_registry


@click.command()
@click.argument("repository")
@click.option(
    "--days", type=click.IntRange(min=0), default=30, metavar="N", help="Keep tags of so many days. Default: 30."
)
@click.option(
    "--last",
    type=click.IntRange(min=0),
    default=3,
    metavar="N",
    help="Keep so many of each stack, however old. Default: 3.",
)
@click.option(
    "--ran",
    type=click.File("r", encoding="utf-8", errors="replace"),
    metavar="FILE",
    help="Keep images whose digests stand in it; - for standard input. Default: what the ledger saw in --days.",
)
@click.option("--yes", "-y", is_flag=True, help="Delete; else only show what would go.")
@workers_option
@json_option
@click.pass_obj
def command(
    context: Context,
    /,
    repository: str,
    days: int,
    last: int,
    ran: IO[str] | None,
    workers: int,
    *,
    yes: bool,
    as_json: bool,
) -> None:
    """Delete images of REPOSITORY that nothing uses: by default only show them.

    Kept are what channels stand for, tags of the last days, the last ones of each stack, what ran, and all that these
    need or that refers to them: platforms, archives, signatures.
    """
    place = parse_repository(repository)
    retention = Retention(
        today=dt.datetime.now(dt.UTC).date(),
        days=days,
        last=last,
        ran=digests_to_keep(context, ran, days),
    )
    with open_recorder(context.recording() if yes else None) as recorder, make_registry() as registry:
        contents = read_contents(registry, place, ran=retention.ran, workers=workers)
        plan = plan_garbage(contents, retention)
        if yes and plan.garbage:
            check_moved(registry, place, contents, plan)
            with progress("deleting", len(plan.garbage), unit="manifests") as tell:
                delete_garbage(registry, place, contents, plan, lambda _: tell(1))
            if recorder is not None:
                recorder.removed(place, plan.garbage, f"not used: {', '.join(plan.dropped)}")
            check_moved(registry, place, contents, plan, deleted=True)
    for what, why in sorted(contents.unread.items()):
        note(f"left alone: {place}: {what}: {why}")
    if as_json:
        show_json(garbage_json(place, contents, plan, deleted=yes))
    else:
        show_text(garbage_text(place, plan, deleted=yes))
