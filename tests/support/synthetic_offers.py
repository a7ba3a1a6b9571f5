"""What a made-up index offers of a made-up universe: one pure wheel for each release, its metadata as the universe says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from packaging.version import Version

from builder.snapshot.model import OfferedFile
from builder.snapshot.rules import Dropped, Selected
from tests.support.small_universe import Universe


class SyntheticOffers:
    """Offers over a universe.

    Args:
        universe: releases and their requirements.
        python: by project and version, what a release requires of Python.
        tags: by project and version, the tag of its wheel; `py3-none-any` where none is named.
        dropped: by project, version with the rule that holds it back and its detail.
    """

    def __init__(
        self,
        universe: Universe,
        *,
        python: Mapping[tuple[str, str], str] | None = None,
        tags: Mapping[tuple[str, str], str] | None = None,
        dropped: Mapping[str, Sequence[tuple[str, str, str]]] | None = None,
    ) -> None:
        self.universe = universe
        self.python = python or {}
        self.tags = tags or {}
        self.dropped = dropped or {}
        self.read: list[str] = []
        """Names of files whose metadata was read."""

    def versions(self, project: str) -> tuple[str, ...]:
        return tuple(sorted(self.universe.get(project, {}), key=Version, reverse=True))

    def selected(self, project: str) -> Selected | None:
        if project not in self.universe and project not in self.dropped:
            return None
        return Selected(
            index="default",
            project=project,
            wheels=tuple(self._file(project, version) for version in self.universe.get(project, {})),
            sdists=(),
            dropped=tuple(
                Dropped(file=self._file(project, version), version=version, rule=rule, detail=detail)
                for version, rule, detail in self.dropped.get(project, ())
            ),
        )

    def metadata(self, file: OfferedFile) -> bytes:
        self.read.append(file.name)
        project, version = file.url.rsplit("/", 2)[1:]
        lines = ["Metadata-Version: 2.1", f"Name: {project}", f"Version: {version}"]
        lines += [f"Requires-Dist: {text}" for text in self.universe[project][version]]
        return ("\n".join(lines) + "\n").encode()

    def _file(self, project: str, version: str) -> OfferedFile:
        tag = self.tags.get((project, version), "py3-none-any")
        return OfferedFile(
            name=f"{project.replace('-', '_')}-{version}-{tag}.whl",
            url=f"http://index.invalid/{project}/{version}",
            requires_python=self.python.get((project, version)),
        )
