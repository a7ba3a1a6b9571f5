"""Where the layers of images lie: layouts, the cache of built layers, registries."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from builder.wiring.stores import make_build_store

if TYPE_CHECKING:
    from builder.history.image import ImageRecord
    from builder.ledger.model import LedgerReader
    from builder.oci.descriptor import Descriptor
    from builder.registry.model import Registry, Repository
    from builder.store.artefacts import DirectoryArtefactStore
    from builder.usecase.compare import OpenBlob


def make_blob_opener(
    folders: Sequence[Path],
    ledger: LedgerReader,
    registry: Registry | None,
    *,
    artefacts: DirectoryArtefactStore | None = None,
) -> OpenBlob:
    """Make what opens a layer: from a layout, else the cache, else a registry that the image was pushed to.

    Args:
        folders: that may be image layouts.
        ledger: knows where images were pushed.
        registry: None where nothing may be pulled.
        artefacts: the cache of built layers; the user's where none is named.
    """
    from builder.image.layout_reader import FolderLayout
    from builder.oci.layout import blob_path

    layouts = [FolderLayout(folder) for folder in folders]

    @cache
    def cached() -> Mapping[str, Path]:
        return _cached_layers(artefacts or make_build_store())

    def open_blob(record: ImageRecord, layer: Descriptor) -> Iterator[bytes] | None:
        path = blob_path(layer.digest)
        for layout in layouts:
            if (layout.folder / path).is_file():
                return layout.chunks(path)
        if layer.digest.hex in cached():
            return _read(cached()[layer.digest.hex])
        if registry is not None:
            for repository in _repositories(ledger, record):
                if registry.has_blob(repository, layer.digest):
                    return registry.read_blob(repository, layer)
        return None

    return open_blob


def _read(path: Path) -> Iterator[bytes]:
    with path.open("rb") as stream:
        while chunk := stream.read(1 << 20):
            yield chunk


def _cached_layers(artefacts: DirectoryArtefactStore) -> Mapping[str, Path]:
    """Read the records of the layers in the cache: where each digest lies."""
    from builder.image.layer import RECORD_KIND, find_layer

    found = (find_layer(key, artefacts) for key in artefacts.keys(RECORD_KIND))
    return {layer.digest.hex: layer.path for layer in found if layer is not None}


def _repositories(ledger: LedgerReader, record: ImageRecord) -> Iterator[Repository]:
    """List where an image may lie: where it was named, then where the ledger says that it was pushed."""
    from builder.errors import InvalidInputError
    from builder.ledger.queries import places_of
    from builder.registry.model import parse_reference, parse_repository

    with contextlib.suppress(InvalidInputError):
        yield parse_reference(record.name).repository
    for place in places_of(ledger, record.digest):
        yield parse_repository(place.repository)
