"""The only module that constructs what touches the outside."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from builder.store.artefacts import DirectoryArtefactStore
from builder.store.files import DirectoryFileStore
from builder.store.location import cache_root

if TYPE_CHECKING:
    from builder.resolve.settings import IndexSettings
    from builder.store.transport import HttpTransport


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
