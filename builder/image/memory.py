"""What a process that builds many images remembers from one to the next. Nothing of it decides about an image's bytes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from builder.image.shared import SharedFiles
from builder.image.together import Together
from builder.image.verified import VerifiedFiles
from builder.recent import Recent

if TYPE_CHECKING:
    from builder.image.base_tree import BaseTree
    from builder.image.segment import Segment

_MOST_SEGMENTS: Final = 2048
_MOST_LAYERS: Final = 1024
_MOST_TREES: Final = 4


def _segments() -> Recent[str, Segment]:
    return Recent(_MOST_SEGMENTS)


def _layer_keys() -> Recent[tuple[str, ...], str]:
    return Recent(_MOST_LAYERS)


def _trees() -> Recent[str, BaseTree]:
    return Recent(_MOST_TREES)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageMemory:
    """Stacks of a fleet share most of their segments and layers: what was found of these once is not looked for again."""

    segments: Recent[str, Segment] = field(default_factory=_segments)
    """Descriptions by key. A segment that is gone from the cache, or damaged, is noticed when it is read."""
    layer_keys: Recent[tuple[str, ...], str] = field(default_factory=_layer_keys)
    """By compressor, what the map of directories is made of, and keys of segments."""
    trees: Recent[str, BaseTree] = field(default_factory=_trees)
    """What is in bases that are images."""
    together: Together = field(default_factory=Together)
    """Segments that were found to have one owner for each path."""
    shared: SharedFiles = field(default_factory=SharedFiles)
    """How files that several distributions install alike were left to one of them."""
    files: VerifiedFiles = field(default_factory=VerifiedFiles)
    """Layers that were hashed."""
