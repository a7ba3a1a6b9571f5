"""What a scan found, put on record: the findings typed, the scanner's reports raw; and what could not be scanned, with the reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from typing import Final

from builder.digest import Digest
from builder.errors import LedgerError
from builder.finding.document import Findings, dump_findings, parse_findings
from builder.finding.model import Finding
from builder.ledger.entry import Actor, Entry
from builder.ledger.events import Scanned
from builder.ledger.model import Ledger, LedgerReader, NewDocument, NewEntry
from builder.ledger.queries import event_of, find_image, iter_found
from builder.usecase.scan import NOT_SCANNED, Scan

_LOOKED_AT: Final = 30
"""Scans of a stack that are asked when something was first seen: one by another database, in between, makes nothing new again."""
_LONGEST: Final = 500


def first_seen(ledger: LedgerReader, stack: str, findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """Note on findings when a scan on record of the same stack first had them; those of now where none has."""
    earliest: dict[tuple[str, str, str, str], int] = {}
    for found in islice(iter_scans(ledger, stack), _LOOKED_AT):
        for finding in found.findings:
            if finding.first_seen:
                earliest[finding.key] = min(finding.first_seen, earliest.get(finding.key, finding.first_seen))
    return tuple(
        replace(one, first_seen=min(one.first_seen, earliest.get(one.key, one.first_seen))) for one in findings
    )


def iter_scans(ledger: LedgerReader, stack: str) -> Iterator[Findings]:
    """Iterate over what scans of a stack's images found, the newest first."""
    for entry in iter_found(ledger, "stack", stack, kinds=(Scanned.kind,)):
        digest = event_of(entry, Scanned).findings
        data = ledger.document(Digest.parse(digest)) if digest else None
        if data is not None:
            yield parse_findings(data, context=f"entry {entry.number}: findings")


def record_scan(ledger: Ledger, scan: Scan, actor: Actor) -> Entry:
    """Put a scan on record, with its documents.

    Raises:
        LedgerError: no build of the image is on record.
    """
    found = scan.found
    check_recorded(ledger, found.digest)
    data = dump_findings(found)
    left = scan.waived.left
    event = Scanned(
        digest=found.digest,
        result=scan.result,
        scanner=f"{found.scanner.name} {found.scanner.version}",
        database=f"sha256:{found.database.sha256}",
        counts=dict(Counter(one.severity.value for one in left)),
        scanner_sha256=found.scanner.sha256,
        pinned=found.scanner.pinned,
        isolated=found.scanner.isolated,
        database_updated=found.database.updated,
        findings=str(Digest.of(data)),
        reports={platform: str(Digest.of(report)) for platform, report in scan.reports},
        parts=dict(Counter(one.belongs.part.value for one in left)),
        waived=len(scan.waived.waived),
    )
    before = _document_before(ledger, found)
    documents = [NewDocument(data=data, like=before)]
    documents += [NewDocument(data=report) for _, report in scan.reports]
    return ledger.append([NewEntry(event=event, documents=documents)], actor)[0]


def record_failure(ledger: Ledger, digest: str, why: str, actor: Actor, *, scanner: str = "") -> Entry:
    """Put on record that an image could not be scanned, and why.

    Raises:
        LedgerError: no build of it is on record.
    """
    check_recorded(ledger, digest)
    event = Scanned(digest=digest, result=NOT_SCANNED, scanner=scanner, summary=" ".join(why.split())[:_LONGEST])
    return ledger.append([NewEntry(event=event)], actor)[0]


def check_recorded(ledger: LedgerReader, digest: str) -> None:
    """Refuse an image whose build is not on record; raises LedgerError."""
    if find_image(ledger, digest) is None:
        raise LedgerError(
            "no build of it is on record, so a scan of it cannot be either",
            context=digest,
            hint="build it where the ledger is: airflow-kubler build",
        )


def _document_before(ledger: LedgerReader, found: Findings) -> Digest | None:
    for entry in iter_found(ledger, "stack", found.stack, kinds=(Scanned.kind,)):
        digest = event_of(entry, Scanned).findings
        if digest:
            return Digest.parse(digest)
    return None
