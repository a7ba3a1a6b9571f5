"""The only module that constructs what touches the outside."""

from __future__ import annotations

import os

from builder.store.artefacts import DirectoryArtefactStore
from builder.store.files import DirectoryFileStore
from builder.store.location import cache_root


def make_file_store() -> DirectoryFileStore:
    """Open the user's store of files."""
    return DirectoryFileStore(cache_root(os.environ))


def make_artefact_store() -> DirectoryArtefactStore:
    """Open the user's store of derived artefacts."""
    return DirectoryArtefactStore(cache_root(os.environ))
