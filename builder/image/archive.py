"""One tar file that `docker load` takes: an OCI layout, and docker's own manifest.json for one platform.

docker before 25 reads manifest.json alone and wants layers without zstd; docker's image ID is the config's digest. With
containerd's store of images docker reads index.json, loads all platforms, and its image ID is the index's digest.
The same image gives the same bytes.

Source: moby, image/tarexport/load.go; containerd, core/images/archive/importer.go.
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
from builder.oci.layout import INDEX_FILE, LAYOUT_BYTES, LAYOUT_FILE, blob_path, dump_layout_index

DOCKER_MANIFEST = "manifest.json"
CONTAINERD_NAME = "io.containerd.image.name"
"""Annotation in index.json: a docker with containerd's store of images (29 by default) takes the name from there."""


def write_archive(path: Path, image: BuiltImage, blobs: Blobs, *, tag: str = "") -> None:
    """Write the file, replacing an old one by one rename.

    Args:
        path: the tar file.
        image: its first platform is the one that docker loads.
        blobs: of the image.
        tag: its name in docker, in the place of `docker_tag`.

    Raises:
        DamagedLayerError: a cached layer is not what its record says.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path, mode=0o644) as stream:
        stream.writelines(_chunks(image, blobs, tag or docker_tag(image)))


def docker_tag(image: BuiltImage) -> str:
    """Name the image as docker shows it after loading, as `airflow-core:20260921`."""
    created = parse_config(image.platforms[0].config).created
    return f"airflow-{image.stack}:{dt.datetime.fromtimestamp(created, tz=dt.UTC):%Y%m%d}"


def _full_name(tag: str) -> str:
    """Write a name as containerd has it.

    >>> _full_name("airflow-core:20260921"), _full_name("airflow-kubler/base:1")
    ('docker.io/library/airflow-core:20260921', 'docker.io/airflow-kubler/base:1')
    """
    return f"docker.io/{tag}" if "/" in tag else f"docker.io/library/{tag}"


def _docker_manifest(image: BuiltImage, tag: str) -> bytes:
    built = image.platforms[0]
    return dump_json(
        [
            {
                "Config": blob_path(describe(media.CONFIG, built.config).digest),
                "Layers": [blob_path(layer.layer.digest) for layer in built.layers],
                "RepoTags": [tag],
            },
        ],
    )


def _chunks(image: BuiltImage, blobs: Blobs, tag: str) -> Iterator[bytes]:
    yield directory_header(directory_entry("blobs"))
    yield directory_header(directory_entry("blobs/sha256"))
    for digest, data in blobs.documents:
        yield from iter_tar((Entry(path=blob_path(digest), data=data),))
    for layer in blobs.layers:
        yield file_header(blob_path(layer.digest), layer.size)
        yield from iter_blob(layer)
        yield bytes(-layer.size % BLOCK)
    index = dump_layout_index(image.stack, image.descriptor, more=((CONTAINERD_NAME, _full_name(tag)),))
    texts = ((INDEX_FILE, index), (DOCKER_MANIFEST, _docker_manifest(image, tag)), (LAYOUT_FILE, LAYOUT_BYTES))
    yield from iter_tar([Entry(path=name, data=data) for name, data in texts])
    yield END_OF_ARCHIVE
