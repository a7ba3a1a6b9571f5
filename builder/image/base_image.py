"""A base of Debian packages as an image of its own, without the run contract: what Dockerfiles build on.

Its layers are those that stacks on the base begin with, but for the last, which holds what the base declares.
"""

from __future__ import annotations

from collections.abc import Sequence

from builder.image.assemble import Assembly, BuiltImage, ensure_platforms, write_platform
from builder.image.parts import base_parts
from builder.lock.model import BaseLock
from builder.oci import media
from builder.oci.config import RunConfig
from builder.oci.descriptor import describe
from builder.oci.index import Index, dump_index
from builder.platform import Platform

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def assemble_base(base: BaseLock, *, platforms: Sequence[Platform], assembly: Assembly) -> BuiltImage:
    """Make the image of a base.

    Args:
        base: of Debian packages.
        platforms: of the base's, which ones.
        assembly: what to make it with.

    Raises:
        IntegrityError: an input is refused.
        MissingBlobError: the store does not hold a deb.
    """
    layers = ensure_platforms({platform: base_parts(base, platform) for platform in platforms}, base, assembly)
    run = RunConfig(
        env=(f"PATH={_PATH}", "LANG=C.UTF-8", "LC_ALL=C.UTF-8"),
        user="0:0",
        entrypoint=(),
        cmd=("/bin/bash",),
        working_dir="/",
    )
    built = tuple(
        write_platform(
            platform,
            layers[platform],
            run,
            created=base.created,
            compression=assembly.compressor.compression,
            annotations=(),
        )
        for platform in platforms
    )
    index = dump_index(Index(manifests=tuple(image.descriptor for image in built)))
    return BuiltImage(stack=f"base-{base.name}", platforms=built, index=index, descriptor=describe(media.INDEX, index))
