"""`airflow-kubler fetch --from-archive`: the store filled from the archive beside an image."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from builder.cli.output import progress
from builder.registry.model import parse_reference
from builder.usecase.archive import fetch_from_archive
from builder.usecase.shipped import read_shipped
from builder.wiring.registries import make_registry
from builder.wiring.stores import make_file_store

if TYPE_CHECKING:
    from builder.project import Project
    from builder.usecase.fetch import FetchReport, FetchScope


def fetch_archived(
    project: Project, stacks: tuple[str, ...], text: str, load: Callable[[Sequence[str]], FetchScope]
) -> FetchReport:
    """Fetch for the stacks named, or for the one that the image is of."""
    with make_registry() as registry:
        image = read_shipped(registry, parse_reference(text))
        return fetch_from_archive(
            registry,
            image,
            load(stacks or (image.stack,)),
            make_file_store(),
            project.files_folder,
            progress=lambda size: progress("fetching", size),
        )
