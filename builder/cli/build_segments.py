"""`airflow-kubler build --segments`: a build that finds finished segments in a registry."""

from __future__ import annotations

from typing import Any

from builder.cli.output import note, render_size
from builder.errors import InvalidInputError
from builder.registry.model import Reference, parse_reference, parse_repository
from builder.usecase.build import BuildRequest, BuildTools, build
from builder.usecase.segments import RECORD, RemoteSegments, recorded_set, with_segments
from builder.wiring.registries import make_registry


def build_with_segments(request: BuildRequest, tools: BuildTools, text: str) -> dict[str, Any]:
    """Build, with segments of the pinned set; without any where it cannot be had, which is said."""
    reference = _set_of(request, text)
    if reference is None:
        note(f"no finished segments are used: locks/{RECORD} pins no set of {request.stack}")
        return build(request, tools)
    with make_registry() as registry:
        remote = RemoteSegments(tools.artefacts, registry, reference, note)
        summary = build(request, with_segments(tools, remote))
    if remote.used:
        note(f"{remote.used} finished segments ({render_size(remote.used_bytes)}) came from {reference.repository}")
    return summary


def _set_of(request: BuildRequest, text: str) -> Reference | None:
    if "@" in text:
        return parse_reference(text)
    if ":" in text.rpartition("/")[2]:
        raise InvalidInputError(
            "names a set of segments by tag", context=text, hint="name the repository alone, or a digest"
        )
    digest = recorded_set(request.locks, request.stack)
    return parse_repository(text).at(digest) if digest is not None else None
