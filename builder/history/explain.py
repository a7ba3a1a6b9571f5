"""Why an image's bytes are others than those of one before: each changed layer is held against the inputs that differ.

1. Layers that both images have by digest are proved the same, and are not looked at.
2. The others are paired by name. Where their tars are equal (diff_id), only the compressor can be at fault.
3. What came into a layer, left it or moved within it names its cause; what stayed is compared by what decides about it.
4. A layer without any cause is said to be unexplained: nothing is guessed.

`nothing_but` is said only where every changed layer is explained and everything that the causes rest on was at hand.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from builder.history.causes import WITHOUT_BYTES, Cause, CauseKind, find_causes
from builder.history.image import ImageRecord
from builder.history.items import Item, ItemKind, explain_kept, items_of, tell_move
from builder.history.layers import LayerPair, changed_layers
from builder.image.view import PlatformView, view_platform
from builder.lock.diff import LockDiff, diff_locks
from builder.platform import Platform


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerChange:
    """A layer that is not what it was."""

    pair: LayerPair
    causes: tuple[Cause, ...]
    """Empty where nothing explains it."""
    unpacked_same: bool = False
    """The tar is the same: only its compressed bytes differ."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformExplanation:
    """What became of one platform's layers."""

    platform: Platform
    same: int
    """Layers that both have, byte for byte."""
    same_size: int
    changes: tuple[LayerChange, ...]
    config_differs: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Why one image is another than one before."""

    before: ImageRecord
    after: ImageRecord
    causes: tuple[Cause, ...]
    platforms: tuple[PlatformExplanation, ...]
    """Of those that both have."""
    nothing_but: tuple[Cause, ...]
    """The causes that explain everything; empty where that cannot be said."""
    diff: LockDiff | None
    """Of their locks; None where one is not at hand."""

    @property
    def same(self) -> bool:
        """Whether they are one image."""
        return self.before.digest == self.after.digest

    @property
    def unexplained(self) -> tuple[tuple[Platform, LayerChange], ...]:
        """List the layers that no cause explains."""
        return tuple((one.platform, change) for one in self.platforms for change in one.changes if not change.causes)

    @property
    def layers_changed(self) -> bool:
        """Whether any layer differs."""
        return any(one.changes for one in self.platforms)


def explain(before: ImageRecord, after: ImageRecord) -> Explanation:
    """Find which inputs made an image another than one before."""
    diff = None
    if before.lock is not None and after.lock is not None:
        diff = diff_locks(before.lock, after.lock, bases=(before.base, after.base))
    known = {cause.key: cause for cause in find_causes(before, after, diff)}
    platforms = tuple(
        _explain_platform(before, after, image.platform, known)
        for image in after.platforms
        if before.platform(image.platform) is not None
    )
    causes = {**known}
    for one in platforms:
        for change in one.changes:
            causes |= {cause.key: cause for cause in change.causes if cause.key not in causes}
    found = Explanation(
        before=before, after=after, causes=tuple(causes.values()), platforms=platforms, nothing_but=(), diff=diff
    )
    return replace(found, nothing_but=_nothing_but(found))


def _explain_platform(
    before: ImageRecord, after: ImageRecord, platform: Platform, known: Mapping[tuple[CauseKind, str], Cause]
) -> PlatformExplanation:
    images = (before.platform(platform), after.platform(platform))
    old, new = (view_platform(image) for image in images if image is not None)
    held = {layer.digest for layer in old.layers}
    same = [layer for layer in new.layers if layer.digest in held]
    return PlatformExplanation(
        platform=platform,
        same=len(same),
        same_size=sum(layer.size for layer in same),
        changes=tuple(_explain_layer(pair, (old, new), (before, after), known) for pair in changed_layers(old, new)),
        config_differs=old.config_digest != new.config_digest,
    )


def _explain_layer(
    pair: LayerPair,
    views: tuple[PlatformView, PlatformView],
    records: tuple[ImageRecord, ImageRecord],
    known: Mapping[tuple[CauseKind, str], Cause],
) -> LayerChange:
    one, two = pair.before, pair.after
    if one is not None and two is not None and one.diff_id == two.diff_id:
        return LayerChange(pair=pair, causes=_of_compression(known), unpacked_same=True)
    found: dict[tuple[CauseKind, str], Cause] = {}
    old, new = items_of(one), items_of(two)
    for cause in _iter_moved(old, new, views, known):
        found.setdefault(cause.key, cause)
    for item in sorted(old.keys() & new.keys()):
        if old[item].version == new[item].version:
            for key in explain_kept(new[item], views[1].platform, records):
                if key in known:
                    found.setdefault(key, known[key])
    if not found:
        found = {cause.key: cause for cause in known.values() if cause.kind is CauseKind.FORMATS}
    if not found:
        found = {cause.key: cause for cause in known.values() if cause.kind is CauseKind.ENGINE}
    return LayerChange(pair=pair, causes=tuple(found.values()))


def _of_compression(known: Mapping[tuple[CauseKind, str], Cause]) -> tuple[Cause, ...]:
    """Find why equal tars are compressed to other bytes: another compression, else another library."""
    for kind in (CauseKind.COMPRESSION, CauseKind.FORMATS):
        causes = tuple(cause for cause in known.values() if cause.kind is kind)
        if causes:
            return causes
    return ()


def _iter_moved(
    old: Mapping[tuple[ItemKind, str], Item],
    new: Mapping[tuple[ItemKind, str], Item],
    views: tuple[PlatformView, PlatformView],
    known: Mapping[tuple[CauseKind, str], Cause],
) -> Iterator[Cause]:
    """Name what came, left or moved; what the other image has in another layer was regrouped by the plan."""
    elsewhere = tuple({item for layer in view.layers for item in items_of(layer).values()} for view in views)
    for key in sorted(old.keys() | new.keys()):
        one, two = old.get(key), new.get(key)
        if one == two:
            continue
        if (two is None and one in elsewhere[1]) or (one is None and two in elsewhere[0]):
            plan = (CauseKind.PLAN, "")
            yield known.get(plan) or Cause(kind=CauseKind.PLAN, name="", what="other layers hold the same contents")
            continue
        kind = {ItemKind.DISTRIBUTION: CauseKind.DISTRIBUTION, ItemKind.DEB: CauseKind.DEB}.get(key[0])
        if kind is not None:
            yield known.get((kind, key[1])) or Cause(kind=kind, name=key[1], what=tell_move(key[1], one, two))
        elif key[0] is ItemKind.FILES:
            yield known.get((CauseKind.FILES, "files")) or Cause(
                kind=CauseKind.FILES, name="files", what="the stack's files"
            )
        else:
            yield known.get((CauseKind.BASE, "image")) or Cause(
                kind=CauseKind.BASE, name="image", what="the base's own layers"
            )


_OF_DOCUMENTS = frozenset({(CauseKind.PLAN, "order"), (CauseKind.BASE, "name")})
"""Keys of causes that manifests and configs show, whatever becomes of layers."""


def _nothing_but(found: Explanation) -> tuple[Cause, ...]:
    """Name the causes that no other one brought, if they are all there is to say."""
    if found.unexplained or found.before.missing or found.after.missing:
        return ()
    used = {cause.key for one in found.platforms for change in one.changes for cause in change.causes}
    if not found.layers_changed:
        return tuple(cause for cause in found.causes if not cause.brought)
    by_name = {cause.name: cause for cause in found.causes if cause.kind is CauseKind.DISTRIBUTION}
    return tuple(cause for cause in found.causes if not cause.brought and _counts(cause, used, by_name))


def _counts(cause: Cause, used: set[tuple[CauseKind, str]], distributions: Mapping[str, Cause]) -> bool:
    """Tell whether a cause has to do with bytes: by itself, or by what it brought."""
    if cause.kind is CauseKind.REQUIREMENT:
        brought = distributions.get(cause.name)
        return brought is not None and bool(brought.brought)
    if cause.kind in {CauseKind.PLATFORMS, CauseKind.CONTRACT} or cause.key in _OF_DOCUMENTS:
        return True
    return cause.kind not in WITHOUT_BYTES and (cause.key in used or cause.kind is CauseKind.PYTHON)
