"""Why a project is in a stack's lock, and what holds it back. Reads the lock, and metadata that snapshots hold; offline."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from packaging.metadata import parse_email
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from builder.digest import Digest
from builder.errors import InvalidInputError
from builder.lock.model import LockedCandidate, StackLock
from builder.snapshot.model import SnapshotStore
from builder.stack.names import nearest

MOST_PATHS = 10
_ASKED = "stack:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Something that bounds a project's version."""

    who: str
    text: str
    """As `requires protobuf<6`."""


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


def explain_why(lock: StackLock, project: str, parents: Mapping[str, StackLock], store: SnapshotStore) -> Why:
    """Explain why a project is in a lock.

    Args:
        lock: of the stack.
        project: as a person writes it.
        parents: locks of the stack's parents, by name.
        store: of snapshots, for the metadata of who requires it.

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
        holders=tuple(_iter_holders(lock, candidates, name, parents, store)),
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


def _iter_holders(
    lock: StackLock,
    candidates: Mapping[str, LockedCandidate],
    project: str,
    parents: Mapping[str, StackLock],
    store: SnapshotStore,
) -> Iterator[Holder]:
    candidate = candidates[project]
    diverged = {divergence.project: divergence for divergence in lock.divergences}
    if project in diverged:
        row = diverged[project]
        yield Holder(who=f"divergence ({row.owner})", text=f"{row.specifier} until {row.expires}: {row.reason}")
    elif candidate.tested is not None:
        yield Holder(
            who=f"the tested set of Airflow {lock.airflow_version}", text=f"pins {project}=={candidate.tested}"
        )
    # The farthest parent that has it is the one that first pinned it.
    for parent in reversed(lock.parents):
        held = (
            [row.version for row in parents[parent].candidates if row.project == project] if parent in parents else []
        )
        if held:
            yield Holder(who=f"parent {parent}", text=f"pins {project}=={held[0]}")
            break
    digests = store.metadata_digests()
    for who in candidate.wanted_by:
        if who in candidates:
            for requirement in _requirements(candidates[who], project, digests, store):
                yield Holder(who=f"{who} {candidates[who].version}", text=f"requires {requirement}")


def _requirements(
    requirer: LockedCandidate, project: str, digests: Mapping[str, Digest], store: SnapshotStore
) -> list[str]:
    """Read what a candidate's metadata says of a project, where a snapshot holds it; only what bounds it."""
    for file in requirer.wheels.values():
        digest = digests.get(file.sha256.hex)
        data = store.get(digest) if digest else None
        if data is not None:
            raw, _ = parse_email(data)
            return sorted({text for line in raw.get("requires_dist", []) if (text := _bound(line, project))})
    return []


def _bound(line: str, project: str) -> str:
    try:
        requirement = Requirement(line)
    except InvalidRequirement:
        return ""
    if canonicalize_name(requirement.name) != project or not requirement.specifier:
        return ""
    return f"{project}{requirement.specifier}" + (f" ; {requirement.marker}" if requirement.marker else "")
