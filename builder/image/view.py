"""What an image says of itself, layer by layer: names and contents stand in the history of its config."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from builder.digest import Digest
from builder.oci.layout import PlatformImage
from builder.platform import Platform

HISTORY_PREFIX: Final = "airflow-kubler "
BASE_LAYER: Final = "base"
PYTHON_LAYER: Final = "python"


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerView:
    """One layer."""

    name: str
    digest: Digest
    diff_id: Digest
    size: int
    """Compressed bytes."""
    contents: tuple[str, ...]
    """As `botocore==1.40.1` for a distribution, `libc6=2.41-12` for a deb."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformView:
    """One platform's image."""

    platform: Platform
    manifest_digest: Digest
    config_digest: Digest
    created: int
    layers: tuple[LayerView, ...]
    """Lowest first."""

    @property
    def size(self) -> int:
        """Compressed bytes of all layers."""
        return sum(layer.size for layer in self.layers)


def view_platform(image: PlatformImage) -> PlatformView:
    """Read what one platform's config and manifest say."""
    layers = []
    for line, descriptor, diff_id in zip(
        image.config.history, image.manifest.layers, image.config.diff_ids, strict=True
    ):
        name, _, contents = line.created_by.removeprefix(HISTORY_PREFIX).partition(":")
        layers.append(
            LayerView(
                name=name,
                digest=descriptor.digest,
                diff_id=diff_id,
                size=descriptor.size,
                contents=tuple(contents.split()),
            ),
        )
    return PlatformView(
        platform=image.platform,
        manifest_digest=image.descriptor.digest,
        config_digest=image.manifest.config.digest,
        created=image.config.created,
        layers=tuple(layers),
    )
