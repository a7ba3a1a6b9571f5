"""Why a project is in a stack's lock, and what holds it back: offline, from the lock and the metadata of its wheels.

Of a requirer's metadata only what holds on the lock's platforms is told: markers are evaluated, and extras count where somebody
asks for them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from packaging.metadata import parse_email
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from builder.errors import InvalidInputError, PackageIndexError
from builder.lock.model import LockedCandidate, LockedFile, StackLock
from builder.lock.pylock import wheel_path
from builder.project import Project
from builder.resolve.constraints import marker_environment
from builder.snapshot.metadata import read_local_metadata
from builder.snapshot.model import SnapshotStore
from builder.stack.names import nearest

MOST_PATHS = 10
_ASKED = "stack:"
_UPPER = frozenset({"<", "<=", "==", "===", "~="})

MetadataReader = Callable[[LockedFile], bytes | None]
"""Reads the METADATA of a locked wheel; None where it is not at hand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Something that bounds a project's version."""

    who: tuple[str, ...]
    """Those that say the same, as `google-ads 34.0.0`."""
    text: str
    """As `requires protobuf<6`."""
    caps: bool
    """Whether it bounds from above; those that do stand first, the lowest bound before all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Why:
    """Why a candidate is there."""

    stack: str
    project: str
    versions: tuple[str, ...]
    paths: tuple[tuple[str, ...], ...]
    """From who asks, as `stack:core`, to the project; shortest first."""
    more_paths: int
    """How many further requirers are on no path shown."""
    holders: tuple[Holder, ...]


def explain_why(
    lock: StackLock,
    project: str,
    *,
    parents: Mapping[str, StackLock],
    asked: Mapping[str, Sequence[str]],
    metadata: MetadataReader,
) -> Why:
    """Explain why a project is in a lock.

    Args:
        lock: of the stack.
        project: as a person writes it.
        parents: locks of the stack's parents, by name.
        asked: by stack, its own requirements: the stack and its parents.
        metadata: reads METADATA of locked wheels.

    Raises:
        InvalidInputError: the lock does not have it.
    """
    name = canonicalize_name(project)
    candidates = {candidate.project: candidate for candidate in lock.candidates}
    if name not in candidates:
        raise InvalidInputError(
            f"{project} is not in the lock",
            context=f"locks/pylock.{lock.stack}.toml",
            hint=nearest(name, candidates, "project"),
        )
    paths = tuple(islice(_iter_paths(candidates, name), MOST_PATHS))
    shown = {step for path in paths for step in path}
    requirers = [who for who in candidates[name].wanted_by if not who.startswith(_ASKED)]
    return Why(
        stack=lock.stack,
        project=name,
        versions=tuple(row.version for row in lock.candidates if row.project == name),
        paths=paths,
        more_paths=len([who for who in requirers if who not in shown]),
        holders=(
            *_lock_holders(lock, candidates[name], parents),
            *_requirement_holders(lock, candidates, name, asked, metadata),
        ),
    )


def _iter_paths(candidates: Mapping[str, LockedCandidate], project: str) -> Iterator[tuple[str, ...]]:
    """List for each who directly wants the project the shortest path from something asked for; shortest first."""
    import networkx as nx

    graph: nx.DiGraph[str] = nx.DiGraph()
    for candidate in candidates.values():
        for who in candidate.wanted_by:
            graph.add_edge(who, candidate.project)
    asked = sorted(node for node in graph if node.startswith(_ASKED))
    found: list[tuple[str, ...]] = []
    for who in sorted(graph.predecessors(project)):
        if who.startswith(_ASKED):
            found.append((who, project))
            continue
        # A way through the project itself would be a circle.
        without = graph.subgraph(node for node in graph if node != project)
        ways = [tuple(nx.shortest_path(without, stack, who)) for stack in asked if nx.has_path(without, stack, who)]
        if ways:
            found.append((*min(ways, key=lambda way: (len(way), way)), project))
    yield from sorted(found, key=lambda path: (len(path), path))


def metadata_reader(project: Project, store: SnapshotStore) -> MetadataReader:
    """Make what reads metadata that snapshots hold, else that of wheels in locks/files."""
    digests = store.metadata_digests()

    def read(file: LockedFile) -> bytes | None:
        digest = digests.get(file.sha256.hex)
        data = store.get(digest) if digest else None
        path = project.locks_folder / wheel_path(file)
        if data is not None or not path.is_file():
            return data
        try:
            return read_local_metadata(path)
        except PackageIndexError:
            # It was locked, so what it required was known then; here it only says less.
            return None

    return read


def _lock_holders(lock: StackLock, candidate: LockedCandidate, parents: Mapping[str, StackLock]) -> Iterator[Holder]:
    """List what the lock itself knows: the divergence or the tested line, and the parent that first pinned it."""
    project = candidate.project
    divergence = next((row for row in lock.divergences if row.project == project), None)
    if divergence:
        text = f"{divergence.specifier} until {divergence.expires}: {divergence.reason}"
        yield Holder(who=(f"divergence ({divergence.owner})",), text=text, caps=True)
    elif candidate.tested is not None:
        who = f"the tested set of Airflow {lock.airflow_version}"
        yield Holder(who=(who,), text=f"pins {project}=={candidate.tested}", caps=True)
    # The farthest parent that has it is the one that first pinned it.
    for parent in reversed(lock.parents):
        held = [row.version for row in parents[parent].candidates if row.project == project]
        if held:
            yield Holder(who=(f"parent {parent}",), text=f"pins {project}=={held[0]}", caps=True)
            break


def _requirement_holders(
    lock: StackLock,
    candidates: Mapping[str, LockedCandidate],
    project: str,
    asked: Mapping[str, Sequence[str]],
    metadata: MetadataReader,
) -> tuple[Holder, ...]:
    """Group requirements by what they say: those that bound from above first, the lowest bound before all."""
    who: dict[str, list[str]] = {}
    bounds: dict[str, Requirement] = {}
    for name, requirement in _iter_requirements(lock, candidates, project, asked, metadata):
        if requirement.specifier:
            text = f"requires {project}{requirement.specifier}"
            bounds[text] = requirement
            if name not in who.setdefault(text, []):
                who[text].append(name)
    order = sorted(bounds, key=lambda text: (_ceiling(bounds[text]), -len(who[text]), text))
    return tuple(
        Holder(who=tuple(who[text]), text=text, caps=any(part.operator in _UPPER for part in bounds[text].specifier))
        for text in order
    )


def _iter_requirements(
    lock: StackLock,
    candidates: Mapping[str, LockedCandidate],
    project: str,
    asked: Mapping[str, Sequence[str]],
    metadata: MetadataReader,
) -> Iterator[tuple[str, Requirement]]:
    for stack, texts in asked.items():
        for requirement in map(Requirement, texts):
            if canonicalize_name(requirement.name) == project:
                yield f"stack {stack}", requirement
    for who in candidates[project].wanted_by:
        if who not in candidates:
            continue
        extras = _extras_asked(who, candidates, asked, metadata)
        for requirement in _requires(candidates[who], metadata):
            if canonicalize_name(requirement.name) == project and _holds(requirement, lock, extras):
                yield f"{who} {candidates[who].version}", requirement


def _extras_asked(
    project: str,
    candidates: Mapping[str, LockedCandidate],
    asked: Mapping[str, Sequence[str]],
    metadata: MetadataReader,
) -> frozenset[str]:
    """List the extras of a project that stacks and candidates ask for."""
    lines = [Requirement(text) for texts in asked.values() for text in texts]
    for who in candidates[project].wanted_by:
        lines += _requires(candidates[who], metadata) if who in candidates else []
    named = (line.extras for line in lines if canonicalize_name(line.name) == project)
    return frozenset(canonicalize_name(extra) for extras in named for extra in extras)


def _holds(requirement: Requirement, lock: StackLock, extras: frozenset[str]) -> bool:
    if requirement.marker is None:
        return True
    environments = [marker_environment(lock.python_version, platform) for platform in lock.platforms]
    return any(
        requirement.marker.evaluate({**environment, "extra": extra})
        for environment in environments
        for extra in ("", *sorted(extras))
    )


def _requires(candidate: LockedCandidate, metadata: MetadataReader) -> list[Requirement]:
    """Read what a candidate requires, from the first of its wheels whose metadata is at hand."""
    data = next((data for file in candidate.wheels.values() if (data := metadata(file)) is not None), None)
    if data is None:
        return []
    found: list[Requirement] = []
    for line in parse_email(data)[0].get("requires_dist", []):
        with contextlib.suppress(InvalidRequirement):
            found.append(Requirement(line))
    return found


def _ceiling(requirement: Requirement) -> tuple[int, Version]:
    """Name the lowest version that a requirement rules out from above; those without come last."""
    found: list[Version] = []
    for part in requirement.specifier:
        if part.operator in _UPPER:
            with contextlib.suppress(InvalidVersion):
                found.append(Version(part.version.removesuffix(".*")))
    return (0, min(found)) if found else (1, Version("0"))
