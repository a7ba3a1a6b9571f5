"""Build a base of Debian packages as an image of its own, for a Dockerfile to build on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from builder.lock.model import BaseLock
from builder.platform import Platform
from builder.usecase.build import BuildTools, open_assembly, write_image

if TYPE_CHECKING:
    from builder.image.assemble import BuiltImage


def build_base(
    base: BaseLock,
    output: Path,
    tools: BuildTools,
    *,
    platforms: Sequence[Platform],
    compression: str = "zstd",
    tag: str = "",
) -> BuiltImage:
    """Build a base's image into a folder, or a tar file that docker loads under a tag.

    Raises:
        MissingBlobError: the store does not hold a deb.
        IntegrityError: an input is refused.
    """
    from builder.image.base_image import assemble_base
    from builder.image.output import image_blobs

    total = sum(deb.file.size for deb in base.debs if not set(deb.platforms).isdisjoint(platforms))
    with open_assembly(base, compression, tools, total) as assembly:
        image = assemble_base(base, platforms=platforms, assembly=assembly)
        write_image(output, image, image_blobs(image), tag=tag)
        return image
