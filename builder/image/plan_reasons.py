"""Why a stack's layers are as they are: what each costs, and what the nearest other plans would."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from builder.image.plan_groups import Group, make_group, price_of_union
from builder.image.plan_items import PlanItem


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerReason:
    """What tells for a layer."""

    size: int
    """Bytes of its wheels."""
    chance: float
    """That it changes in a night."""
    liveliest: PlanItem
    """Of its distributions the one that changes most likely."""
    nearest: int | None
    """The layer, by its place, that it would cost least to be joined with; None where there is no other."""
    joining_adds: float
    """Bytes that this would add to a night; 0 where there is no other."""
    first_out: str
    """The distribution that would save most in a layer of its own; empty where there is one alone."""
    leaving_saves: float
    """Bytes that this would save in a night."""

    @property
    def night(self) -> float:
        """Bytes that are expected to be pulled for it in a night."""
        return self.size * self.chance


def explain_layers(layers: Sequence[Sequence[PlanItem]]) -> tuple[LayerReason, ...]:
    """Tell what tells for each layer of a stack's own, in their order."""
    groups = [make_group(layer) for layer in layers]
    return tuple(_explain(layer, place, groups) for place, layer in enumerate(layers))


def _explain(layer: Sequence[PlanItem], place: int, groups: Sequence[Group]) -> LayerReason:
    group = groups[place]
    prices = [(price_of_union(group, other), number) for number, other in enumerate(groups) if number != place]
    price, nearest = min(prices, default=(0.0, None))
    saves, first = min(((-_saved(layer, item, group), item.project) for item in layer), default=(0.0, ""))
    return LayerReason(
        size=group.size,
        chance=group.chance,
        liveliest=min(layer, key=lambda item: (-item.chance, item.project)),
        nearest=nearest,
        joining_adds=price,
        first_out=first if len(layer) > 1 else "",
        leaving_saves=-saves if len(layer) > 1 else 0.0,
    )


def _saved(layer: Sequence[PlanItem], item: PlanItem, group: Group) -> float:
    rest = make_group(other for other in layer if other is not item)
    return group.cost - rest.cost - make_group([item]).cost
