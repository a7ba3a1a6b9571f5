"""How an explanation is told: in a line for the whole, in a line for each layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from builder.history.causes import Cause, CauseKind
from builder.history.explain import Explanation, LayerChange
from builder.sizes import render_count, render_size

_NOUNS: Final = {CauseKind.DEB: "Debian package", CauseKind.DISTRIBUTION: "distribution"}


def headline(found: Explanation) -> str:
    """Say in a line what it comes down to."""
    if found.unexplained:
        number = len(found.unexplained)
        return f"{render_count(number, 'layer')} differ{'s' if number == 1 else ''} for no reason that is on record"
    causes = found.nothing_but
    if not causes:
        return "what differs is listed below; not all that it rests on was at hand"
    if not found.layers_changed and all(cause.kind is not CauseKind.PLATFORMS for cause in causes):
        return f"no layer changed; nothing but {tell_causes(causes)}"
    return f"nothing but {tell_causes(causes)}"


def tell_causes(causes: Sequence[Cause]) -> str:
    """Tell causes in a line; many of one kind are counted."""
    told = []
    for kind in dict.fromkeys(cause.kind for cause in causes):
        same = [cause for cause in causes if cause.kind is kind]
        if len(same) > 3 and kind in _NOUNS:
            told.append(render_count(len(same), _NOUNS[kind]))
        else:
            told += [cause.what for cause in same]
    return ", ".join(told)


def tell_layer(change: LayerChange) -> str:
    """Tell what became of a layer, and why."""
    pair = change.pair
    why = tell_causes(change.causes) or "nothing on record explains it"
    if pair.after is None:
        return f"{pair.name} is gone: {why}"
    new = "new, " if pair.before is None else ""
    return f"{pair.name} ({new}{render_size(pair.after.size)}): {why}{_hint(change)}"


def _hint(change: LayerChange) -> str:
    if change.causes:
        return ""
    if change.unpacked_same:
        return "; the files are the same, they are compressed otherwise"
    return "; a folder's mode that another package states, or a file that it shares with another distribution"
