"""What stacks are rebased with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from builder.wiring.stores import make_build_store, make_file_store, make_transport

if TYPE_CHECKING:
    from builder.lock.model import LockedDeb
    from builder.usecase.rebase import RebaseTools


def make_rebase_tools() -> RebaseTools:
    """Make what reads wheels and debs, from the user's store; debs that it lacks are fetched from the user's mirrors."""
    from builder.usecase.rebase import RebaseTools

    return RebaseTools(files=make_file_store(), artefacts=make_build_store(), need=_need)


def _need(debs: Sequence[LockedDeb]) -> None:
    store = make_file_store()
    missing = [deb for deb in debs if not store.holds(deb.file)]
    if not missing:
        return
    from builder.resolve.user_settings import load_index_settings
    from builder.usecase.fetch import obtain_with
    from builder.wiring.fetching import make_fetch_sources

    settings = load_index_settings()
    with make_transport(settings) as transport:
        obtain_with(store, make_fetch_sources(settings), transport)({}, missing)
