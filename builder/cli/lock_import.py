"""`airflow-kubler lock import`: start a stack from what a team has."""

from __future__ import annotations

from pathlib import Path

import click

from builder.cli.output import note, show_text
from builder.cli.root import Context
from builder.errors import InvalidInputError

_MANY_PINS = 20


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--stack", "name", required=True, metavar="NAME", help="The stack to start.")
@click.option("--airflow", metavar="VERSION", help="Airflow's version, where the files do not name it.")
@click.option("--base", metavar="NAME", help="The base; else the one with the Python that the files name.")
@click.pass_obj
def command(context: Context, files: tuple[Path, ...], name: str, airflow: str | None, base: str | None) -> None:
    """Write stacks/NAME/stack.toml from FILES: requirements.txt, pylock.toml, or a Dockerfile on the official image.

    What cannot be taken over is told by file and line. Nothing is overwritten.
    """
    from builder.project import create_files
    from builder.stack.names import check_name
    from builder.usecase.import_ import read_files, render_stack

    project = context.project()
    if problem := check_name(name, context="--stack"):
        raise problem
    found = read_files(
        tuple(path.as_posix() for path in files),
        lambda path: Path(path).read_text(encoding="utf-8") if Path(path).is_file() else None,
    )
    version = airflow or found.airflow
    if version is None:
        raise InvalidInputError("no file names Airflow's version", context=str(files[0]), hint="say it with --airflow")
    bases = project.load_bases()
    fitting = [one.name for one in bases.values() if found.python in {None, one.python}]
    if base is None and not fitting:
        raise InvalidInputError(
            f"no base has Python {found.python}",
            context=str(files[0]),
            hint=f"take one with --base: {', '.join(bases)}",
        )
    text = render_stack(
        found, description=f"From {', '.join(path.name for path in files)}", airflow=version, base=base or fitting[-1]
    )
    create_files(project.root, {f"stacks/{name}/stack.toml": text.encode()})
    for line in found.notes:
        note(line)
    pins = sum("==" in text for text in found.requirements)
    if pins > _MANY_PINS:
        note(f"{pins} exact pins, as of a freeze: keep what you ask for and take the rest out, the lock pins it all")
    count = len(found.requirements)
    show_text(f"stacks/{name}/stack.toml: {count} requirement{'' if count == 1 else 's'}, Airflow {version}")
    show_text(f"next: airflow-kubler lock {name}")
