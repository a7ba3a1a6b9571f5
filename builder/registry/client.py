"""The client of registries: its blobs and manifests over one session."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from builder.registry.blobs import RemoteBlobs
from builder.registry.credentials import Credentials
from builder.registry.manifests import RemoteManifests
from builder.registry.session import Session
from builder.registry.settings import RegistrySettings
from builder.registry.wire import HttpWire
from builder.store.patience import Patience

PATIENCE: Final = Patience(tries=8)
"""Registries limit by the minute, and the pauses between so many tries are one together."""


class HttpRegistry(RemoteBlobs, RemoteManifests):
    """A `Registry` over http. Safe to use from several threads."""

    def __init__(self, session: Session) -> None:
        RemoteBlobs.__init__(self, session)
        RemoteManifests.__init__(self, session)


@contextmanager
def open_registry(
    settings: RegistrySettings, credentials: Credentials, *, patience: Patience | None = None, timeout_s: float = 30.0
) -> Iterator[HttpRegistry]:
    """Open the client for as long as the block runs; its connections are closed at the end."""
    with HttpWire(settings, timeout_s=timeout_s) as wire:
        yield HttpRegistry(Session(wire, settings, credentials, patience or PATIENCE))
