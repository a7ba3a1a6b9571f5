"""One folder of an audit export: the entries on an image, the documents that they name, and what differs from the image before."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from builder.audit.documents import LOCK_DIFF, all_named, bundle_of, file_name, list_topics
from builder.audit.lock_changes import lock_changes
from builder.audit.model import Change, Document, Line, Made, Missing, Named, Span
from builder.audit.selection import digests_about, digests_of, evidence_of, iter_earlier
from builder.digest import Digest
from builder.errors import LedgerError
from builder.ledger.entry import Entry
from builder.ledger.events import Attested, Built, Locked, Signed
from builder.ledger.model import ProvingLedger
from builder.ledger.queries import RecordedImage, event_of
from builder.usecase.recorded import build_before, open_record

Elsewhere = Callable[[str, Line], "tuple[bytes, str] | None"]
"""Given a digest and an entry that names it, gives a document that the ledger does not hold, and where it was; None where it is not there."""
_NOT_KEPT = "not kept in the ledger"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """A folder with its files."""

    change: Change
    files: Mapping[str, bytes]
    """Documents, and what was made of them, by name."""


@dataclass(slots=True)
class _Files:
    """Documents as they are found."""

    files: dict[str, bytes] = field(default_factory=dict)
    documents: list[Document] = field(default_factory=list)
    missing: list[Missing] = field(default_factory=list)


def nowhere(digest: str, line: Line) -> tuple[bytes, str] | None:
    """Find nothing: what the ledger does not hold is told missing."""
    del digest, line
    return None


def gather_change(ledger: ProvingLedger, digest: str, folder: str, span: Span, elsewhere: Elsewhere) -> Gathered:
    """Gather all that is on record of an image up to the end of a period.

    Args:
        ledger: of what happened.
        digest: of the image's index, or what was seen in its place.
        folder: its name.
        span: the period.
        elsewhere: gives what the ledger does not hold.

    Raises:
        LedgerError: the ledger is damaged.
    """
    builds = [
        entry for entry in _found(ledger, "digest", digest, span.end, Built.kind) if entry.data["digest"] == digest
    ]
    digests = digests_of([entry.data for entry in builds]) | {digest}
    lines = _lines_of(ledger, digests, builds, span)
    first = RecordedImage(built=event_of(builds[-1], Built), entry=builds[-1]) if builds else None
    held = _Files()
    by_number = {line.number: line for line in lines}
    for name, named in all_named(lines).items():
        _add(ledger, held, name, named, by_number, elsewhere)
    before = build_before(ledger, first.entry, first.built) if first else None
    made = _lock_diff(ledger, before, first, held) if first else ()
    change = Change(
        folder=folder,
        digest=digest,
        stack=first.built.stack if first else "",
        airflow=first.built.airflow if first else "",
        before=before.built.digest if before else "",
        digests=digests,
        lines=lines,
        documents=tuple(held.documents),
        made=made,
        missing=tuple(held.missing),
        topics=list_topics(lines, held.documents, made),
    )
    return Gathered(change=change, files=held.files)


def _lines_of(ledger: ProvingLedger, digests: frozenset[str], builds: Sequence[Entry], span: Span) -> tuple[Line, ...]:
    found: dict[int, Entry] = {}
    for one in sorted(digests):
        found |= {entry.number: entry for entry in _found(ledger, "digest", one, span.end)}
    # A mark says that an entry has to do with a digest; a removal is about no image that it leaves.
    about = {number: entry for number, entry in found.items() if digests & set(digests_about(entry))}
    for lock in sorted({str(entry.data["lock"]) for entry in builds}):
        about |= {entry.number: entry for entry in _found(ledger, "lock", lock, span.end, Locked.kind)}
    newest_first = [about[number] for number in sorted(about, reverse=True)]
    earlier = iter_earlier([entry for entry in newest_first if entry.number < span.first], evidence_of(newest_first))
    numbers = {*(number for number in about if span.has(number)), *earlier}
    numbers |= evidence_of(about[number] for number in numbers)
    return tuple(Line(data=_line(ledger, number)) for number in sorted(numbers))


def _found(ledger: ProvingLedger, name: str, value: str, end: int, *kinds: str) -> tuple[Entry, ...]:
    """List entries before the end of the period, the newest first."""
    return ledger.find(name, value, kinds=kinds, before=end)


def _line(ledger: ProvingLedger, number: int) -> bytes:
    for data in ledger.lines(number, number + 1):
        return data
    raise LedgerError("is missing", context=f"entry {number}", hint="airflow-kubler ledger verify")


def _add(
    ledger: ProvingLedger,
    held: _Files,
    digest: str,
    named: tuple[Named, ...],
    lines: Mapping[int, Line],
    elsewhere: Elsewhere,
) -> None:
    """Put a document into the folder, from where it is; else say that it is missing."""
    line = lines[named[0].number]
    data, source = ledger.document(Digest.parse(digest)), "ledger"
    event = line.event
    if data is None and isinstance(event, Signed | Attested) and digest == event.bundle:
        data = bundle_of(line, ledger.document(Digest.parse(event.statement)))
        source = "made again of the statement and the signature on record"
    if data is None:
        found = elsewhere(digest, line)
        if found is None or str(Digest.of(found[0])) != digest:
            held.missing.append(Missing(digest=digest, named=named, why=_NOT_KEPT))
            return
        data, source = found
    file = file_name(line, named[0].place, data, held.files)
    held.files[file] = data
    held.documents.append(Document(file=file, digest=digest, named=named, source=source))


def _lock_diff(
    ledger: ProvingLedger, before: RecordedImage | None, first: RecordedImage, held: _Files
) -> tuple[Made, ...]:
    """Write what the lock has otherwise than that of the image before."""
    after = open_record(ledger, first)
    old = open_record(ledger, before, like=after) if before else None
    changes = lock_changes(old, after)
    if changes is None:
        return ()
    held.files[LOCK_DIFF] = json.dumps(changes, indent=1, ensure_ascii=False).encode() + b"\n"
    locks = [first.built.lock, first.built.base_lock]
    locks += [before.built.lock, before.built.base_lock] if before else []
    return (Made(file=LOCK_DIFF, of=tuple(locks)),)
