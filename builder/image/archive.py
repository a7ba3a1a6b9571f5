"""One tar file that `docker load` takes: an OCI layout, and docker's own manifest.json for one platform.

docker before 25 reads manifest.json alone and wants layers without zstd; docker's image ID is the config's digest.
The same image gives the same bytes.

Source: moby, image/tarexport/load.go.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

from builder.atomic import replacing
from builder.canonical import dump_json
from builder.entry import Entry, directory_entry
from builder.image.assemble import BuiltImage
from builder.image.output import Blobs, iter_blob
from builder.image.tarball import BLOCK, END_OF_ARCHIVE, directory_header, file_header, iter_tar
from builder.oci import media
from builder.oci.config import parse_config
from builder.oci.descriptor import describe
from builder.oci.layout import INDEX_FILE, LAYOUT_BYTES, LAYOUT_FILE, blob_path

DOCKER_MANIFEST = "manifest.json"


def write_archive(path: Path, image: BuiltImage, blobs: Blobs) -> None:
    """Write the file, replacing an old one by one rename.

    Args:
        path: the tar file.
        image: its first platform is the one that docker loads.
        blobs: of the image.

    Raises:
        DamagedLayerError: a cached layer is not what its record says.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path, mode=0o644) as stream:
        stream.writelines(_chunks(image, blobs))


def docker_tag(image: BuiltImage) -> str:
    """Name the image as docker shows it after loading, as `airflow-core:20260921`."""
    created = parse_config(image.platforms[0].config).created
    return f"airflow-{image.stack}:{dt.datetime.fromtimestamp(created, tz=dt.UTC):%Y%m%d}"


def _docker_manifest(image: BuiltImage) -> bytes:
    built = image.platforms[0]
    return dump_json(
        [
            {
                "Config": blob_path(describe(media.CONFIG, built.config).digest),
                "Layers": [blob_path(layer.layer.digest) for layer in built.layers],
                "RepoTags": [docker_tag(image)],
            },
        ],
    )


def _chunks(image: BuiltImage, blobs: Blobs) -> Iterator[bytes]:
    yield directory_header(directory_entry("blobs"))
    yield directory_header(directory_entry("blobs/sha256"))
    for digest, data in blobs.documents:
        yield from iter_tar((Entry(path=blob_path(digest), data=data),))
    for layer in blobs.layers:
        yield file_header(blob_path(layer.digest), layer.size)
        yield from iter_blob(layer)
        yield bytes(-layer.size % BLOCK)
    texts = ((INDEX_FILE, blobs.layout_index), (DOCKER_MANIFEST, _docker_manifest(image)), (LAYOUT_FILE, LAYOUT_BYTES))
    yield from iter_tar([Entry(path=name, data=data) for name, data in texts])
    yield END_OF_ARCHIVE
