"""What `diff` and `preview` show of two locks: text, Markdown for pull requests, and values for JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from builder.cli.output import render_size, render_table
from builder.history.layers import PlatformPull
from builder.lock.diff import CandidateChange, ChangeKind, DebChange, LockDiff

if TYPE_CHECKING:
    from builder.usecase.diff import Comparison, Side

_MEASURED = {
    "built": "layers of the built images",
    "sizes": "layers by plan, sizes of the built image",
    "estimate": "estimated from wheels and debs",
}
_MOVED = (ChangeKind.UP, ChangeKind.DOWN)
_MOST_LAYERS = 12


def render_text(comparison: Comparison) -> str:
    """Render for a terminal."""
    return "\n".join(_iter_text(comparison))


def render_markdown(comparison: Comparison) -> str:
    """Render for a pull request."""
    return "\n".join(_iter_markdown(comparison))


def comparison_to_dict(comparison: Comparison) -> dict[str, Any]:
    """Make the JSON form."""
    diff = comparison.diff
    return {
        "before": _side_to_dict(comparison.before),
        "after": _side_to_dict(comparison.after),
        **diff_to_dict(diff),
        "pulls": [pull_to_dict(pull) for pull in comparison.pulls],
    }


def diff_to_dict(diff: LockDiff) -> dict[str, Any]:
    """Make the JSON form of what differs between locks."""
    return {
        "differs": not diff.is_empty,
        "head": [{"name": row.name, "before": row.before, "after": row.after} for row in diff.head],
        "candidates": [
            {
                "project": change.project,
                "kind": change.kind.value,
                "before": change.before or None,
                "after": change.after or None,
                "step": change.step or None,
                "size_before": change.size_before,
                "size_after": change.size_after,
                "wanted_by": list(change.wanted_by),
            }
            for change in diff.candidates
        ],
        "debs": [
            {
                "package": change.package,
                "kind": change.kind.value,
                "before": change.before or None,
                "after": change.after or None,
                "size_before": change.size_before,
                "size_after": change.size_after,
            }
            for change in diff.debs
        ],
        "unchanged": diff.unchanged,
        "size_before": diff.size_before,
        "size_after": diff.size_after,
    }


def _side_to_dict(side: Side) -> dict[str, Any]:
    return {
        "name": side.label,
        "stack": side.lock.stack,
        "lock": str(side.digest),
        "candidates": len(side.lock.candidates),
    }


def pull_to_dict(pull: PlatformPull) -> dict[str, Any]:
    """Make the JSON form of what a node pulls."""
    return {
        "platform": pull.platform.name,
        "measured": pull.measured,
        "size_bytes": pull.size,
        "layers": [{"name": layer.name, "size_bytes": layer.size} for layer in pull.layers],
        "held_layers": pull.held,
        "held_bytes": pull.held_size,
    }


def _iter_text(comparison: Comparison) -> Iterator[str]:
    diff = comparison.diff
    yield f"{comparison.before.label} -> {comparison.after.label}: {summarise_diff(diff)}"
    if diff.is_empty:
        return
    yield from iter_diff(diff)
    yield from _iter_pulls(comparison)


def iter_diff(diff: LockDiff) -> Iterator[str]:
    """Render what differs between locks, line by line."""
    yield from (f"  {row.name}: {row.before} -> {row.after}" for row in diff.head)
    for title, changes in (
        ("added", diff.of_kind(ChangeKind.ADDED)),
        ("removed", diff.of_kind(ChangeKind.REMOVED)),
        ("moved", diff.of_kind(*_MOVED)),
        ("rebuilt", diff.of_kind(ChangeKind.REBUILT)),
    ):
        if changes:
            yield f"{title}:"
            yield _indented(render_table(("", "", "", ""), [_row(change) for change in changes], right=(2,)))
    if diff.debs:
        yield "Debian packages:"
        rows = [(change.package, _versions(change), _growth(change), change.kind.value) for change in diff.debs]
        yield _indented(render_table(("", "", "", ""), rows, right=(2,)))


def _iter_pulls(comparison: Comparison) -> Iterator[str]:
    if not comparison.pulls:
        yield "what a node pulls again is unknown: a base lock is not at hand as its lock wants it"
    for pull in comparison.pulls:
        yield from iter_pull(pull)


def iter_pull(pull: PlatformPull) -> Iterator[str]:
    """Render what a node pulls, line by line."""
    yield _pull_line(pull)
    if pull.layers:
        largest = sorted(pull.layers, key=lambda layer: (-layer.size, layer.name))[:_MOST_LAYERS]
        for layer in largest:
            yield f"  {layer.name}  {render_size(layer.size)}"
        if len(pull.layers) > len(largest):
            yield f"  and {len(pull.layers) - len(largest)} more"


def _iter_markdown(comparison: Comparison) -> Iterator[str]:
    diff = comparison.diff
    yield f"### `{comparison.before.label}` → `{comparison.after.label}`"
    yield ""
    yield f"{summarise_diff(diff)[:1].upper()}{summarise_diff(diff)[1:]}."
    if diff.is_empty:
        return
    if diff.head:
        yield from ("", *(f"- **{row.name}**: `{row.before}` → `{row.after}`" for row in diff.head))
    if diff.candidates:
        yield from ("", "| project | before | after | | size | wanted by |", "|---|---|---|---|---:|---|")
        for change in diff.candidates:
            kind = " ".join(part for part in (change.kind.value, change.step) if part)
            cells = (
                f"`{change.project}`",
                change.before,
                change.after,
                kind,
                _growth(change),
                _wanted(change.wanted_by),
            )
            yield f"| {' | '.join(cells)} |"
    if diff.debs:
        yield from ("", "| Debian package | before | after | | size |", "|---|---|---|---|---:|")
        for deb in diff.debs:
            yield f"| `{deb.package}` | {deb.before} | {deb.after} | {deb.kind.value} | {_growth(deb)} |"
    if comparison.pulls:
        yield from ("", *(f"- {_pull_line(pull)}" for pull in comparison.pulls))


def summarise_diff(diff: LockDiff) -> str:
    """Say in a line what differs between locks."""
    counts = [
        f"{len(changes)} {title}"
        for title, changes in (
            ("added", diff.of_kind(ChangeKind.ADDED)),
            ("removed", diff.of_kind(ChangeKind.REMOVED)),
            ("moved", diff.of_kind(*_MOVED)),
            ("rebuilt", diff.of_kind(ChangeKind.REBUILT)),
        )
        if changes
    ]
    if diff.debs:
        counts.append(f"{len(diff.debs)} Debian packages")
    news = ", ".join(counts) if counts else "no difference" if diff.is_empty else "no candidate differs"
    sizes = f"wheels {render_size(diff.size_before)} -> {render_size(diff.size_after)}"
    return f"{news}; {diff.unchanged} unchanged; {sizes}"


def _row(change: CandidateChange) -> Sequence[str]:
    wanted = f"for {_wanted(change.wanted_by)}" if change.kind is ChangeKind.ADDED and change.wanted_by else change.step
    if change.kind is ChangeKind.DOWN:
        wanted = f"{change.step}, down"
    return (change.project, _versions(change), _growth(change), wanted)


def _versions(change: CandidateChange | DebChange) -> str:
    if change.kind is ChangeKind.REBUILT:
        return change.after
    return " -> ".join(version for version in (change.before, change.after) if version)


def _growth(change: CandidateChange | DebChange) -> str:
    difference = change.size_after - change.size_before
    return f"{'-' if difference < 0 else '+'}{render_size(abs(difference))}"


def _wanted(who: Sequence[str]) -> str:
    shown = ", ".join(who[:3])
    return f"{shown} and {len(who) - 3} more" if len(who) > 3 else shown


def _pull_line(pull: PlatformPull) -> str:
    layers = f"{len(pull.layers)} of {len(pull.layers) + pull.held} layers"
    return f"{pull.platform.name}: a node pulls {layers}, {render_size(pull.size)} ({_MEASURED[pull.measured]})"


def _indented(table: str) -> str:
    return "\n".join(f"  {line}" for line in table.splitlines() if line.strip())
