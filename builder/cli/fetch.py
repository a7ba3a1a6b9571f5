"""`airflow-kubler fetch`: fill the store and locks/files."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING

import click

from builder.cli.options import host_platform, json_option, platform_option, stacks_argument
from builder.cli.output import progress, render_size, show_json, show_text
from builder.cli.root import Context
from builder.platform import Platform

if TYPE_CHECKING:
    from builder.project import Project
    from builder.usecase.fetch import FetchReport, FetchScope


@click.command()
@stacks_argument
@platform_option
@click.option(
    "--from-archive",
    metavar="REFERENCE",
    help="Take all of it from the archive beside this image in a registry; indexes and mirrors are not asked.",
)
@click.option(
    "--sources",
    is_flag=True,
    help="Also what wheels were built of: sdists, build requirements, compilers. For `archive push`; no build needs them.",
)
@json_option
@click.pass_obj
def command(
    context: Context,
    stacks: tuple[str, ...],
    platforms: tuple[Platform, ...],
    from_archive: str | None,
    *,
    sources: bool,
    as_json: bool,
) -> None:
    """Fill the store with every file that the locks of STACKs name, and name the wheels in locks/files.

    All stacks and their bases where none is named. What the store holds is asked for nowhere.
    """
    from builder.cli.fetch_archive import fetch_archived
    from builder.usecase.fetch import FetchIncompleteError, load_scope

    project = context.project()
    load = partial(load_scope, project, platforms=platforms, host=host_platform(), sources=sources)
    try:
        if from_archive is not None:
            report = fetch_archived(project, stacks, from_archive, load)
        else:
            report = _fetch(project, load(stacks))
    except FetchIncompleteError as error:
        if as_json:
            show_json(error.as_json())
        raise
    if as_json:
        show_json(asdict(report))
    elif report.fetched:
        show_text(f"{report.fetched} files fetched ({render_size(report.fetched_bytes)}), {report.files} in the store")
    else:
        show_text(f"all {report.files} files are in the store")


def _fetch(project: Project, scope: FetchScope) -> FetchReport:
    from builder.resolve.user_settings import load_index_settings
    from builder.usecase.fetch import fetch
    from builder.wiring import fetching, stores

    settings = load_index_settings(folders=project.index_folders())
    return fetch(
        scope,
        stores.make_file_store(),
        fetching.make_fetch_sources(settings, project),
        lambda: stores.make_transport(settings),
        project.files_folder,
        progress=lambda size: progress("fetching", size),
    )
