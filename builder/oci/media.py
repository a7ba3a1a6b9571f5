"""The media types that images are made of, in one table.

Source: opencontainers/image-spec, media-types.md.
"""

from __future__ import annotations

from typing import Final

INDEX: Final = "application/vnd.oci.image.index.v1+json"
MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
CONFIG: Final = "application/vnd.oci.image.config.v1+json"
LAYER_TAR: Final = "application/vnd.oci.image.layer.v1.tar"
LAYER_GZIP: Final = "application/vnd.oci.image.layer.v1.tar+gzip"
LAYER_ZSTD: Final = "application/vnd.oci.image.layer.v1.tar+zstd"
EMPTY: Final = "application/vnd.oci.empty.v1+json"
"""Of a config that says nothing, as artifacts have it: the two bytes of `EMPTY_BYTES`."""
EMPTY_BYTES: Final = b"{}"

LAYERS: Final = {"none": LAYER_TAR, "gzip": LAYER_GZIP, "zstd": LAYER_ZSTD}
"""Layer media type by the name of its compression."""
COMPRESSION_OF: Final = {media_type: name for name, media_type in LAYERS.items()}
"""The inverse of `LAYERS`."""
