"""The page of `show --html`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from builder.digest import Digest
from builder.history.contents import Row, debs_of, distributions_of
from builder.history.explain import Explanation
from builder.history.layers import PlatformPull, pull_of
from builder.history.reasons import headline, tell_causes
from builder.history.telling import Told, tell
from builder.image.view import PlatformView, view_platform
from builder.lock.diff import CandidateChange, DebChange
from builder.picture.page import render_page
from builder.picture.treemap import Tile, tile
from builder.usecase.show import Shown

_MOST_NAMED: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layer:
    name: str
    digest: str
    size: int
    contents: str
    why: str
    """Why its bytes are others than before; empty where they are not."""
    tile: Tile


@dataclass(frozen=True, slots=True, kw_only=True)
class _Platform:
    name: str
    manifest: str
    size: int
    layers: tuple[_Layer, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _TableRow:
    name: str
    version: str
    before: str
    kind: str
    """How it changed; empty where it did not."""
    size: int
    platforms: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Table:
    title: str
    noun: str
    rows: tuple[_TableRow, ...]
    """Changed ones first."""
    changed: int


def render_show_page(shown: Shown) -> str:
    """Render the page: bytes are stable."""
    record, found = shown.record, shown.explanation
    return render_page(
        "show.html",
        shown=shown,
        record=record,
        stack=record.stack if record else "",
        findings=_newest(shown),
        explanation=found,
        headline=headline(found) if found else "",
        causes=found.causes if found and len(found.causes) > 1 else (),
        pulls=tuple(_iter_pulls(found)) if found else (),
        platforms=[_platform(view, found) for view in record.views()] if record else [],
        tables=list(_iter_tables(shown)),
        last_entry=_last_entry(shown),
    )


def _newest(shown: Shown) -> list[Told]:
    """Keep the newest of each suite, scanner and rebuilder."""
    found: dict[str, Told] = {}
    for entry in shown.findings:
        name = str(entry.data.get("name") or entry.data.get("by") or entry.data.get("repository") or "")
        found.setdefault(f"{entry.kind} {name}", tell(entry))
    return list(found.values())


def _iter_pulls(found: Explanation) -> Iterator[PlatformPull]:
    for after in found.after.platforms:
        before = found.before.platform(after.platform)
        if before is not None:
            yield pull_of(view_platform(before), view_platform(after))


def _platform(view: PlatformView, found: Explanation | None) -> _Platform:
    reasons: dict[Digest, str] = {}
    for one in found.platforms if found else ():
        if one.platform == view.platform:
            reasons = {
                change.pair.after.digest: tell_causes(change.causes) or "nothing on record explains it"
                for change in one.changes
                if change.pair.after is not None
            }
    tiles = tile([layer.size for layer in view.layers])
    return _Platform(
        name=view.platform.name,
        manifest=str(view.manifest_digest),
        size=view.size,
        layers=tuple(
            _Layer(
                name=layer.name,
                digest=str(layer.digest),
                size=layer.size,
                contents=_some(layer.contents),
                why=reasons.get(layer.digest, ""),
                tile=place,
            )
            for layer, place in zip(view.layers, tiles, strict=True)
        ),
    )


def _some(contents: Sequence[str]) -> str:
    """Name some of a layer's contents: tables below name them all."""
    told = " ".join(contents[:_MOST_NAMED])
    return f"{told} and {len(contents) - _MOST_NAMED} more" if len(contents) > _MOST_NAMED else told


def _iter_tables(shown: Shown) -> Iterator[_Table]:
    if shown.record is None:
        return
    diff = shown.explanation.diff if shown.explanation else None
    moved = {change.project: change for change in diff.candidates} if diff else {}
    yield from _table("Distribution", "distribution", distributions_of(shown.record), moved)
    debs = {change.package: change for change in diff.debs} if diff else {}
    yield from _table("Debian package", "Debian package", debs_of(shown.record), debs)


def _table(
    title: str, noun: str, rows: Sequence[Row], changes: Mapping[str, CandidateChange | DebChange]
) -> Iterator[_Table]:
    """Make a table, with what is gone among what changed; none where there is nothing."""
    there = {row.name for row in rows}
    gone = [
        _TableRow(name=name, version="", before=change.before, kind=change.kind.value, size=0, platforms="")
        for name, change in sorted(changes.items())
        if name not in there
    ]
    found = [
        _TableRow(
            name=row.name,
            version=row.version,
            before=changes[row.name].before if row.name in changes else "",
            kind=changes[row.name].kind.value if row.name in changes else "",
            size=row.size,
            platforms=", ".join(row.platforms),
        )
        for row in rows
    ]
    if rows or gone:
        changed = sorted((*gone, *(row for row in found if row.kind)), key=lambda row: row.name)
        same = [row for row in found if not row.kind]
        yield _Table(title=title, noun=noun, rows=(*changed, *same), changed=len(changed))


def _last_entry(shown: Shown) -> int:
    """Find the newest entry that the page tells of."""
    return max(_numbers(shown), default=0)


def _numbers(shown: Shown) -> Iterable[int]:
    yield from (entry.number for entry in shown.findings)
    yield from (state.entry.number for state in shown.channels)
    yield from (one.entry.number for one in shown.deployed)
    if shown.record is not None and shown.record.entry is not None:
        yield shown.record.entry.number
