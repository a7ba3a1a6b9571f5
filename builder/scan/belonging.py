"""Whose a finding is: told from the layer that it lies in, from the locks, and from who wants it. Pure.

- A Debian package, and what lies in the base's layers, is the base's: of who states the base, the topmost parent.
- A distribution in the version that Airflow's constraints name is of the tested set: of who states Airflow, the topmost parent too,
  for no child may move it.
- Else it is of the stack in whose layers it lies: a parent's are shared, the others the stack's own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from builder.finding.model import Belonging, Kind, Part
from builder.image.view import BASE_LAYER, PYTHON_LAYER, PlatformView
from builder.lock.model import LockedCandidate, StackLock
from builder.lock.status import candidate_status

_ASKED: Final = "stack:"
_AS_IT_IS: Final = ("as", "it", "is")
"""How the history of a base's own layer ends, after its digest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Landmarks:
    """What belongings are told from, for one platform."""

    lock: StackLock
    owners: Mapping[str, tuple[str, ...]]
    """Of stacks, by name; those that are not known have none."""
    layers: Mapping[str, str]
    """Name of each layer, by diff_id."""
    base_layers: frozenset[str]
    """Names of those that are the base's."""


def find_landmarks(lock: StackLock, view: PlatformView, owners: Mapping[str, tuple[str, ...]]) -> Landmarks:
    """Read what an image says of its layers."""
    return Landmarks(
        lock=lock,
        owners=owners,
        layers={str(layer.diff_id): layer.name for layer in view.layers},
        base_layers=frozenset(
            layer.name
            for layer in view.layers
            if layer.name in {BASE_LAYER, PYTHON_LAYER} or layer.contents[1:] == _AS_IT_IS
        ),
    )


def belonging_of(kind: Kind, name: str, diff_id: str, marks: Landmarks) -> Belonging:
    """Tell whose something is.

    Args:
        kind: of it.
        name: of a distribution normalised.
        diff_id: of the layer that the scanner saw it in.
        marks: of the platform.
    """
    lock = marks.lock
    layer = marks.layers.get(diff_id, "")
    top = lock.parents[-1] if lock.parents else lock.stack
    if kind is Kind.DEB or layer in marks.base_layers:
        return Belonging(part=Part.BASE, layer=layer, owners=marks.owners.get(top, ()))
    candidate = (
        next((one for one in lock.candidates if one.project == name), None) if kind is Kind.DISTRIBUTION else None
    )
    planned = next((one for one in lock.plan if one.name == layer), None)
    stack = planned.stack if planned else lock.stack
    chain = chain_to(lock.candidates, name) if candidate else ()
    if candidate is not None and candidate_status(candidate) == "constrained":
        return Belonging(part=Part.TESTED, layer=layer, stack=top, owners=marks.owners.get(top, ()), chain=chain)
    part = Part.OWN if stack == lock.stack else Part.SHARED
    return Belonging(part=part, layer=layer, stack=stack, owners=marks.owners.get(stack, ()), chain=chain)


def chain_to(candidates: Sequence[LockedCandidate], project: str) -> tuple[str, ...]:
    """Find the shortest way from a stack that asks to a project; of several the first by name.

    Returns:
        As `stack:finance`, `dbt-core`, `requests`; the project alone where nobody is known to want it.
    """
    wanted = {candidate.project: candidate.wanted_by for candidate in candidates}
    ways: list[tuple[str, ...]] = [(project,)]
    seen = {project}
    while ways:
        longer: list[tuple[str, ...]] = []
        for way in ways:
            for who in wanted.get(way[0], ()):
                if who.startswith(_ASKED):
                    return (who, *way)
                if who not in seen:
                    seen.add(who)
                    longer.append((who, *way))
        ways = longer
    return (project,)
