"""`airflow-kubler fetch`: fill the store and locks/files."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from builder.cli.options import host_platform, json_option, platform_option, stacks_argument
from builder.cli.output import progress, render_size, show_json, show_text
from builder.cli.root import Context
from builder.platform import Platform

if TYPE_CHECKING:
    from builder.project import Project
    from builder.usecase.fetch import FetchReport


@click.command()
@stacks_argument
@platform_option
@click.option(
    "--from-archive",
    metavar="REFERENCE",
    help="Take all of it from the archive beside this image in a registry; indexes and mirrors are not asked.",
)
@json_option
@click.pass_obj
def command(
    context: Context,
    stacks: tuple[str, ...],
    platforms: tuple[Platform, ...],
    from_archive: str | None,
    *,
    as_json: bool,
) -> None:
    """Fill the store with every file that the locks of STACKs name, and name the wheels in locks/files.

    All stacks and their bases where none is named. What the store holds is asked for nowhere.
    """
    from builder.usecase.fetch import FetchIncompleteError

    project = context.project()
    try:
        if from_archive is not None:
            report = _fetch_archived(project, stacks, platforms, from_archive)
        else:
            report = _fetch(project, stacks, platforms)
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


def _fetch(project: Project, stacks: tuple[str, ...], platforms: tuple[Platform, ...]) -> FetchReport:
    from builder.resolve.user_settings import load_index_settings
    from builder.usecase.fetch import fetch, load_scope
    from builder.wiring import fetching, stores

    settings = load_index_settings()
    return fetch(
        load_scope(project, stacks, platforms=platforms, host=host_platform()),
        stores.make_file_store(),
        fetching.make_fetch_sources(settings, project),
        lambda: stores.make_transport(settings),
        project.files_folder,
        progress=lambda size: progress("fetching", size),
    )


def _fetch_archived(
    project: Project, stacks: tuple[str, ...], platforms: tuple[Platform, ...], text: str
) -> FetchReport:
    """Fetch for the stacks named, or for the one that the image is of."""
    from builder.registry.model import parse_reference
    from builder.usecase.archive import fetch_from_archive
    from builder.usecase.fetch import load_scope
    from builder.usecase.shipped import read_shipped
    from builder.wiring.registries import make_registry
    from builder.wiring.stores import make_file_store

    with make_registry() as registry:
        image = read_shipped(registry, parse_reference(text))
        return fetch_from_archive(
            registry,
            image,
            load_scope(project, stacks or (image.stack,), platforms=platforms, host=host_platform()),
            make_file_store(),
            project.files_folder,
            progress=lambda size: progress("fetching", size),
        )
