"""Layers: headers of all directories, segments, end of archive, each compressed on its own and concatenated.

Only hashing is done here: segments' payloads are copied as they are and inflated once for the diff_id. A layer is cached
by what it is made of, blob and record apart: the record is small and says digest, diff_id and size.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from builder.canonical import dump_json
from builder.digest import Digest
from builder.entry import Entry
from builder.image.compress import Compressor
from builder.image.formats import LAYER_FORMAT
from builder.image.sealed import seal, unseal
from builder.image.segment import Segment, read_payload
from builder.image.tarball import END_OF_ARCHIVE, directory_header
from builder.store.model import ArtefactStore

BLOB_KIND: Final = "layer"
RECORD_KIND: Final = "layer-record"


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """A layer in the cache."""

    key: str
    path: Path
    """Of the compressed bytes."""
    digest: Digest
    """Of the compressed bytes."""
    diff_id: Digest
    """Of the tar."""
    size: int
    """Of the compressed bytes."""


def layer_key(segments: Sequence[Segment], directories: Sequence[Entry], compressor: Compressor) -> str:
    """Name a layer by what it is made of."""
    parts = {
        "compressor": compressor.name,
        "directories": [[entry.path, entry.mode, entry.uid, entry.gid] for entry in directories],
        "format": LAYER_FORMAT,
        "segments": [segment.key for segment in segments],
    }
    return Digest.of(dump_json(parts)).hex


def find_layer(key: str, artefacts: ArtefactStore) -> Layer | None:
    """Find a layer in the cache; its blob is checked when it is copied out."""
    record, blob = artefacts.get(RECORD_KIND, key), artefacts.get(BLOB_KIND, key)
    if record is None or blob is None:
        return None
    try:
        value = unseal(record.read_bytes())
        fits = value is not None and blob.stat().st_size == value["size"]
    except FileNotFoundError:
        return None
    if not fits:
        drop_layer(record, blob)
        return None
    return Layer(
        key=key, path=blob, digest=Digest(value["digest"]), diff_id=Digest(value["diff_id"]), size=value["size"]
    )


def drop_layer(*paths: Path) -> None:
    """Remove a damaged layer's files from the cache."""
    for path in paths:
        path.unlink(missing_ok=True)


def forget_layer(layer: Layer, artefacts: ArtefactStore) -> None:
    """Remove a damaged layer from the cache."""
    record = artefacts.get(RECORD_KIND, layer.key)
    drop_layer(layer.path, *((record,) if record else ()))


def make_layer(
    key: str,
    segments: Sequence[Segment],
    directories: Sequence[Entry],
    compressor: Compressor,
    artefacts: ArtefactStore,
) -> Layer:
    """Write a layer into the cache.

    Args:
        key: from `layer_key`, of the same arguments.
        segments: in the order of the layer; no path stands in two of them.
        directories: all that the layer needs, parents first.
        compressor: the one that made the segments' payloads.
        artefacts: the cache.

    Raises:
        DamagedSegmentError: a segment is not what was written.
    """
    inner, outer = hashlib.sha256(), hashlib.sha256()
    size = 0

    def chunks() -> Iterator[bytes]:
        nonlocal size
        for part in _parts(segments, directories, compressor):
            outer.update(part)
            size += len(part)
            yield part
            for chunk in compressor.decompress((part,)):
                inner.update(chunk)

    known = find_layer(key, artefacts)
    if known is not None:
        # Made meanwhile, by an image that is built beside this one.
        return known
    stale = artefacts.get(BLOB_KIND, key)
    if stale is not None:
        # A blob without its record: of a build that was killed, or damaged.
        stale.unlink(missing_ok=True)
    path = artefacts.put(BLOB_KIND, key, chunks())
    digest, diff_id = Digest(outer.hexdigest()), Digest(inner.hexdigest())
    artefacts.put(RECORD_KIND, key, (seal({"diff_id": diff_id.hex, "digest": digest.hex, "size": size}),))
    return Layer(key=key, path=path, digest=digest, diff_id=diff_id, size=size)


def _parts(segments: Sequence[Segment], directories: Sequence[Entry], compressor: Compressor) -> Iterator[bytes]:
    """Give the members of a layer, each whole."""
    headers = b"".join(directory_header(entry) for entry in directories)
    if headers:
        yield b"".join(compressor.compress((headers,)))
    for segment in segments:
        if segment.size:
            yield read_payload(segment)
    yield b"".join(compressor.compress((END_OF_ARCHIVE,)))
