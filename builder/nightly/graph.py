"""The build graph: debs, projects and wheels, the bases and stacks whose locks hold them, images and their scans.

An edge leads from what is changed to what is made from it: `deb:libssl3t64` to `base:trixie` to `stack:core` to `image:core` to
`scan:core`; `project:requests` to `wheel:requests-2.32.5-py3-none-any.whl` to the stacks that lock it; a parent's stack to its
children's, and its image to theirs. `index` stands for all that indexes may say. Each node that is made has a key: the digest
of what it is made from.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import networkx as nx
from packaging.utils import canonicalize_name

from builder.digest import Digest
from builder.errors import InvalidInputError
from builder.stack.names import nearest

if TYPE_CHECKING:
    Graph = nx.DiGraph[str]

INDEX: Final = "index"
KINDS: Final = ("deb", "project", "wheel", "base", "stack", "image", "scan")


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseFacts:
    """What the graph needs of a base's lock."""

    name: str
    lock: Digest
    """Of the lock file's bytes."""
    debs: Mapping[str, str]
    """Package to version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StackFacts:
    """What the graph needs of a stack's lock."""

    name: str
    lock: Digest
    base: str
    base_lock: Digest
    parent: str
    """Empty for none."""
    owners: tuple[str, ...]
    versions: Mapping[str, str]
    """Project to version; several, where platforms differ, side by side."""
    wheels: Mapping[str, str]
    """File name to project."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Affected:
    """What is made from something, directly or not."""

    by: str
    """A node, as `deb:openssl`."""
    versions: Mapping[str, tuple[str, ...]]
    """Version to the bases or stacks that hold it, where it is a deb or a project."""
    bases: tuple[str, ...]
    stacks: tuple[str, ...]
    """Parents before children, else by name."""
    images: tuple[str, ...]
    scans: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildGraph:
    """All nodes, and the facts that they were made from."""

    graph: Graph
    bases: Mapping[str, BaseFacts]
    stacks: Mapping[str, StackFacts]

    def affected(self, by: str) -> Affected:
        """Find what a change touches; raises InvalidInputError where the name is of no node.

        Args:
            by: `deb:PACKAGE`, `project:NAME`, `wheel:FILE`, `base:NAME`, `stack:NAME` or `index`.
        """
        node = self._node(by)
        names: dict[str, set[str]] = {kind: set() for kind in KINDS}
        for row in nx.descendants(self.graph, node):
            kind, _, name = row.partition(":")
            names[kind].add(name)
        return Affected(
            by=node,
            versions=self._versions(node),
            bases=tuple(sorted(names["base"])),
            stacks=self.in_order(names["stack"]),
            images=self.in_order(names["image"]),
            scans=self.in_order(names["scan"]),
        )

    def in_order(self, stacks: Iterable[str]) -> tuple[str, ...]:
        """Order stacks: parents before children, else by name."""
        return tuple(sorted(stacks, key=lambda name: (self._depth(name), name)))

    def descendants(self, stack: str) -> tuple[str, ...]:
        """List the stacks that extend a stack, directly or not, in order."""
        found = {
            one.partition(":")[2] for one in nx.descendants(self.graph, f"stack:{stack}") if one.startswith("stack:")
        }
        return self.in_order(found)

    def _depth(self, name: str) -> int:
        depth, seen = 0, {name}
        while (name := self.stacks[name].parent if name in self.stacks else "") and name not in seen:
            seen.add(name)
            depth += 1
        return depth

    def _node(self, by: str) -> str:
        kind, _, name = by.partition(":")
        if by == INDEX:
            return by
        if kind not in KINDS or not name:
            raise InvalidInputError(
                f"{by[:80]!r} names nothing in the graph",
                hint=f"as {', '.join(f'{kind}:NAME' for kind in KINDS)} or {INDEX}",
            )
        node = f"project:{canonicalize_name(name)}" if kind == "project" else by
        if node not in self.graph:
            known = [one.partition(":")[2] for one in self.graph if one.startswith(f"{kind}:")]
            raise InvalidInputError(f"no lock here holds the {kind} {name[:80]!r}", hint=nearest(name, known, kind))
        return node

    def _versions(self, node: str) -> dict[str, tuple[str, ...]]:
        kind, _, name = node.partition(":")
        rows: Iterable[tuple[str, str]] = ()
        if kind == "deb":
            rows = ((base.debs[name], base.name) for base in self.bases.values() if name in base.debs)
        elif kind == "project":
            rows = ((stack.versions[name], stack.name) for stack in self.stacks.values() if name in stack.versions)
        found: dict[str, list[str]] = {}
        for version, holder in rows:
            found.setdefault(version, []).append(holder)
        return {version: tuple(sorted(found[version])) for version in sorted(found)}


def make_graph(bases: Sequence[BaseFacts], stacks: Sequence[StackFacts], *, formats: Sequence[str] = ()) -> BuildGraph:
    """Join the facts of all locks.

    Args:
        bases: in any order.
        stacks: in any order.
        formats: what else decides about images: part of their keys.
    """
    graph: Graph = nx.DiGraph()
    graph.add_node(INDEX)
    wheels: dict[str, str] = {}
    for base in bases:
        graph.add_node(f"base:{base.name}", key=str(base.lock))
        graph.add_edges_from((f"deb:{package}", f"base:{base.name}") for package in base.debs)
    for stack in stacks:
        node, image, scan = f"stack:{stack.name}", f"image:{stack.name}", f"scan:{stack.name}"
        key = Digest.of("\n".join((str(stack.lock), str(stack.base_lock), *formats)).encode())
        graph.add_node(node, key=str(stack.lock))
        graph.add_node(image, key=str(key))
        graph.add_node(scan, key=str(key))
        graph.add_edges_from(((INDEX, node), (f"base:{stack.base}", node), (node, image), (image, scan)))
        if stack.parent:
            graph.add_edges_from(((f"stack:{stack.parent}", node), (f"image:{stack.parent}", image)))
        for wheel, project in stack.wheels.items():
            if wheel not in wheels:  # most are other stacks' too
                wheels[wheel] = f"wheel:{wheel}"
                graph.add_edge(f"project:{project}", wheels[wheel])
        graph.add_edges_from((wheels[wheel], node) for wheel in stack.wheels)
    return BuildGraph(
        graph=graph,
        bases={base.name: base for base in sorted(bases, key=lambda base: base.name)},
        stacks={stack.name: stack for stack in sorted(stacks, key=lambda stack: stack.name)},
    )
