"""What is said of an image by our own makers: one function a kind of statement, over the locks, their files and the ledger.

A new kind: one more function here, its predicate type in attest/kinds.py, and a row in docs/signatures.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

from builder import __version__
from builder.attest.kinds import CYCLONEDX, PROVENANCE, REBUILD, SCAN, SPDX
from builder.attest.provenance import BuildRun, BuiltImage, Inputs, builder_id, make_provenance, platform_of_run
from builder.attest.statement import MAX_STATEMENT_BYTES, parse_statement
from builder.digest import Digest
from builder.errors import BuildError, IntegrityError, InvalidInputError, LedgerError
from builder.image.formats import LAYER_FORMAT, SEGMENT_FORMAT
from builder.ledger.entry import Entry, format_time
from builder.ledger.events import Built, Event, Rebuilt, Scanned
from builder.ledger.model import LedgerReader
from builder.ledger.queries import event_of
from builder.oci.fields import parse_object
from builder.sbom.make import Form

_ENGINES: Final = {"airflow-kubler": "own", "buildkit": "buildkit"}
"""Engines by the name that a ledger has for them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What the caller says of a build; what he leaves open is read from the ledger."""

    engine: str = ""
    builder: str = ""
    invocation: str = ""
    started: int | None = None
    finished: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """An image, and all that makers may read."""

    digest: Digest
    image: BuiltImage
    inputs: Callable[[], Inputs]
    """Reads the locks: only some makers need them."""
    bills: Callable[[Form], Iterable[bytes]]
    """Makes a bill of materials of each of its platforms."""
    ledger: LedgerReader | None = None
    told: Told = Told()


def make_predicates(kind: str, subject: Subject) -> tuple[Mapping[str, Any], ...]:
    """Make what is said of an image.

    Args:
        kind: by its short name.
        subject: the image.

    Returns:
        One; of bills of materials one for each platform, since readers take no bill of two systems.

    Raises:
        InvalidInputError: nothing here makes this kind.
        BuildError: it is not known what a build did, or the lock is not here.
        LedgerError: the ledger does not know it.
    """
    maker = _MAKERS.get(kind)
    if maker is None:
        raise InvalidInputError(
            f"nothing here makes statements of the kind {kind}",
            hint=f"name a file by --predicate; made here are {', '.join(_MAKERS)}",
        )
    return tuple(maker(subject))


def run_of(subject: Subject) -> BuildRun:
    """Find out which run built an image: from the first entry of a ledger, which never changes, and from what is told.

    Raises:
        BuildError: no ledger knows it, and nobody says which engine it was.
    """
    told, entry = subject.told, _first(subject.ledger, subject.digest, Built)
    if entry is None and not told.engine and not told.builder:
        raise BuildError(
            "it is not known how it was built: no ledger has the build on record",
            context=str(subject.digest),
            hint="say --engine own where `build` made it, or --engine buildkit; with a ledger, `build` records it",
        )
    formats = (f"segment {SEGMENT_FORMAT}", f"layer {LAYER_FORMAT}")
    if entry is None:
        run = BuildRun(builder=builder_id(told.engine or "own"), program=__version__, formats=formats)
    else:
        run = _recorded(subject.ledger, entry, formats)
    return replace(
        run,
        builder=told.builder or (builder_id(told.engine) if told.engine and entry is None else run.builder),
        invocation=told.invocation or run.invocation,
        started=run.started if told.started is None else told.started,
        finished=run.finished if told.finished is None else told.finished,
    )


def _recorded(ledger: LedgerReader | None, entry: Entry, formats: tuple[str, ...]) -> BuildRun:
    built, actor = event_of(entry, Built), entry.actor
    program = actor.program.rpartition(" ")[2] or "unknown"
    origin = ledger.head().origin if ledger is not None else ""
    return BuildRun(
        builder=builder_id(_ENGINES.get(built.engine, built.engine), platform_of_run(actor.run)),
        program=program,
        # What another version wrote is for that version to say.
        formats=formats if program == __version__ else (),
        invocation=actor.run or f"urn:airflow-kubler:ledger:{origin}:{entry.number}",
        started=entry.time - round(built.seconds),
        finished=entry.time,
    )


def _provenance(subject: Subject) -> Iterator[Mapping[str, Any]]:
    run = run_of(subject)
    yield make_provenance(subject.inputs(), subject.image, run)


def _bills(form: Form, subject: Subject) -> Iterator[Mapping[str, Any]]:
    for data in subject.bills(form):
        yield parse_object(data, context="bill of materials", most=MAX_STATEMENT_BYTES)


def _rebuild(subject: Subject) -> Iterator[Mapping[str, Any]]:
    """Take the latest statement on a rebuild that this ledger has, by whoever ran `verify --rebuild` here."""
    for entry in _entries(subject.ledger, subject.digest, Rebuilt):
        event = event_of(entry, Rebuilt)
        data = _document(subject.ledger, event.statement)
        if data is None or event.key:
            continue
        yield parse_statement(data, context=f"entry {entry.number}").predicate
        return
    raise _unknown("rebuild", subject, "verify REFERENCE --rebuild")


def _scan(subject: Subject) -> Iterator[Mapping[str, Any]]:
    """Take the latest scan that this ledger has, in the form that cosign calls `vuln`."""
    entries = _entries(subject.ledger, subject.digest, Scanned)
    if not entries:
        raise _unknown("scan", subject, "record scan")
    entry, event = entries[0], event_of(entries[0], Scanned)
    name, _, version = event.scanner.rpartition(" ")
    report = _document(subject.ledger, event.report)
    when = format_time(entry.time)
    yield {
        "invocation": {"uri": entry.actor.run, "event_id": str(entry.number), "builder.id": ""},
        "scanner": {
            "uri": name or version,
            "version": version if name else "",
            "db": {"uri": "", "version": event.database},
            "result": _report(report),
        },
        "metadata": {"scanStartedOn": when, "scanFinishedOn": when},
        "verdict": {"result": event.result, "counts": dict(sorted(event.counts.items())), "report": event.report},
    }


def _report(data: bytes | None) -> Mapping[str, Any]:
    """Take a report in where it is JSON and not too long; else its digest says which it is."""
    try:
        return parse_object(data or b"", context="report")
    except IntegrityError:
        return {}


def _entries(ledger: LedgerReader | None, digest: Digest, kind: type[Event]) -> tuple[Entry, ...]:
    return ledger.find("digest", str(digest), kinds=(kind.kind,)) if ledger is not None else ()


def _first(ledger: LedgerReader | None, digest: Digest, kind: type[Event]) -> Entry | None:
    found = _entries(ledger, digest, kind)
    return found[-1] if found else None


def _document(ledger: LedgerReader | None, digest: str) -> bytes | None:
    return ledger.document(Digest.parse(digest)) if ledger is not None and digest else None


def _unknown(what: str, subject: Subject, way: str) -> LedgerError:
    return LedgerError(
        f"no {what} of it is on record",
        context=str(subject.digest),
        hint=f"airflow-kubler {way}; or name a file by --predicate or --statement",
    )


_MAKERS: Final[Mapping[str, Callable[[Subject], Iterator[Mapping[str, Any]]]]] = {
    PROVENANCE: _provenance,
    CYCLONEDX: partial(_bills, Form.CYCLONEDX),
    SPDX: partial(_bills, Form.SPDX),
    REBUILD: _rebuild,
    SCAN: _scan,
}
