"""Stores of this user, and what asks over the network."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from builder.store.artefacts import DirectoryArtefactStore
from builder.store.files import DirectoryFileStore
from builder.store.location import cache_root

if TYPE_CHECKING:
    from builder.project import Project
    from builder.resolve.settings import IndexSettings
    from builder.snapshot.model import SnapshotStore
    from builder.store.transport import Transport
    from builder.usecase.diff import RevisionReader


def make_file_store() -> DirectoryFileStore:
    """Open the user's store of files."""
    return DirectoryFileStore(cache_root(os.environ))


def make_artefact_store() -> DirectoryArtefactStore:
    """Open the user's store of derived artefacts."""
    return DirectoryArtefactStore(cache_root(os.environ))


def make_build_store() -> DirectoryArtefactStore:
    """Open the same store for segments, layers and hints: not synced to disk, since they are checked when used."""
    return DirectoryArtefactStore(cache_root(os.environ), durable=False)


def make_snapshot_store() -> SnapshotStore:
    """Open the user's store of index snapshots."""
    from builder.snapshot.store import SqliteSnapshotStore

    return SqliteSnapshotStore(cache_root(os.environ) / "snapshots.db")


@contextmanager
def make_transport(settings: IndexSettings) -> Iterator[Transport]:
    """Open what asks indexes, mirrors and archives, with the user's credentials and certificates."""
    from builder.store.reachability import ImpatientTransport
    from builder.store.transport import HttpTransport, credentials_of

    with HttpTransport(
        credentials=credentials_of((*settings.indexes(), *settings.find_links)),
        certificates=settings.certificate,
        trusted_hosts=settings.trusted_hosts,
        timeout_s=settings.timeout_s,
    ) as transport:
        yield ImpatientTransport(transport)


def make_revision_reader(project: Project) -> RevisionReader:
    """Make what reads files of git revisions, relative to the project."""
    from functools import partial

    from builder.store.git import read_revision

    return partial(read_revision, project.root)
