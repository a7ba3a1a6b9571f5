"""Finished segments of a night, by way of a registry: what one worker has compiled, another need not.

A build takes them from the set that `locks/segments.toml` pins for its stack, or for one that it extends; a build that gave something new pushes its own.
What it pushed stands in its step, and is pinned when the night ends: one writer of that file, however many workers. Nothing here fails a build.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from builder.errors import BuilderError

if TYPE_CHECKING:
    from builder.nightly.model import Night
    from builder.project import Project
    from builder.registry.model import Registry
    from builder.usecase.build import BuildRequest, BuildTools

FACT: Final = "segments"
"""Of a step that built: digest of the set that it pushed."""
TAKEN: Final = "segments_taken"
"""And how many came from the registry, and were not made here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NightSegments:
    """Takes finished segments from a repository, and brings them there."""

    project: Project
    repository: str
    registry: Registry
    say: Callable[[str], None]

    def taken(self, tools: BuildTools, stacks: Iterable[str]) -> BuildTools:
        """Build with the pinned set of the first of these stacks that has one.

        Args:
            tools: of the build.
            stacks: the one that is built, then its parents.
        """
        from builder.registry.model import parse_repository
        from builder.usecase.segments import RemoteSegments, recorded_set, with_segments

        found = (recorded_set(self.project.locks_folder, stack) for stack in stacks)
        digest = next((one for one in found if one is not None), None)
        if digest is None:
            return tools
        reference = parse_repository(self.repository).at(digest)
        return with_segments(tools, RemoteSegments(tools.artefacts, self.registry, reference, self.say))

    def shared(self, request: BuildRequest, tools: BuildTools) -> dict[str, str]:
        """Push the segments of an image that was just built; returns what its step says of it, nothing where it could not be."""
        from builder.registry.model import parse_repository
        from builder.usecase.segments import plan_segments, push_segments, used_segments

        try:
            segments = used_segments(request, tools)
            repository = parse_repository(self.repository)
            plan, places = plan_segments(
                self.registry, repository, request.stack, segments, (f"segments-{request.stack}",)
            )
            push_segments(self.registry, plan, places)
        except BuilderError as error:
            self.say(f"segments of {request.stack} are not shared: {error.message}")
            return {}
        return {FACT: str(plan.root.digest)}


def count_taken(tools: BuildTools) -> dict[str, int]:
    """Say how many segments a build took from a registry; nothing where it had none to take from."""
    from builder.usecase.segments import RemoteSegments

    return {TAKEN: tools.artefacts.used} if isinstance(tools.artefacts, RemoteSegments) else {}


def pin_segments(project: Project, night: Night) -> None:
    """Pin the sets that a night pushed in locks/segments.toml."""
    from builder.digest import Digest
    from builder.usecase.segments import record_set

    for (node, _), done in night.latest().items():
        if pushed := done.facts.get(FACT):
            record_set(project.locks_folder, node.partition(":")[2], Digest.parse(pushed))
