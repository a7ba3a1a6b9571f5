"""`test STACK...`: what must hold of images before they go anywhere, tried inside them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from builder.cli.options import default_jobs, host_platform, jobs_option, json_option, stacks_argument
from builder.cli.output import note, progress, save_page, show_json, show_text
from builder.cli.root import Context
from builder.run.engines import AUTO, NAMES
from builder.wiring.recording import open_recorder

if TYPE_CHECKING:
    from builder.run.model import RunnableImage
    from builder.testing.model import CheckReport
    from builder.usecase.check_stack import CheckTools


@click.command(name="test")
@stacks_argument
@click.option("--suite", "suites", type=click.Choice(("smoke", "stack")), multiple=True, help="Default: both.")
@click.option(
    "--layout",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="OCI layout that holds the image of the one STACK. Default: build it from the lock.",
)
@click.option("--engine", type=click.Choice((AUTO, *NAMES)), default=AUTO, show_default=True, help="What runs it.")
@click.option(
    "--junit", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write JUnit's XML, too."
)
@jobs_option
@json_option
@click.pass_obj
def command(
    context: Context,
    *,
    stacks: tuple[str, ...],
    suites: tuple[str, ...],
    layout: Path | None,
    engine: str,
    junit: Path | None,
    jobs: int,
    as_json: bool,
) -> int:
    """Run the tests of each STACK, of all where none is named, inside its image.

    airflow-kubler test core --junit core.xml
    """
    from builder.testing.junit import dump_junit
    from builder.testing.model import SUITES, suite_to_json
    from builder.testing.report import render_report
    from builder.wiring.testing import make_check_tools

    names = stacks or context.project().stack_names()
    if layout is not None and len(names) != 1:
        raise click.UsageError("--layout holds one image: name its stack.")
    tools = make_check_tools(engine, note)
    reports: list[CheckReport] = []
    with open_recorder(context.recording()) as recorder:
        for name in names:
            report = _check(context, name, tuple(suites or SUITES), layout, jobs, tools)
            reports.append(report)
            if recorder is not None and not recorder.tested(report):
                note(f"{name}: not recorded: the ledger knows no build of {report.manifest}; `build` records it")
            if not as_json:
                show_text(render_report(report))
    if as_json:
        show_json([suite_to_json(report, suite) for report in reports for suite in report.suites])
    if junit is not None:
        save_page(junit, dump_junit(reports).decode())
    return 0 if all(report.passed for report in reports) else 1


def _check(
    context: Context, stack: str, suites: tuple[str, ...], layout: Path | None, jobs: int, tools: CheckTools
) -> CheckReport:
    from builder.usecase.check_stack import CheckRequest, check_stack
    from builder.usecase.run import read_image
    from builder.wiring.images import make_image_builder
    from builder.wiring.testing import folders_of_tests

    image: RunnableImage
    if layout is not None:
        image = read_image(layout, stack, host_platform())
    else:
        build = make_image_builder(context.project(), default_jobs(), lambda total: progress(f"build {stack}", total))
        image = build(stack, host_platform())
    folders = folders_of_tests(context.project(), stack)
    return check_stack(CheckRequest(image=image, folders=folders, suites=suites, jobs=jobs), tools)
