"""What two images have of each other's layers, and what a node that holds the first pulls for the second."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from builder.image.view import LayerView, PlatformView
from builder.platform import Platform


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerPull:
    """A layer that a node pulls."""

    name: str
    size: int
    """Compressed bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformPull:
    """What a node of one platform pulls, that holds the first side's image."""

    platform: Platform
    layers: tuple[LayerPull, ...]
    """Lowest first."""
    held: int
    """Layers of the second side that it holds."""
    held_size: int
    """Their bytes."""
    measured: str
    """`built` where layers and sizes are those of built images, `sizes` where sizes are, `estimate` where neither is."""

    @property
    def size(self) -> int:
        """Bytes to pull."""
        return sum(layer.size for layer in self.layers)


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerPair:
    """A layer that both have under one name in other bytes, or that one alone has."""

    name: str
    before: LayerView | None
    after: LayerView | None


def sum_pull(platform: Platform, rows: Iterable[tuple[LayerPull, bool]], measured: str) -> PlatformPull:
    """Make a pull of layers, each with whether the node holds it."""
    known = list(rows)
    held = [layer for layer, is_held in known if is_held]
    return PlatformPull(
        platform=platform,
        layers=tuple(layer for layer, is_held in known if not is_held),
        held=len(held),
        held_size=sum(layer.size for layer in held),
        measured=measured,
    )


def pull_of(before: PlatformView, after: PlatformView) -> PlatformPull:
    """Find what a node that holds one image pulls for the other: layers with digests that it has not."""
    held = {layer.digest for layer in before.layers}
    rows = [(LayerPull(name=layer.name, size=layer.size), layer.digest in held) for layer in after.layers]
    return sum_pull(after.platform, rows, "built")


def changed_layers(before: PlatformView, after: PlatformView) -> tuple[LayerPair, ...]:
    """Pair the layers that are not in both images byte for byte: those of `after` lowest first, then what is gone."""
    old, new = _by_place(before, after), _by_place(after, before)
    pairs = [LayerPair(name=key[0], before=old.get(key), after=layer) for key, layer in new.items()]
    gone = [LayerPair(name=key[0], before=layer, after=None) for key, layer in old.items() if key not in new]
    return (*pairs, *gone)


def _by_place(image: PlatformView, other: PlatformView) -> dict[tuple[str, int], LayerView]:
    """Name the layers that the other image has not; those of one name, as BuildKit's, by their order too."""
    shared = {layer.digest for layer in other.layers}
    seen: Counter[str] = Counter()
    found = {}
    for layer in image.layers:
        if layer.digest not in shared:
            found[layer.name, seen[layer.name]] = layer
        seen[layer.name] += 1
    return found
