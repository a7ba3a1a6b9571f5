"""One map of directories for a whole image: every layer writes the same mode and owner for the same folder.

A layer that left a parent directory out would make the runtime create it with a mode of its own choosing; a layer that
wrote another mode would change it for the layers below. So each layer carries all its parents, all from one map.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from builder.entry import Entry, directory_entry
from builder.image.segment import Segment, folders_above


def directory_map(groups: Iterable[Sequence[Segment]]) -> Mapping[str, Entry]:
    """Collect the directories that inputs state with mode and owner.

    Args:
        groups: what may override what, weakest first: debs, then what the base declares and the run contract. Within a
            group the first one to state a directory wins, as the first package unpacked does with dpkg.
    """
    result: dict[str, Entry] = {}
    for group in groups:
        stated: dict[str, Entry] = {}
        for segment in group:
            for entry in segment.directories:
                stated.setdefault(entry.path, entry)
        result |= stated
    return result


def layer_directories(segments: Iterable[Segment], known: Mapping[str, Entry]) -> tuple[Entry, ...]:
    """List the directories of a layer: stated or needed by its segments, and all above them; parents first."""
    needed: set[str] = set()
    for segment in segments:
        needed.update(segment.parents)
        needed.update(entry.path for entry in segment.directories)
    needed |= folders_above(needed)
    return tuple(known.get(path) or directory_entry(path) for path in sorted(needed))
