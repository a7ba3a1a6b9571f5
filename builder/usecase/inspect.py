"""Inspect: what an image holds, layer by layer, and which input a path came from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from builder.digest import Digest
from builder.errors import BuilderError, BuildError
from builder.image.layout_reader import FolderLayout
from builder.image.view import PlatformView, view_platform
from builder.oci.config import format_time
from builder.oci.layout import INDEX_FILE, LayoutImage, parse_layout
from builder.platform import Platform
from builder.usecase.build import BuildRequest, BuildTools, assemble_image, load_locks

if TYPE_CHECKING:
    from builder.image.assemble import BuiltImage


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageView:
    """One image."""

    stack: str
    index_digest: Digest
    platforms: tuple[PlatformView, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """Where a path of an image came from."""

    platform: Platform
    layer: str
    owner: str
    """As `botocore==1.40.1`."""
    path: str
    kind: str
    mode: int
    size: int
    target: str


def inspect_layout(layout: Path, platforms: tuple[Platform, ...] = ()) -> ImageView:
    """Read what a layout holds, of these platforms or all; nothing but its small documents is read.

    Raises:
        BuildError: there is no image.
    """
    if not (layout / INDEX_FILE).is_file():
        raise BuildError("there is no image", context=str(layout), hint="build it, or name a folder by --layout")
    try:
        image: LayoutImage = parse_layout(FolderLayout(layout))
    except BuilderError as error:
        raise BuildError(
            f"holds no image: {error.message}", context=str(layout), hint="build it, or name a folder by --layout"
        ) from error
    return ImageView(
        stack=image.name,
        index_digest=image.descriptor.digest,
        platforms=tuple(
            view_platform(found) for found in image.platforms if not platforms or found.platform in platforms
        ),
    )


def find_owners(path: str, request: BuildRequest, tools: BuildTools) -> tuple[Owner, ...]:
    """Find what owns a path, or what lies below a folder; segments that the cache lacks are made.

    Args:
        path: in the image, with or without a slash before it.
        request: which stack and platforms; its output is not touched.
        tools: as for a build.

    Returns:
        By platform, then path; empty where no input has it.
    """
    from builder.image.segment import find_segment, read_paths

    wanted = path.strip("/")
    image: BuiltImage = assemble_image(load_locks(request.locks, request.stack), request, tools)
    found = []
    for built in image.platforms:
        for layer in built.layers:
            for source, key in zip(layer.parts.sources, layer.segment_keys, strict=True):
                segment = find_segment(key, tools.artefacts)
                found += [
                    Owner(
                        platform=built.platform,
                        layer=layer.name,
                        owner=source.name,
                        path=record.path,
                        kind=record.kind,
                        mode=record.mode,
                        size=record.size,
                        target=record.target,
                    )
                    for record in (read_paths(segment) if segment else ())
                    if record.path == wanted or record.path.startswith(f"{wanted}/")
                ]
    return tuple(sorted(found, key=lambda owner: (owner.platform, owner.path)))


def view_to_json(view: ImageView) -> dict[str, Any]:
    """Describe an image as `inspect --json` prints it."""
    return {
        "stack": view.stack,
        "index_digest": str(view.index_digest),
        "platforms": {
            image.platform.name: {
                "manifest_digest": str(image.manifest_digest),
                "config_digest": str(image.config_digest),
                "created": format_time(image.created),
                "size_bytes": image.size,
                "layers": [
                    {
                        "name": layer.name,
                        "digest": str(layer.digest),
                        "diff_id": str(layer.diff_id),
                        "size_bytes": layer.size,
                        "contents": list(layer.contents),
                    }
                    for layer in image.layers
                ],
            }
            for image in view.platforms
        },
    }


def owners_to_json(path: str, owners: tuple[Owner, ...]) -> dict[str, Any]:
    """Describe owners as `inspect --path PATH --json` prints them."""
    return {
        "path": path,
        "owners": [
            {
                "platform": owner.platform.name,
                "layer": owner.layer,
                "owner": owner.owner,
                "path": owner.path,
                "kind": owner.kind,
                "mode": f"{owner.mode:04o}",
                "size_bytes": owner.size,
                "target": owner.target,
            }
            for owner in owners
        ],
    }
