"""`airflow-kubler rebase`: stacks put on their base as it is locked now, their own layers kept."""

from __future__ import annotations

import time

import click

from builder.cli.options import DEFAULT_FOLDER, jobs_option, json_option, stacks_argument
from builder.cli.output import progress, show_json, show_text
from builder.cli.rebase_view import Done, rebased_json, show_rebased
from builder.cli.root import Context
from builder.errors import BuilderError
from builder.image.layout_reader import FolderLayout
from builder.oci.layout import LayoutImage, parse_layout
from builder.project import Project
from builder.usecase.build import BuildRequest, build
from builder.usecase.rebase import Rebased, compare_layers, rebase, stacks_to_rebase
from builder.usecase.ship import read_image
from builder.wiring.images import build_tools
from builder.wiring.rebasing import make_rebase_tools
from builder.wiring.recording import Recorder, open_recorder


@click.command()
@stacks_argument
@click.option("--check-only", is_flag=True, help="Only say whether the base does; write and build nothing.")
@click.option("--no-build", is_flag=True, help="Write locks, build nothing.")
@jobs_option
@json_option
@click.pass_obj
def command(
    context: Context, stacks: tuple[str, ...], jobs: int, *, check_only: bool, no_build: bool, as_json: bool
) -> int:
    """Put STACKs on their base as it is locked now, keeping every pin and every layer of distributions.

    All stacks whose base was locked again where none is named; parents come first. Nothing is resolved. First the base
    must give every library and symbol that native code of the stack asks: else nothing is written, and exit status is 1.
    """
    project, tools = context.project(), make_rebase_tools()
    loaded = project.load_stacks()
    found: dict[str, Rebased] = {}
    for name in stacks_to_rebase(project, stacks):
        found[name] = rebase(project, loaded, name, found, tools)
    missing = [one for rebased in found.values() for one in rebased.verdict.missing]
    if missing or check_only:
        done = [Done(rebased=rebased) for rebased in found.values()]
    else:
        with open_recorder(context.recording()) as recorder:
            done = [
                _write(project, name, rebased, jobs if not no_build else 0, recorder) for name, rebased in found.items()
            ]
    if as_json:
        show_json([rebased_json(one) for one in done])
    else:
        for one in done:
            show_rebased(one, written=not (missing or check_only))
        if not done:
            show_text("every stack is on its base as it is locked")
    return 1 if missing else 0


def _write(project: Project, name: str, rebased: Rebased, jobs: int, recorder: Recorder | None) -> Done:
    """Write a lock, and build it with so many jobs; 0 to build nothing."""
    started = time.monotonic()
    layout, path = project.root / DEFAULT_FOLDER / name, project.stack_lock_path(name)
    try:
        before = read_image(layout, lock=path)
    except BuilderError:
        before = None
    project.save_lock(path, rebased.lock)
    if recorder is not None:
        recorder.locked(project.locks_folder, [name])
    if not jobs:
        return Done(rebased=rebased)
    request = BuildRequest(stack=name, locks=project.locks_folder, output=layout)
    summary = build(request, build_tools(jobs, lambda total: progress(f"build {name}", total)))
    if recorder is not None:
        recorder.built(request, summary, engine="own", started=started)
    after: LayoutImage = parse_layout(FolderLayout(layout))
    changes = compare_layers(before, after) if before is not None else None
    return Done(rebased=rebased, digest=summary["index_digest"], changes=changes)
