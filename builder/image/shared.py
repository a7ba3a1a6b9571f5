"""Files that several distributions install alike, to the byte: the first of them, in the order of layers, keeps them.

Real wheels do this: the folders of a namespace come with the same `__init__.py` or `py.typed` in each of its
distributions (opencensus, gcloud-aio). pip and uv write such a file again and again; a layer may hold a path only once.
Files that differ stay where they are, so that the check of ownership refuses them.

Since only what comes earlier decides, a parent's layers are the same in its children.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from builder.entry import Entry
from builder.image.parts import LayerParts
from builder.image.segment import Segment, read_path_names
from builder.image.sources import Intake, Source, WheelSource, read_installed


def settle_shared_files(
    parts: Sequence[LayerParts], segments: Mapping[Source, Segment], intake: Intake
) -> tuple[LayerParts, ...]:
    """Take shared files out of all distributions but the first that has them.

    Args:
        parts: the layers of a platform, lowest first.
        segments: of their sources.
        intake: reads the distributions that share a path, once more.

    Returns:
        The same layers; equal to `parts` where nothing is shared.
    """
    owners: dict[str, WheelSource] = {}
    doubles: dict[WheelSource, dict[str, WheelSource]] = {}
    for source in (source for layer in parts for source in layer.sources if isinstance(source, WheelSource)):
        for path in read_path_names(segments[source]):
            owner = owners.setdefault(path, source)
            if owner != source:
                doubles.setdefault(source, {})[path] = owner
    installed = {
        source: {entry.path: entry for entry in read_installed(source, intake)}
        for source in {*doubles, *(owner for paths in doubles.values() for owner in paths.values())}
    }
    settled: dict[Source, Source] = {
        source: replace(source, without=_alike(source, paths, installed)) for source, paths in doubles.items()
    }
    return tuple(
        replace(layer, sources=tuple(settled.get(source, source) for source in layer.sources)) for layer in parts
    )


def _alike(
    source: WheelSource, paths: Mapping[str, WheelSource], installed: Mapping[WheelSource, Mapping[str, Entry]]
) -> tuple[str, ...]:
    """List the paths that a distribution has exactly as their first owner, and the bytecode of such paths."""
    mine = installed[source]
    alike = {path for path, owner in paths.items() if path in mine and mine[path] == installed[owner].get(path)}
    return tuple(sorted(path for path in paths if path in alike or _compiled_from(path) in alike))


def _compiled_from(path: str) -> str:
    """Name the source of a compiled file: `a/__pycache__/b.cpython-313.pyc` is of `a/b.py`."""
    pure = PurePosixPath(path)
    if pure.suffix != ".pyc" or pure.parent.name != "__pycache__":
        return ""
    return str(pure.parent.parent / f"{pure.name.partition('.')[0]}.py")
