"""The only module that constructs what touches the outside."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from builder.store.artefacts import DirectoryArtefactStore
from builder.store.files import DirectoryFileStore
from builder.store.location import cache_root

if TYPE_CHECKING:
    from builder.project import Project
    from builder.resolve.settings import IndexSettings
    from builder.store.transport import HttpTransport
    from builder.usecase.lock_model import LockTools


def make_file_store() -> DirectoryFileStore:
    """Open the user's store of files."""
    return DirectoryFileStore(cache_root(os.environ))


def make_artefact_store() -> DirectoryArtefactStore:
    """Open the user's store of derived artefacts."""
    return DirectoryArtefactStore(cache_root(os.environ))


def make_transport(settings: IndexSettings) -> HttpTransport:
    """Make what asks indexes, mirrors and archives, with the user's credentials and certificates; use it by `with`."""
    from builder.store.transport import HttpTransport, credentials_of

    return HttpTransport(
        credentials=credentials_of((*settings.indexes(), *settings.find_links)),
        certificates=settings.certificate,
        trusted_hosts=settings.trusted_hosts,
        timeout_s=settings.timeout_s,
    )


@contextmanager
def make_lock_tools(project: Project, say: Callable[[str], None]) -> Iterator[LockTools]:
    """Make what `lock` needs from outside, by the user's settings."""
    from functools import partial

    from builder.resolve.measure import TransportProbe
    from builder.resolve.settings import load_index_settings
    from builder.resolve.simple import remember_urls
    from builder.resolve.uv import UvResolver
    from builder.resolve.uv_process import Uv
    from builder.usecase.lock_model import LockTools

    settings = load_index_settings()
    with make_transport(settings) as transport:
        yield LockTools(
            resolver=UvResolver(Uv(settings, os.environ)),
            probe=TransportProbe(transport),
            remember=partial(remember_urls, make_artefact_store(), settings),
            files=make_file_store(),
            lock_base=_lock_base_of(project),
            say=say,
        )


def _lock_base_of(project: Project) -> Callable[[str], bytes]:
    """Make what locks a base against the user's mirrors."""
    from builder.usecase.lock_base import lock_base  # type: ignore[import-not-found]

    return lambda name: lock_base(project, name)
