"""`airflow-kubler scan db`: the scanner's databases."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from builder.cli.options import json_option, parse_reference_argument, reference_or_repository
from builder.cli.output import progress, render_size, render_table, show_json, show_text
from builder.registry.model import Reference, Repository
from builder.wiring.scanning import make_database_store

if TYPE_CHECKING:
    from builder.scan.database import Database


@click.group()
def command() -> None:
    """List, pull, push and add databases of the scanner: what it knows, by digest and age."""


@command.command(name="ls")
@json_option
def list_(*, as_json: bool) -> None:
    """List the databases that are here, the newest first."""
    found = make_database_store().all()
    if as_json:
        show_json([_to_dict(one) for one in found])
        return
    rows = [(str(one.sha256), _age(one), render_size(one.size), str(one.artifact or "-")) for one in found]
    show_text(render_table(("database", "made", "size", "artifact"), rows, right=(2,)) if rows else "none is here")


@command.command()
@click.argument("reference", callback=parse_reference_argument)
@json_option
def pull(reference: Reference, *, as_json: bool) -> None:
    """Get the database at REFERENCE: where Trivy has its own from, or a team's registry."""
    from builder.usecase.scan_database import pull_database
    from builder.wiring.registries import make_registry

    with make_registry() as registry:
        _show(pull_database(registry, reference, make_database_store()), as_json=as_json)


@command.command()
@click.argument("place", callback=reference_or_repository, metavar="REPOSITORY[:TAG]")
@click.option("--database", default="", metavar="DIGEST", help="Which one. Default: the newest.")
@json_option
def push(place: tuple[Repository, str | None], database: str, *, as_json: bool) -> None:
    """Put a database into a registry, as the very artifact that it came in; Trivy can be pointed there, too."""
    from builder.usecase.scan_database import push_database
    from builder.wiring.registries import make_registry

    repository, tag = place
    store = make_database_store()
    found = store.find(database)
    with make_registry() as registry, progress("database", store.artifact(found).layer.stat().st_size) as tell:
        pushed = push_database(registry, found, store, repository, tag, progress=lambda blob, _: tell(blob.size))
    if as_json:
        show_json({**_to_dict(found), "reference": str(pushed.reference), "sent_bytes": pushed.report.sent_bytes})
        return
    show_text(f"{pushed.reference}\nsent {render_size(pushed.report.sent_bytes)}")


@command.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False, exists=True))
@json_option
def add(folder: Path, *, as_json: bool) -> None:
    """Keep the database of FOLDER, the `db` of a Trivy's cache: as where there is no network."""
    _show(make_database_store().add_folder(folder), as_json=as_json)


def _show(database: Database, *, as_json: bool) -> None:
    if as_json:
        show_json(_to_dict(database))
        return
    show_text(f"{database.sha256}\nmade {_age(database)}, {render_size(database.size)}, artifact {database.artifact}")


def _to_dict(database: Database) -> dict[str, Any]:
    return {
        "sha256": database.sha256.hex,
        "updated": _age(database),
        "size_bytes": database.size,
        "artifact": str(database.artifact) if database.artifact else None,
    }


def _age(database: Database) -> str:
    from builder.ledger.entry import format_time

    return format_time(database.updated)
