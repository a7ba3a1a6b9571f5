"""An image whose operating system no scanner recognises: a file is missing in its lowest layer, and all else is as it was built."""

from __future__ import annotations

import io
import json
import tarfile
from dataclasses import replace
from pathlib import Path

from builder.digest import Digest
from builder.image.compress import decompress
from builder.image.layout_reader import FolderLayout
from builder.oci import media
from builder.oci.config import dump_config
from builder.oci.descriptor import describe
from builder.oci.index import Index, dump_index
from builder.oci.layout import INDEX_FILE, LAYOUT_BYTES, LAYOUT_FILE, blob_path, parse_layout
from builder.oci.manifest import dump_manifest


def hide_file(layout: Path, path: str, folder: Path) -> Path:
    """Write the first platform of an image again, with a file of its lowest layer under another name.

    A whiteout on top would hide nothing: Trivy takes what any layer says of the system.
    """
    image = parse_layout(FolderLayout(layout)).platforms[0]
    lowest, *others = image.manifest.layers
    packed = (layout / blob_path(lowest.digest)).read_bytes()
    data = _rename(b"".join(decompress(lowest.media_type.rpartition("+")[2], [packed])), path)
    config = dump_config(replace(image.config, diff_ids=(Digest.of(data), *image.config.diff_ids[1:])))
    layers = (describe(media.LAYER_TAR, data), *others)
    manifest = dump_manifest(replace(image.manifest, config=describe(media.CONFIG, config), layers=layers))
    row = replace(describe(media.MANIFEST, manifest), platform=image.platform)
    index = dump_index(Index(manifests=(row,)))
    (folder / "blobs/sha256").mkdir(parents=True)
    for blob in (data, config, manifest, index):
        (folder / blob_path(Digest.of(blob))).write_bytes(blob)
    for layer in others:
        (folder / blob_path(layer.digest)).hardlink_to(layout / blob_path(layer.digest))
    outer = json.loads((layout / INDEX_FILE).read_bytes())
    outer["manifests"][0] |= {"digest": str(Digest.of(index)), "size": len(index)}
    (folder / INDEX_FILE).write_text(json.dumps(outer))
    (folder / LAYOUT_FILE).write_bytes(LAYOUT_BYTES)
    return folder


def _rename(data: bytes, path: str) -> bytes:
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        member = archive.getmember(path)
    member.name = f"{path}.hidden"
    header = member.tobuf(tarfile.USTAR_FORMAT)
    return data[: member.offset] + header + data[member.offset + len(header) :]
