"""`airflow-kubler segments`: finished segments shared by way of a registry."""

from __future__ import annotations

import click

from builder.cli.options import DEFAULT_FOLDER, jobs_option, json_option, stack_argument, workers_option
from builder.cli.output import progress, render_size, show_json, show_text
from builder.cli.root import Context
from builder.registry.model import parse_repository
from builder.usecase.build import BuildRequest
from builder.usecase.segments import RECORD, plan_segments, push_segments, record_set, used_segments
from builder.wiring.images import build_tools
from builder.wiring.registries import make_registry


@click.group()
def command() -> None:
    """Share finished segments: what one machine has compiled, another with an empty cache need not compile."""


@command.command()
@click.argument("repository")
@stack_argument
@jobs_option
@workers_option
@json_option
@click.pass_obj
def push(context: Context, repository: str, stack: str, jobs: int, workers: int, *, as_json: bool) -> None:
    """Push the segments of STACK, as it is locked, to REPOSITORY, and pin the set in locks/segments.toml.

    What is not in the cache is made first. Commit the file: `build --segments REPOSITORY` uses pinned sets alone.
    """
    project, place = context.project(), parse_repository(repository)
    request = BuildRequest(stack=stack, locks=project.locks_folder, output=project.root / DEFAULT_FOLDER / stack)
    segments = used_segments(request, build_tools(jobs, lambda total: progress(f"build {stack}", total)))
    with make_registry() as registry:
        plan, places = plan_segments(registry, place, stack, segments, (f"segments-{stack}",))
        with progress(f"segments of {stack}", plan.bytes_to_send) as tell:
            sent = push_segments(registry, plan, places, workers=workers, progress=lambda blob, _: tell(blob.size))
    record_set(project.locks_folder, stack, plan.root.digest)
    if as_json:
        told = {"stack": stack, "set": f"{place}@{plan.root.digest}", "segments": len(segments), "sent_bytes": sent}
        show_json(told)
        return
    show_text(f"{place}@{plan.root.digest}")
    show_text(f"{len(segments)} segments, sent {render_size(sent)}; pinned in locks/{RECORD}")
