"""`airflow-kubler rebase`: stacks put on their base as it is locked now, their own layers kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import click

from builder.cli.build import DEFAULT_FOLDER
from builder.cli.options import jobs_option, json_option, stacks_argument
from builder.cli.output import note, progress, show_json, show_text
from builder.cli.root import Context
from builder.errors import BuilderError
from builder.image.layout_reader import FolderLayout
from builder.oci.layout import LayoutImage, parse_layout
from builder.project import Project
from builder.usecase.build import BuildRequest, build
from builder.usecase.rebase import LayerChange, Rebased, compare_layers, rebase, stacks_to_rebase
from builder.usecase.ship import read_image
from builder.wiring.images import build_tools
from builder.wiring.rebasing import make_rebase_tools

_MOST_SHOWN = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class _Done:
    rebased: Rebased
    digest: str = ""
    """Of the image index; empty where nothing was built."""
    changes: tuple[LayerChange, ...] | None = None
    """None where there is no image of the lock before."""


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
        done = [_Done(rebased=rebased) for rebased in found.values()]
    else:
        done = [_write(project, name, rebased, jobs, build_too=not no_build) for name, rebased in found.items()]
    if as_json:
        show_json([_as_json(one) for one in done])
    else:
        for one in done:
            _show(one, written=not (missing or check_only))
        if not done:
            show_text("every stack is on its base as it is locked")
    return 1 if missing else 0


def _write(project: Project, name: str, rebased: Rebased, jobs: int, *, build_too: bool) -> _Done:
    layout, path = project.root / DEFAULT_FOLDER / name, project.stack_lock_path(name)
    try:
        before = read_image(layout, lock=path)
    except BuilderError:
        before = None
    project.save_lock(path, rebased.lock)
    if not build_too:
        return _Done(rebased=rebased)
    request = BuildRequest(stack=name, locks=project.locks_folder, output=layout)
    summary = build(request, build_tools(jobs, lambda total: progress(f"build {name}", total)))
    after: LayoutImage = parse_layout(FolderLayout(layout))
    changes = compare_layers(before, after) if before is not None else None
    return _Done(rebased=rebased, digest=summary["index_digest"], changes=changes)


def _show(done: _Done, *, written: bool) -> None:
    verdict = done.rebased.verdict
    if verdict.missing:
        show_text(f"{verdict.stack}: base {verdict.base} lacks what it needs")
        for one in verdict.missing[:_MOST_SHOWN]:
            show_text(f"  {one}")
        if len(verdict.missing) > _MOST_SHOWN:
            show_text(f"  and {len(verdict.missing) - _MOST_SHOWN} more; --json names all")
        return
    state = "stands on" if not done.rebased.moved else "is on" if written else "can be put on"
    show_text(f"{verdict.stack}: {state} base {verdict.base}, which gives its {verdict.native_files} native files all")
    for change in done.changes or ():
        new = f", {len(change.new)} new: {change.reason}" if change.new else ""
        show_text(f"  {change.platform}: {change.same} layers of distributions are the same{new}")
    if done.digest:
        show_text(f"  index {done.digest}")
        if done.changes is None:
            note(
                f"  there was no image of the lock before in {DEFAULT_FOLDER}/{verdict.stack}: layers were not compared"
            )


def _as_json(done: _Done) -> dict[str, Any]:
    changes = [
        {"platform": str(one.platform), "same": one.same, "new": list(one.new), "reason": one.reason or None}
        for one in done.changes or ()
    ]
    return {
        "verdict": done.rebased.verdict.as_json(),
        "moved": done.rebased.moved,
        "index_digest": done.digest or None,
        "layers": changes if done.changes is not None else None,
    }
