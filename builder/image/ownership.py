"""Every path of an image has one owner; nothing lies below what is no directory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from builder.errors import BuilderError, BuildError, IssuesError
from builder.image.segment import Segment, read_path_names
from builder.image.sources import Source, WheelSource
from builder.wheel.overlap import check_overlap


def check_ownership(owned: Sequence[tuple[Source, Segment]]) -> None:
    """Refuse an image in which two inputs write one path.

    Raises:
        IssuesError: each conflict, with both owners.
        DamagedSegmentError: a cached list of files is not what was written.
    """
    paths = {source.name: read_path_names(segment) for source, segment in owned}
    wheels = {
        source.wheel.name: [path for path in paths[source.name] if not path.endswith(".pyc")]
        for source, _ in owned
        if isinstance(source, WheelSource)
    }
    others = [path for source, _ in owned if not isinstance(source, WheelSource) for path in paths[source.name]]
    issues = [*_doubles(paths), *_below_files(owned, paths)]
    if issues:
        raise IssuesError(issues)
    check_overlap(wheels, reserved=[path for path in others if path.startswith("home/")])


def _doubles(paths: Mapping[str, Iterable[str]]) -> Iterable[BuilderError]:
    owners: dict[str, str] = {}
    for name, owned in paths.items():
        for path in owned:
            other = owners.setdefault(path, name)
            if other != name:
                yield BuildError(f"is written by {other} and by {name}", context=path)


def _below_files(owned: Sequence[tuple[Source, Segment]], paths: Mapping[str, Iterable[str]]) -> Iterable[BuilderError]:
    """Find folders of one input that are a file or a link in another: unpacking would replace them."""
    folders: dict[str, str] = {}
    for source, segment in owned:
        for path in (*segment.parents, *(entry.path for entry in segment.directories)):
            folders.setdefault(path, source.name)
    for name, files in paths.items():
        for path in sorted(folders.keys() & set(files)):
            yield BuildError(f"is a folder of {folders[path]} and no folder in {name}", context=path)
