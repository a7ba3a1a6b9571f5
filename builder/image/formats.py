"""The formats that decide about an image's bytes beside its lock, without importing what writes them."""

from __future__ import annotations

from typing import Final

SEGMENT_FORMAT: Final = 1
"""Part of every segment's key. Raise it when the same input shall give other bytes or another description."""
LAYER_FORMAT: Final = 1
"""Part of every layer's key. Raise it when the same segments shall give another layer."""


def format_names() -> tuple[str, ...]:
    """List the formats and the versions of the libraries that compress; another list means that images may differ."""
    import zstandard
    from zlib_ng import zlib_ng

    zstd = ".".join(map(str, zstandard.ZSTD_VERSION))
    return (f"segment {SEGMENT_FORMAT}", f"layer {LAYER_FORMAT}", f"zstd {zstd}", f"zlib-ng {zlib_ng.ZLIBNG_VERSION}")
