"""What reads the facts behind bills of materials and licences."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from builder.wiring.stores import make_build_store, make_file_store

if TYPE_CHECKING:
    from builder.project import Project
    from builder.service.address import LedgerPlace
    from builder.usecase.locked_image import LockedImageOf
    from builder.usecase.sbom import FactTools, Watch


def make_fact_tools(jobs: int, watch: Watch | None = None) -> FactTools:
    """Make what reads facts: the user's store and cache."""
    from builder.usecase.sbom import FactTools

    return FactTools(files=make_file_store(), artefacts=make_build_store(), jobs=jobs, watch=watch)


def this_day() -> dt.date:
    """Read the day, in UTC."""
    return dt.datetime.now(dt.UTC).date()


def open_image(project: Project | None, ledger: LedgerPlace | None, name: str) -> LockedImageOf:
    """Open a stack of this project, or an image that the ledger knows."""
    from functools import partial

    from builder.usecase.locked_image import open_locked
    from builder.wiring.ledgers import open_ledger

    return open_locked(name, project, partial(open_ledger, ledger) if ledger is not None else None)
