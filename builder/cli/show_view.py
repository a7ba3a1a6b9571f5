"""What `show` prints of an image."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from builder.cli.output import render_table
from builder.history.contents import Row, debs_of, distributions_of
from builder.history.image import ImageRecord, short_digest
from builder.history.layers import pull_of
from builder.history.reasons import headline
from builder.history.telling import tell
from builder.image.view import PlatformView, view_platform
from builder.lock.diff import LockDiff
from builder.sizes import render_count, render_size
from builder.usecase.show import Deployed, Shown

_MOST_LAYERS = 8
_MOST_MOVES = 12
_WIDTH = 60


def render_shown(shown: Shown, *, everything: bool) -> str:
    """Render for a terminal.

    Args:
        shown: the image.
        everything: list each distribution, Debian package and layer.
    """
    return "\n".join(_iter_shown(shown, everything=everything))


def _iter_shown(shown: Shown, *, everything: bool) -> Iterator[str]:
    record = shown.record
    yield f"{f'{record.stack}  ' if record else ''}{shown.digest}"
    rows = [*_iter_origin(shown), *_iter_standing(shown)]
    yield from _indented(render_table(("", ""), rows))
    if record is None:
        return
    yield from (f"  not at hand: {what}" for what in record.missing)
    yield from _iter_changes(shown)
    for view in record.views():
        yield from _iter_layers(view, everything=everything)
    yield from _iter_contents(record, everything=everything)


def _iter_origin(shown: Shown) -> Iterator[tuple[str, str]]:
    record = shown.record
    if record is None or record.built is None or record.entry is None:
        yield "built", "not on record: before the ledger was begun, or elsewhere"
        return
    entry, built = record.entry, record.built
    where = f" on {entry.actor.host}" if entry.actor.host else ""
    took = f" in {built.seconds:.1f} s" if built.seconds else ""
    yield "built", f"{entry.moment} by {entry.actor.name}{where}{took} (entry {entry.number})"
    if entry.actor.run:
        yield "", entry.actor.run
    if shown.times_built > 1:
        yield "", f"and {render_count(shown.times_built - 1, 'time')} more, to the same digest"
    by = f", locked {shown.locked.moment} by {shown.locked.actor.name}" if shown.locked else ""
    yield "from lock", f"{short_digest(built.lock)}{by}"
    if record.lock is not None:
        lock = record.lock
        yield "holds", f"Airflow {lock.airflow_version}, Python {lock.python_version}, base {lock.base}"


def _iter_standing(shown: Shown) -> Iterator[tuple[str, str]]:
    """Tell where it is, and what was found of it."""
    if shown.channels:
        yield "channels", ", ".join(f"{state.channel} (since {state.entry.moment[:10]})" for state in shown.channels)
    for number, place in enumerate(shown.places):
        tag = f":{place.tag}" if place.tag else f"@{short_digest(shown.digest)}"
        yield "" if number else "pushed to", f"{place.repository}{tag}"
    for number, one in enumerate(shown.deployed):
        yield "" if number else "seen in", _tell_deployed(one)
    known: set[str] = set()
    for entry in shown.findings:
        told = tell(entry)
        # The newest of each: a suite, a scanner, somebody who rebuilds.
        name = str(entry.data.get("name") or entry.data.get("by") or entry.data.get("repository") or "")
        if f"{entry.kind} {name}" not in known:
            known.add(f"{entry.kind} {name}")
            yield entry.kind, f"{told.what} ({entry.moment[:10]})"


def _tell_deployed(one: Deployed) -> str:
    where = f"{one.cluster} ({', '.join(one.namespaces)})" if one.namespaces else one.cluster
    if not one.runs:
        return f"{where}: no more; last {one.entry.moment[:16].replace('T', ' ')}"
    workloads = f": {', '.join(one.workloads[:4])}{' ...' if len(one.workloads) > 4 else ''}" if one.workloads else ""
    return f"{where}: {render_count(one.pods, 'pod')}, {one.entry.moment[:16].replace('T', ' ')}{workloads}"


def _iter_changes(shown: Shown) -> Iterator[str]:
    found = shown.explanation
    if found is None:
        yield "the first image of its stack on record"
        return
    yield f"since {found.before.short}: {headline(found)}"
    if found.diff is not None:
        yield from (f"  {line}" for line in tell_diff(found.diff))
    for after in found.after.platforms:
        before = found.before.platform(after.platform)
        if before is not None:
            pull = pull_of(view_platform(before), view_platform(after))
            layers = f"{len(pull.layers)} of {render_count(len(pull.layers) + pull.held, 'layer')}"
            yield f"  {after.platform}: a node that has it pulls {layers}, {render_size(pull.size)}"


def tell_diff(diff: LockDiff, most: int = _MOST_MOVES) -> Sequence[str]:
    """Tell what differs between two locks, a line each, the rest counted."""
    told = [f"{row.name}: {row.before} -> {row.after}" for row in diff.head]
    for noun, changes in (("distribution", diff.candidates), ("Debian package", diff.debs)):
        for change in changes[:most]:
            name = getattr(change, "project", "") or getattr(change, "package", "")
            told.append(f"{name} {' -> '.join(part for part in (change.before, change.after) if part)} {change.kind}")
        if len(changes) > most:
            told.append(f"and {render_count(len(changes) - most, noun)} more")
    return told


def _iter_layers(view: PlatformView, *, everything: bool) -> Iterator[str]:
    yield f"{view.platform}  {view.manifest_digest}  {render_count(len(view.layers), 'layer')}  {render_size(view.size)}"
    numbered = list(enumerate(view.layers))
    if not everything:
        numbered = sorted(sorted(numbered, key=lambda one: -one[1].size)[:_MOST_LAYERS])
    rows = [
        (str(number), layer.name, render_size(layer.size), layer.digest.hex[:12], _shorten(" ".join(layer.contents)))
        for number, layer in numbered
    ]
    yield from _indented(render_table(("", "", "", "", ""), rows, right=(0, 2)))
    if len(rows) < len(view.layers):
        yield f"  and {len(view.layers) - len(rows)} smaller"


def _iter_contents(record: ImageRecord, *, everything: bool) -> Iterator[str]:
    for noun, rows in (("distribution", distributions_of(record)), ("Debian package", debs_of(record))):
        if not rows:
            continue
        yield f"{render_count(len(rows), noun)}{':' if everything else '; --all lists them'}"
        if everything:
            yield from _indented(render_table(("", "", ""), [_row(row) for row in rows]))


def _row(row: Row) -> tuple[str, str, str]:
    return row.name, row.version, ", ".join(row.platforms)


def _indented(table: str) -> Iterator[str]:
    return (f"  {line}" for line in table.splitlines() if line.strip())


def _shorten(text: str) -> str:
    return text if len(text) <= _WIDTH else f"{text[: _WIDTH - 4]} ..."
