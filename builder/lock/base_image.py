"""Read and write the `images` of a base lock: for each platform the layers by digest, and what was found in them."""

from __future__ import annotations

import re
from typing import Any, Final

from builder.digest import Digest
from builder.errors import InvalidInputError
from builder.lock.model import LockedFile, LockedImage, LockedLayer
from builder.platform import PLATFORMS
from builder.stack.table import Table

_MAX_SIZE: Final = 1 << 40
_LAYER: Final = re.compile(r"application/vnd\.oci\.image\.layer\.v1\.tar(?:\+gzip|\+zstd)?\Z")
_PATH: Final = re.compile(r"(?:/[A-Za-z0-9+_-][A-Za-z0-9._+-]*)+\Z")
_PACKAGE: Final = re.compile(r"[a-z0-9][a-z0-9+.-]*=[A-Za-z0-9.+~:-]+\Z")


def image_to_dict(image: LockedImage) -> dict[str, Any]:
    """Make the dict of one platform."""
    return {
        "platform": image.platform.name,
        "manifest": str(image.manifest),
        "python": image.python,
        "python-build": str(image.python_build),
        "init": list(image.init),
        "passwd": image.passwd,
        "layers": [
            {
                "digest": str(layer.file.sha256),
                "diff-id": str(layer.diff_id),
                "size": layer.file.size,
                "media-type": layer.media_type,
            }
            for layer in image.layers
        ],
        "packages": list(image.packages),
    }


def read_image(row: Table) -> LockedImage | None:
    """Read one platform; None, with issues noted, where it cannot be."""
    name = row.text("platform", required=True) or ""
    if name not in PLATFORMS:
        row.wrong("platform", f"unknown platform {name[:80]!r}")
    manifest, build = _digest(row, "manifest"), _digest(row, "python-build")
    python = row.text("python", required=True) or ""
    init = row.texts("init") or ()
    for key, paths in (("python", [python]), ("init", init[:1])):
        if not all(_PATH.match(path) for path in paths):
            row.wrong(key, "is no absolute path")
    passwd = row.block("passwd") or ""
    layers = [_read_layer(layer) for layer in row.tables("layers")]
    packages = row.texts("packages") or ()
    if not all(_PACKAGE.match(package) for package in packages) or list(packages) != sorted(packages):
        row.wrong("packages", "are not Debian packages as name=version, in their order")
    row.close()
    if name not in PLATFORMS or manifest is None or build is None or None in layers:
        return None
    return LockedImage(
        platform=PLATFORMS[name],
        manifest=manifest,
        layers=tuple(layer for layer in layers if layer is not None),
        python=python,
        python_build=build,
        init=init,
        passwd=passwd,
        packages=packages,
    )


def _read_layer(row: Table) -> LockedLayer | None:
    digest, diff_id = _digest(row, "digest"), _digest(row, "diff-id")
    size = row.integer("size", least=0, most=_MAX_SIZE)
    media_type = row.text("media-type", required=True) or ""
    if not _LAYER.match(media_type):
        row.wrong("media-type", f"cannot be {media_type[:80]!r}")
    if size is None:
        row.wrong("size", "must be there, a whole number")
    row.close()
    if digest is None or diff_id is None or size is None:
        return None
    return LockedLayer(
        media_type=media_type, file=LockedFile(name=layer_name(digest), size=size, sha256=digest), diff_id=diff_id
    )


def layer_name(digest: Digest) -> str:
    """Name a layer for people: errors and reports show it."""
    return f"layer-{digest.hex[:12]}"


def _digest(row: Table, key: str) -> Digest | None:
    value = row.text(key, required=True)
    if value is None:
        return None
    try:
        return Digest.parse(value)
    except InvalidInputError as exc:
        row.wrong(key, exc.message)
        return None
