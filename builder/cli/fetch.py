"""`airflow-kubler fetch`: fill the store and locks/files."""

from __future__ import annotations

from dataclasses import asdict

import click

from builder.cli.options import host_platform, json_option, platform_option, stacks_argument
from builder.cli.output import progress, render_size, show_json, show_text
from builder.cli.root import Context
from builder.platform import Platform


@click.command()
@stacks_argument
@platform_option
@json_option
@click.pass_obj
def command(context: Context, stacks: tuple[str, ...], platforms: tuple[Platform, ...], *, as_json: bool) -> None:
    """Fill the store with every file that the locks of STACKs name, and name the wheels in locks/files.

    All stacks and their bases where none is named. What the store holds is asked for nowhere.
    """
    from builder.resolve.user_settings import load_index_settings
    from builder.usecase.fetch import FetchIncompleteError, fetch, load_scope
    from builder.wiring import fetching, stores

    project = context.project()
    scope = load_scope(project, stacks, platforms=platforms, host=host_platform())
    settings = load_index_settings()
    try:
        report = fetch(
            scope,
            stores.make_file_store(),
            fetching.make_fetch_sources(settings),
            lambda: stores.make_transport(settings),
            project.files_folder,
            progress=lambda size: progress("fetching", size),
        )
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
