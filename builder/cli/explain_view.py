"""What `explain` shows, and the part of `show` that says what changed: text, and values for JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from builder.history.causes import Cause
from builder.history.explain import Explanation, PlatformExplanation
from builder.history.image import ImageRecord
from builder.history.reasons import headline, tell_layer
from builder.sizes import render_count, render_size
from builder.usecase.explain import Explained

_MOST_CAUSES = 12
_MOST_LAYERS = 40


def render_explained(found: Explained) -> str:
    """Render for a terminal."""
    return "\n".join(_iter_explained(found))


def _iter_explained(found: Explained) -> Iterator[str]:
    image = found.image
    if found.repeats is not None:
        number, moment = found.repeats.entry.number, found.repeats.entry.moment
        yield f"{image.stack}  {image.digest}"
        yield f"  the build before it gave the same digest (entry {number}, {moment}): not a byte of it changed"
    if found.explanation is None:
        yield f"{image.stack}  {image.digest}"
        yield "  is the first image of its stack on record: there is none before it"
        return
    yield from iter_explanation(found.explanation)


def iter_explanation(found: Explanation) -> Iterator[str]:
    """Render why one image is another than one before, line by line."""
    yield f"{_name(found.before)}  ->  {_name(found.after)}"
    if found.same:
        yield "  is the same digest: not a byte differs"
        return
    yield f"  {headline(found)}"
    yield from (f"  not at hand: {what}" for record in (found.before, found.after) for what in record.missing)
    if not (len(found.nothing_but) == 1 == len(found.causes)):
        yield from _iter_causes(found.causes)
    for platforms in _alike(found.platforms):
        yield from _iter_platform(platforms)


def _iter_causes(causes: Sequence[Cause]) -> Iterator[str]:
    if causes:
        yield "inputs that differ:"
    for kind in dict.fromkeys(cause.kind for cause in causes):
        same = [cause for cause in causes if cause.kind is kind]
        for cause in same[:_MOST_CAUSES]:
            yield f"  {cause.what}{f' ({cause.brought})' if cause.brought else ''}"
            yield from (f"    {detail}" for detail in cause.details[:_MOST_CAUSES])
        if len(same) > _MOST_CAUSES:
            yield f"  and {len(same) - _MOST_CAUSES} more of this kind; --json has all"


def _alike(platforms: Sequence[PlatformExplanation]) -> Iterator[tuple[PlatformExplanation, ...]]:
    """Put platforms together whose layers changed alike."""
    groups: dict[object, list[PlatformExplanation]] = {}
    for one in platforms:
        told = tuple((change.pair.name, tuple(cause.key for cause in change.causes)) for change in one.changes)
        groups.setdefault((one.same, told), []).append(one)
    yield from (tuple(group) for group in groups.values())


def _iter_platform(platforms: tuple[PlatformExplanation, ...]) -> Iterator[str]:
    first = platforms[0]
    names = ", ".join(one.platform.name for one in platforms)
    size = " and ".join(render_size(_changed_size(one)) for one in platforms)
    kept = f"{render_count(first.same, 'layer')} the same byte for byte ({render_size(first.same_size)})"
    if not first.changes:
        yield f"{names}: {kept}; the config alone differs: it names the lock and its time"
        return
    yield f"{names}: {render_count(len(first.changes), 'layer')} changed ({size}), {kept}"
    yield from (f"  {tell_layer(change)}" for change in first.changes[:_MOST_LAYERS])
    if len(first.changes) > _MOST_LAYERS:
        yield f"  and {len(first.changes) - _MOST_LAYERS} more; --json has all"


def _changed_size(found: PlatformExplanation) -> int:
    return sum(change.pair.after.size for change in found.changes if change.pair.after)


def _name(record: ImageRecord) -> str:
    moment = f", built {record.entry.moment[:16].replace('T', ' ')}" if record.entry else ""
    entry = f" (entry {record.entry.number}{moment})" if record.entry else ""
    return f"{record.stack} {record.short}{entry}"


def explained_to_dict(found: Explained) -> dict[str, Any]:
    """Make the JSON form."""
    return {
        "stack": found.image.stack,
        "digest": found.image.digest,
        "repeats_entry": found.repeats.entry.number if found.repeats else None,
        "explanation": explanation_to_dict(found.explanation) if found.explanation else None,
    }


def explanation_to_dict(found: Explanation) -> dict[str, Any]:
    """Make the JSON form of an explanation."""
    return {
        "before": found.before.digest,
        "after": found.after.digest,
        "same": found.same,
        "headline": "the same digest" if found.same else headline(found),
        "nothing_but": [cause.what for cause in found.nothing_but],
        "missing": [*found.before.missing, *found.after.missing],
        "causes": [
            {
                "kind": cause.kind.value,
                "name": cause.name,
                "what": cause.what,
                "brought": cause.brought or None,
                "details": list(cause.details),
            }
            for cause in found.causes
        ],
        "platforms": {one.platform.name: _platform_to_dict(one) for one in found.platforms},
    }


def _platform_to_dict(found: PlatformExplanation) -> dict[str, Any]:
    return {
        "same_layers": found.same,
        "same_bytes": found.same_size,
        "config_differs": found.config_differs,
        "changed_layers": [
            {
                "name": change.pair.name,
                "before": str(change.pair.before.digest) if change.pair.before else None,
                "after": str(change.pair.after.digest) if change.pair.after else None,
                "size_bytes": change.pair.after.size if change.pair.after else None,
                "unpacked_same": change.unpacked_same,
                "causes": [{"kind": cause.kind.value, "name": cause.name} for cause in change.causes],
            }
            for change in found.changes
        ],
    }
