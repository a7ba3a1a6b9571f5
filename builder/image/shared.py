"""Files that several distributions install alike, to the byte: the first of them, in the order of layers, keeps them.

Real wheels do this: the folders of a namespace come with the same `__init__.py` or `py.typed` in each of its
distributions (opencensus, gcloud-aio). pip and uv write such a file again and again; a layer may hold a path only once.
Files that differ stay where they are, so that the check of ownership refuses them.

Since only what comes earlier decides, a parent's layers are the same in its children.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Final

from builder.entry import Entry
from builder.image.parts import LayerParts
from builder.image.segment import Segment, read_path_names
from builder.image.sources import Intake, Source, WheelSource, read_installed

_MOST: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class _Settled:
    keys: tuple[str, ...]
    """Of the segments of an image's sources, as they were."""
    sources: tuple[Source, ...]
    """The same sources, settled."""


class SharedFiles:
    """Remembers how images were settled: since only what comes earlier decides, one that begins alike is settled alike there."""

    def __init__(self) -> None:
        self._settled: deque[_Settled] = deque(maxlen=_MOST)

    def note(
        self, parts: Sequence[LayerParts], segments: Mapping[Source, Segment], settled: Sequence[LayerParts]
    ) -> None:
        """Note how the layers of an image came out."""
        self._settled.append(
            _Settled(keys=tuple(segments[source].key for source in _sources(parts)), sources=tuple(_sources(settled)))
        )

    def recall(self, parts: Sequence[LayerParts], segments: Mapping[Source, Segment]) -> tuple[LayerParts, ...] | None:
        """Settle the beginning of an image as that of another one was; None where that changes nothing.

        What comes after it is as it was: only where nothing is in conflict then, the whole is settled.
        """
        sources = _sources(parts)
        keys = [segments[source].key for source in sources]
        known = max((one.sources[: _alike_keys(one.keys, keys)] for one in tuple(self._settled)), key=len, default=())
        # Only what is left out is taken over: a key does not hold what a source is called, and its name is in the image.
        settled: dict[Source, Source] = {
            source: replace(source, without=other.without)
            for source, other in zip(sources, known, strict=False)
            if isinstance(source, WheelSource) and isinstance(other, WheelSource)
        }
        if all(before == after for before, after in settled.items()):
            return None
        return _replaced(parts, settled)


def _sources(parts: Sequence[LayerParts]) -> list[Source]:
    return [source for layer in parts for source in layer.sources]


def _replaced(parts: Sequence[LayerParts], settled: Mapping[Source, Source]) -> tuple[LayerParts, ...]:
    return tuple(
        replace(layer, sources=tuple(settled.get(source, source) for source in layer.sources)) for layer in parts
    )


def _alike_keys(one: Sequence[str], other: Sequence[str]) -> int:
    pairs = zip(one, other, strict=False)
    return next((number for number, (left, right) in enumerate(pairs) if left != right), min(len(one), len(other)))


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
    return _replaced(parts, settled)


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
