"""Audit: of a period all that happened, with proof that nothing is left out, written out file by file.

- The same ledger, period and key give the same bytes. No clock is asked.
- Of a ledger that others append to meanwhile, what was there at the beginning is told.
- What the ledger does not hold is not made up: its folder says so.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from builder.audit.controls import read_controls
from builder.audit.model import NOT_ON_RECORD, Change, Evidence, Line, Period, Span
from builder.audit.moves import Around, moves_of
from builder.audit.policy import read_rules, rules_over_time
from builder.audit.remarks import list_remarks
from builder.audit.selection import digests_about, name_folders, span_of
from builder.audit.tables import (
    controls_table,
    moves_table,
    people_table,
    population_table,
    remarks_table,
    rules_table,
)
from builder.errors import InvalidInputError, LedgerError
from builder.ledger.events import Approved, Built, Promoted
from builder.ledger.model import ProvingLedger
from builder.ledger.note import Checkpoint, SigningKey, parse_checkpoint, sign
from builder.usecase.audit_change import Elsewhere, Gathered, gather_change, nowhere

FORMAT = 1
Write = Callable[[str, bytes], None]
"""Writes a file of the export, by its path below the folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRequest:
    """What is wanted."""

    period: Period
    key: SigningKey | None = None
    heads: Sequence[tuple[str, bytes]] = ()
    """Checkpoints kept outside, that the auditor shall hold the ledger against: file and contents."""
    elsewhere: Elsewhere = nowhere
    """Gives by digest what the ledger does not hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ledger:
    """A ledger as it was when the export began."""

    ledger: ProvingLedger
    head: Checkpoint
    span: Span

    def line(self, number: int) -> Line:
        """Read one entry."""
        return Line(data=next(iter(self.ledger.lines(number, number + 1))))


def export_audit(ledger: ProvingLedger, request: AuditRequest, write: Write) -> Evidence:
    """Write out a period.

    Args:
        ledger: of what happened; checked already.
        request: what is wanted.
        write: is called for each file but pages, manifest and program.

    Returns:
        What was written, for pages.

    Raises:
        LedgerError: it is damaged, or not the ledger of a head that was given.
        InvalidInputError: the period ends before it begins, or a head is none.
    """
    if request.period.begin >= request.period.end:
        raise InvalidInputError(
            "ends before it begins", context="--from, --to", hint="--to is the first moment after it"
        )
    head = ledger.head()
    span = span_of(ledger.entries(0, head.size), request.period)
    at = _Ledger(ledger=ledger, head=head, span=span)
    lines = tuple(Line(data=data) for data in ledger.lines(span.first, span.end))
    images = _images(at, lines)
    changes = []
    for digest, folder in sorted(name_folders(images).items(), key=lambda one: one[1]):
        gathered = gather_change(ledger, digest, folder, span, request.elsewhere)
        _write_change(gathered, write)
        changes.append(gathered.change)
    evidence = _evidence(at, request, lines, changes)
    _write_ledger(at, request, evidence, write)
    _write_lists(ledger, evidence, write)
    return evidence


def _images(at: _Ledger, lines: Iterable[Line]) -> dict[str, str]:
    """List the images that the entries of a period are about, each with its stack: empty where no build is on record."""
    found: dict[str, str] = {}
    known: dict[str, tuple[str, str]] = {}
    for line in lines:
        for digest in digests_about(line.entry):
            if digest not in known:
                builds = at.ledger.find("digest", digest, kinds=(Built.kind,), before=at.span.end, limit=1)
                known[digest] = (
                    (str(builds[0].data["digest"]), str(builds[0].data["stack"])) if builds else (digest, "")
                )
            image, stack = known[digest]
            found[image] = stack
    return found


def _evidence(at: _Ledger, request: AuditRequest, lines: tuple[Line, ...], changes: list[Change]) -> Evidence:
    ledger, span = at.ledger, at.span
    folders: dict[int, list[str]] = {}
    for change in changes:
        for line in change.lines:
            folders.setdefault(line.number, []).append(change.folder)
    around = Around(rules_before=lambda line: _rules_before(at, line), read=ledger.document, root=at.head.root)
    moves = moves_of(changes, span.has, around)
    return Evidence(
        head=at.head,
        period=request.period,
        span=span,
        roots=(ledger.root_at(span.first), ledger.root_at(span.end)),
        lines=lines,
        changes=tuple(changes),
        moves=moves,
        remarks=list_remarks(lines, changes, moves, folders, span),
        rules=rules_over_time([*_rules_at_begin(at), *lines], ledger.document),
        controls=read_controls(),
        signed_by=request.key.name if request.key else "",
        folders=folders,
    )


def _rules_before(at: _Ledger, line: Line) -> str:
    """Find the rules that a channel was last moved or approved under before a promotion."""
    channel = f"{line.entry.data['stack']} {line.entry.data['channel']}"
    kinds = (Promoted.kind, Approved.kind)
    for entry in at.ledger.find("channel", channel, kinds=kinds, before=line.number, limit=1):
        return str(entry.data.get("rules", ""))
    return ""


def _rules_at_begin(at: _Ledger) -> Iterator[Line]:
    """Iterate over the entries that say under which rules channels stood when the period began, by number."""
    numbers: set[int] = set()
    kinds = (Promoted.kind, Approved.kind)
    for channel in at.ledger.values("channel"):
        found = at.ledger.find("channel", channel, kinds=kinds, before=at.span.first, limit=1)
        numbers.update(entry.number for entry in found)
    for number in sorted(numbers):
        yield at.line(number)


def _write_change(gathered: Gathered, write: Write) -> None:
    change = gathered.change
    for file, data in gathered.files.items():
        write(f"{change.folder}/{file}", data)
    write(f"{change.folder}/entries.jsonl", b"".join(line.data + b"\n" for line in change.lines))
    write(f"{change.folder}/change.json", _pretty(change_to_dict(change)))


def change_to_dict(change: Change) -> dict[str, Any]:
    """Write what a folder holds as JSON values."""
    return {
        "format": FORMAT,
        "folder": change.folder,
        "digest": change.digest,
        "stack": change.stack or None,
        "before": change.before or None,
        "answers": {
            topic.name: {"entries": [line.number for line in topic.lines], "files": list(topic.files)}
            if topic.is_on_record
            else NOT_ON_RECORD
            for topic in change.topics
        },
        "documents": [
            {"file": one.file, "digest": one.digest, "named": [[name.number, name.place] for name in one.named]}
            | ({} if one.source == "ledger" else {"source": one.source})
            for one in change.documents
        ],
        "made": [{"file": one.file, "of": list(one.of)} for one in change.made],
        "missing": [
            {"digest": one.digest, "named": [[name.number, name.place] for name in one.named], "why": one.why}
            for one in change.missing
        ],
    }


def evidence_to_dict(evidence: Evidence) -> dict[str, Any]:
    """Write what was exported in short, as JSON values."""
    begin, end = evidence.period.told
    return {
        "from": begin,
        "to": end,
        "first": evidence.span.first,
        "end": evidence.span.end,
        "entries": len(evidence.lines),
        "images": len(evidence.changes),
        "moves": len(evidence.moves),
        "remarks": len(evidence.remarks),
        "root": evidence.head.root.hex(),
        "signed_by": evidence.signed_by or None,
    }


def _write_ledger(at: _Ledger, request: AuditRequest, evidence: Evidence, write: Write) -> None:
    """Write entries, and what proves that they are all of the period, in a ledger of this head."""
    ledger, head, span = at.ledger, at.head, at.span
    others = {line.number: line for change in evidence.changes for line in change.lines if not span.has(line.number)}
    others |= {line.number: line for line in _rules_at_begin(at)}
    # The neighbours show that the period begins and ends here.
    others |= {number: at.line(number) for number in (span.first - 1, span.end) if 0 <= number < head.size}
    proof = {
        "format": FORMAT,
        "origin": head.origin,
        "from": request.period.told[0],
        "to": request.period.told[1],
        "first": span.first,
        "end": span.end,
        "size": head.size,
        "edge": [one.hex() for one in ledger.edge(span.first)],
        "consistency": _consistency(at, span.end),
        "others": {str(number): [one.hex() for one in ledger.proof(number, head.size)] for number in sorted(others)},
        "heads": [_prove_head(at, file, data) for file, data in request.heads],
    }
    for position, (_, data) in enumerate(request.heads):
        write(f"ledger/heads/{position}.txt", data)
    write("ledger/entries.jsonl", b"".join(line.data + b"\n" for line in evidence.lines))
    write("ledger/others.jsonl", b"".join(others[number].data + b"\n" for number in sorted(others)))
    write("ledger/proof.json", _pretty(proof))
    write("ledger/checkpoint.txt", sign(head, request.key) if request.key else head.text.encode())


def _consistency(at: _Ledger, old: int) -> list[str]:
    return [one.hex() for one in at.ledger.consistency(old, at.head.size)] if old else []


def _prove_head(at: _Ledger, file: str, data: bytes) -> dict[str, Any]:
    point, _ = parse_checkpoint(data, file=file)
    if point.origin != at.head.origin or point.size > at.head.size or at.ledger.root_at(point.size) != point.root:
        raise LedgerError(
            f"is no head of this ledger, {at.head.origin} with {at.head.size} entries",
            context=file,
            hint="airflow-kubler ledger verify --head FILE says what is wrong",
        )
    return {"size": point.size, "proof": _consistency(at, point.size)}


def _write_lists(ledger: ProvingLedger, evidence: Evidence, write: Write) -> None:
    tables: Mapping[str, Callable[[Evidence], bytes]] = {
        "population.csv": population_table,
        "moves.csv": moves_table,
        "remarks.csv": remarks_table,
        "people.csv": people_table,
        "controls.csv": controls_table,
        "policy/history.csv": rules_table,
    }
    for file, table in tables.items():
        write(file, table(evidence))
    for digest in sorted({one.digest for one in evidence.rules if one.kept}):
        write(f"policy/{digest.partition(':')[2]}.json", read_rules(digest, ledger.document) or b"")


def _pretty(value: object) -> bytes:
    return json.dumps(value, indent=1, ensure_ascii=False).encode() + b"\n"
