"""`airflow-kubler push`: an image into a registry."""

from __future__ import annotations

import datetime as dt
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from builder.cli.options import DEFAULT_FOLDER, json_option, reference_or_repository, stack_argument, workers_option
from builder.cli.output import progress, show_json, show_text
from builder.cli.push_view import push_plan_json, push_plan_text, pushed_json, pushed_text
from builder.cli.root import Context
from builder.registry.model import Repository, parse_repository
from builder.usecase.ship import ShipRequest, plan_ship, read_image, ship
from builder.wiring.push_signing import PushSigning
from builder.wiring.recording import open_recorder
from builder.wiring.registries import make_registry


def _parse_day(ctx: click.Context, param: click.Parameter, value: str | None) -> str:
    del ctx, param
    if value is None:
        return dt.datetime.now(dt.UTC).strftime("%Y%m%d")
    try:
        return dt.datetime.strptime(value, "%Y%m%d").replace(tzinfo=dt.UTC).strftime("%Y%m%d")
    except ValueError as error:
        raise click.BadParameter("must be a day, as 20261124") from error


@click.command()
@click.argument("repository", callback=reference_or_repository)
@stack_argument
@click.option(
    "--layout",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="OCI layout to push. Default: build/STACK in the project, if its lock is the one here.",
)
@click.option("--tag", "-t", "tags", multiple=True, metavar="TAG", help="A channel to move here; may be repeated.")
@click.option("--day", callback=_parse_day, metavar="YYYYMMDD", help="Of the immutable tag. Default: today, in UTC.")
@click.option("--no-dated", is_flag=True, help="Give no immutable tag of the form STACK-YYYYMMDD.N.")
@click.option("--mount-from", multiple=True, metavar="REPOSITORY", help="Of the same registry: may lend blobs.")
@click.option("--sign-by", metavar="KEY", help="Sign it once it is there: what `sign --key` takes.")
@click.option("--dry-run", "-n", is_flag=True, help="Only say what would be sent.")
@workers_option
@json_option
@click.pass_obj
def command(
    context: Context,
    /,
    repository: tuple[Repository, str | None],
    stack: str,
    *,
    dry_run: bool,
    as_json: bool,
    **how: Any,
) -> None:
    """Push the image of STACK to REPOSITORY, as registry.example.org/team/airflow, under a tag of its own.

    The tag is STACK-YYYYMMDD.N, and never moves; an image that has one already keeps it. What --tag names moves, unless
    it is of that form. Blobs that are there are not sent, and tags are written last, after the signature of --sign-by.
    """
    folder, lock = how["layout"], None
    if folder is None:
        project = context.project()
        folder, lock = project.root / DEFAULT_FOLDER / stack, project.stack_lock_path(stack)
    image = read_image(folder, lock=lock)
    target, tag = repository
    request = ShipRequest(
        layout=folder,
        repository=target,
        day=how["day"],
        tags=(*((tag,) if tag else ()), *how["tags"]),
        dated=not how["no_dated"],
        mount_from=tuple(parse_repository(name) for name in how["mount_from"]),
        workers=how["workers"],
    )
    with ExitStack() as later:
        recorder = later.enter_context(open_recorder(None if dry_run else context.recording()))
        registry = later.enter_context(make_registry())
        signing = PushSigning(registry, later, None if dry_run else how["sign_by"])
        plan = plan_ship(registry, request, image)
        if dry_run:
            show_json(push_plan_json(plan)) if as_json else show_text(push_plan_text(plan))
            return
        with progress(f"push {image.name}", plan.transfer.bytes_to_send) as tell:
            done = ship(registry, request, plan, progress=lambda blob, _: tell(blob.size), arrived=signing.sign)
        if recorder is not None:
            recorder.pushed(done)
            recorder.sealed(signing.sealed)
    if as_json:
        show_json(pushed_json(done, signing.sealed))
    else:
        show_text(pushed_text(done))
