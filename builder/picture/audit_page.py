"""The pages of an audit export: of the period, and of each image."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from builder.audit.documents import LOCK_DIFF, vex_statements
from builder.audit.model import Change, Evidence, Line, Move, Remark, Topic
from builder.audit.remarks import hours_after
from builder.audit.tables import people_counts, told_topics
from builder.history.telling import Told, tell
from builder.picture.page import render_page

_MOST_LOOKS: Final = 12
"""Entries that a topic tells one by one; the others are in entries.jsonl."""
Read = Callable[[str], bytes]
"""Reads a file of the folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Topic:
    topic: Topic
    told: tuple[Told, ...]
    more: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Waiver:
    what: str
    status: str
    why: str
    file: str


def render_audit_page(evidence: Evidence) -> str:
    """Render the page of a period: bytes are stable."""
    changes = {change.folder: change for change in evidence.changes}
    counts = Counter(line.entry.kind for line in evidence.lines)
    people = people_counts(evidence)
    return render_page(
        "audit.html",
        evidence=evidence,
        begin=evidence.period.told[0],
        end=evidence.period.told[1],
        last=evidence.lines[-1].entry if evidence.lines else None,
        kinds=sorted(counts.items()),
        moves=[(move, changes[move.folder], _reviewed(move)) for move in evidence.moves],
        remarks=[(one, one.folder.split()) for one in evidence.remarks],
        images=[(change, [topic for topic in change.topics if topic.is_on_record]) for change in evidence.changes],
        rules=evidence.rules,
        people=people,
        people_kinds=list(people[0][2]) if people else [],
        controls=[(one, told_topics(one, evidence.changes)) for one in evidence.controls],
    )


def render_change_page(change: Change, evidence: Evidence, read: Read) -> str:
    """Render the page of one image: bytes are stable."""
    remarks = [one for one in evidence.remarks if change.folder in one.folder.split()]
    return render_page(
        "audit_change.html",
        change=change,
        evidence=evidence,
        moves=[(move, _reviewed(move)) for move in evidence.moves if move.folder == change.folder],
        remarks=_once(remarks),
        topics=[_topic(topic) for topic in change.topics],
        diff=json.loads(read(LOCK_DIFF)) if any(one.file == LOCK_DIFF for one in change.made) else None,
        waivers=list(_iter_waivers(change, read)),
        documents={file: one for topic in change.topics for file in topic.files for one in _named(change, file)},
    )


def _topic(topic: Topic) -> _Topic:
    told = tuple(tell(line.entry) for line in topic.lines)
    return _Topic(topic=topic, told=told[-_MOST_LOOKS:], more=max(0, len(told) - _MOST_LOOKS))


def _named(change: Change, file: str) -> Iterator[str]:
    for document in change.documents:
        if document.file == file:
            yield document.digest


def _iter_waivers(change: Change, read: Read) -> Iterator[_Waiver]:
    for topic in change.topics:
        if topic.name not in {"waivers", "scans"}:
            continue
        for file in topic.files:
            for one in vex_statements(read(file)) if file.endswith(".json") else ():
                yield _waiver(one, file)


def _waiver(statement: Any, file: str) -> _Waiver:
    named = statement.get("vulnerability")
    what = str(named.get("name", "")) if isinstance(named, dict) else str(named or "")
    keys = ("justification", "impact_statement", "action_statement", "status_notes")
    why = "; ".join(str(statement[key]) for key in keys if statement.get(key))
    return _Waiver(what=what, status=str(statement.get("status", "")), why=why, file=file)


def _reviewed(move: Move) -> str:
    if not move.ways_around:
        return ""
    if not move.reviews:
        return "not reviewed by the end of the period"
    first: Line = move.reviews[0]
    return f"reviewed by {first.entry.actor.name} after {hours_after(move.line, first)} h"


def _once(remarks: list[Remark]) -> list[Remark]:
    seen: set[tuple[str, int]] = set()
    kept = []
    for one in remarks:
        if (one.kind, one.line.number) not in seen:
            seen.add((one.kind, one.line.number))
            kept.append(one)
    return kept
