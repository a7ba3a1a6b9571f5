"""`airflow-kubler init`: start a folder of stacks."""

from __future__ import annotations

from pathlib import Path

import click

from builder.cli.options import DEFAULT_STACK
from builder.cli.output import show_text
from builder.usecase.init import DEFAULT_AIRFLOW_VERSION, DEFAULT_BASE, init_project


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, file_okay=False))
@click.option("--stack", default=DEFAULT_STACK, show_default=True, metavar="NAME", help="Name of the first stack.")
@click.option("--base", default=DEFAULT_BASE, show_default=True, metavar="NAME", help="Base it stands on.")
@click.option(
    "--airflow",
    "airflow_version",
    default=DEFAULT_AIRFLOW_VERSION,
    show_default=True,
    metavar="VERSION",
    help="Version of Airflow.",
)
def command(folder: Path, stack: str, base: str, airflow_version: str) -> None:
    """Start a folder of stacks in DIR: one stack, the bases, rules of channels, and what git must leave out.

    Nothing that is there is overwritten.
    """
    paths = init_project(folder, stack=stack, base=base, airflow_version=airflow_version)
    written = "\n".join(f"  {folder / path}" for path in paths)
    steps = (
        *(() if folder.resolve() == Path.cwd() else (f"cd {folder}",)),
        f"edit stacks/{stack}/stack.toml",
        f"airflow-kubler lock {stack}",
        f"airflow-kubler fetch {stack}",
        f"airflow-kubler build {stack}",
        f"airflow-kubler run {stack} -- airflow version",
    )
    show_text(f"Written:\n{written}\nNext:\n" + "\n".join(f"  {step}" for step in steps))
