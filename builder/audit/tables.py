"""Lists of an export as CSV, which auditors open in spreadsheets: no cell is taken for a formula."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Sequence

from builder.audit.model import Change, Control, Evidence, Move
from builder.audit.remarks import hours_after
from builder.audit.verifier.entries import COLUMNS, plain_cell, population_row
from builder.ledger.events import Requested

_MOVES = (
    *(
        "number",
        "draw",
        "time",
        "stack",
        "channel",
        "digest",
        "before",
        "moved_by",
        "asked_by",
        "asked_at",
        "asked_why",
    ),
    *("approved_by", "reason", "rollback", "rules", "around_the_rules", "reviewed_by", "reviewed_after_hours"),
    *("first_seen_running", "seen_in", "folder"),
)


def population_table(evidence: Evidence) -> bytes:
    """List each entry of the period."""
    rows = [population_row(line.data, list(evidence.folders.get(line.number, ()))) for line in evidence.lines]
    return _table(COLUMNS, rows)


def moves_table(evidence: Evidence) -> bytes:
    """List the moves of channels; `draw` is an order at random that follows from the ledger's root."""
    return _table(_MOVES, [_move_row(move) for move in evidence.moves])


def _move_row(move: Move) -> list[str]:
    asked = move.requests[0] if move.requests else None
    review = move.reviews[0] if move.reviews else None
    return [
        str(move.line.number),
        str(move.draw),
        move.line.entry.moment,
        move.stack,
        move.channel,
        move.digest,
        move.before,
        move.line.entry.actor.name,
        asked.entry.actor.name if asked else "",
        asked.entry.moment if asked else "",
        asked.event.reason if asked and isinstance(asked.event, Requested) else "",
        " ".join(one.entry.actor.name for one in move.approvals),
        move.reason,
        "yes" if move.rollback else "",
        move.rules,
        "; ".join(move.ways_around),
        review.entry.actor.name if review else "",
        hours_after(move.line, review) if review else "",
        move.seen.entry.moment if move.seen else "",
        str(move.seen.entry.data.get("cluster", "")) if move.seen else "",
        move.folder,
    ]


def remarks_table(evidence: Evidence) -> bytes:
    """List what stands out."""
    rows = [
        [one.kind, str(one.line.number), one.line.entry.moment, one.what, one.line.entry.actor.name, one.folder]
        for one in evidence.remarks
    ]
    return _table(("kind", "number", "time", "what", "by", "folder"), rows)


def rules_table(evidence: Evidence) -> bytes:
    """List rules over time."""
    rows = [
        [
            *(one.whom, one.digest, str(one.first.number), one.first.entry.moment),
            *(str(one.last.number), one.last.entry.moment, str(one.entries), "; ".join(one.changed)),
            f"policy/{one.digest.partition(':')[2]}.json" if one.kept else "not kept in the ledger",
        ]
        for one in evidence.rules
    ]
    columns = ("for", "rules", "first_number", "first_time", "last_number", "last_time", "entries", "changed", "file")
    return _table(columns, rows)


def people_counts(evidence: Evidence) -> list[tuple[str, str, dict[str, int]]]:
    """Count what each did in the period: name, how he is known, entries by kind; sorted."""
    counts: Counter[tuple[str, str, str]] = Counter()
    for line in evidence.lines:
        counts[line.entry.actor.name, line.entry.actor.method, line.entry.kind] += 1
    people = sorted({(name, method) for name, method, _ in counts})
    kinds = sorted({kind for _, _, kind in counts})
    return [(name, method, {kind: counts[name, method, kind] for kind in kinds}) for name, method in people]


def people_table(evidence: Evidence) -> bytes:
    """List who did what, how often: who asks, agrees and moves at once is seen here."""
    people = people_counts(evidence)
    kinds = list(people[0][2]) if people else []
    rows = [[name, method, *(str(counts[kind]) for kind in kinds)] for name, method, counts in people]
    return _table(("name", "method", *kinds), rows)


def controls_table(evidence: Evidence) -> bytes:
    """List controls, and which files answer them."""
    rows = [
        [
            one.framework,
            one.id,
            one.title,
            one.shows,
            " ".join(one.files),
            told_topics(one, evidence.changes),
            one.not_here,
        ]
        for one in evidence.controls
    ]
    columns = ("framework", "control", "title", "what_shows_it", "files", "in_the_folders", "what_is_not_here")
    return _table(columns, rows)


def told_topics(control: Control, changes: Sequence[Change]) -> str:
    """Tell in how many folders each topic of a control is on record."""
    built = [change for change in changes if change.stack]
    told = []
    for name in control.topics:
        count = sum(topic.is_on_record for change in built for topic in change.topics if topic.name == name)
        told.append(f"{name} {count} of {len(built)}")
    return "; ".join(told)


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([plain_cell(cell) for cell in row] for row in rows)
    return text.getvalue().encode()
