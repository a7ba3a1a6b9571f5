"""`run STACK -- COMMAND`: a command in a stack's image."""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from builder.cli.options import default_jobs, host_platform
from builder.cli.output import progress
from builder.cli.root import Context
from builder.platform import PLATFORMS, parse_platform
from builder.run.engines import AUTO, NAMES

if TYPE_CHECKING:
    from builder.usecase.run import BuildImage


@click.command(name="run")
@click.option("--platform", "platform_name", type=click.Choice(tuple(PLATFORMS)), help="Default: this machine's.")
@click.option(
    "--layout",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="OCI layout that holds the image, by whatever engine it was built. Default: build it from the lock.",
)
@click.option("--engine", type=click.Choice((AUTO, *NAMES)), default=AUTO, show_default=True, help="What runs it.")
@click.option("--read-only/--writable", default=True, show_default=True, help="The root file system.")
@click.option("--network", type=click.Choice(("host", "none")), default="host", show_default=True)
@click.option("--volume", "-v", "volumes", multiple=True, metavar="SOURCE:TARGET[:ro]", help="A folder to show.")
@click.option("--env", "-e", "env", multiple=True, metavar="NAME[=VALUE]", help="A variable to set or hand on.")
@click.option("--workdir", "-w", metavar="PATH", help="Where the command starts. Default: the image's own.")
@click.option(
    "--home",
    type=click.Path(path_type=Path, file_okay=False),
    help="A folder that keeps AIRFLOW_HOME; without it a fresh one is used and removed.",
)
@click.argument("stack")
@click.argument("command", nargs=-1, metavar="[-- COMMAND...]")
@click.pass_obj
def command(  # noqa: PLR0913 - one parameter for each option
    context: Context,
    *,
    stack: str,
    command: tuple[str, ...],
    platform_name: str | None,
    engine: str,
    network: str,
    layout: Path | None,
    volumes: tuple[str, ...],
    env: tuple[str, ...],
    workdir: str | None,
    home: Path | None,
    read_only: bool,
) -> int:
    """Run COMMAND in a stack's image, building it first if needed.

    COMMAND is handed to the image's entrypoint: `bash`, `python`, or else a command of airflow.

    airflow-kubler run core -- airflow version
    """
    from builder.run.model import RunWish
    from builder.usecase.run import parse_env, parse_volume, read_image, run_stack
    from builder.wiring.images import make_engines, make_image_builder

    wish = RunWish(
        command=command,
        env=parse_env(env, os.environ),
        volumes=tuple(parse_volume(text) for text in volumes),
        workdir=workdir,
        home=home.absolute() if home else None,
        read_only=read_only,
        network=network,
        terminal=sys.stdin.isatty() and sys.stdout.isatty(),
    )
    platform = parse_platform(platform_name) if platform_name else host_platform()
    build: BuildImage
    if layout is not None:
        build = partial(read_image, layout)
    else:
        build = make_image_builder(context.project(), default_jobs(), lambda total: progress(f"build {stack}", total))
    return run_stack(stack, platform, wish, engines=make_engines(), engine=engine, build=build)
