"""Readers of what programs and people report: scanners, licences, nights, and clients of a ledger's service."""

from __future__ import annotations

from collections.abc import Mapping

from builder.finding.document import parse_findings
from builder.finding.exploited import parse_exploited
from builder.finding.vex import parse_vex
from builder.licence.debian import parse_copyright
from builder.licence.names import parse_names
from builder.licence.reader import parse_licence_rules
from builder.nightly.journal import parse_journal, parse_line
from builder.nightly.settings import parse_settings as parse_night_settings
from builder.nightly.summary import summarise
from builder.nightly.trend import parse_sample
from builder.scan.database import parse_metadata
from builder.scan.report import parse_report
from builder.scan.settings import parse_settings as parse_scan_settings
from builder.service.wire import Append, Entries, parse, read_entries, receive_entry
from builder.web.tokens import parse_tokens
from tests.hostile.model import Reader


def read_append(data: bytes, name: str) -> object:
    """Read what a client wants to append."""
    return [receive_entry(one) for one in parse(data, Append, name).entries]


def read_journal(data: bytes, name: str) -> object:
    """Read a journal, and what a report would say of it."""
    return summarise(parse_journal(data, file=name))


def read_names(data: bytes, _name: str) -> object:
    return parse_names(data.decode("utf-8", "replace"))


REPORT_READERS: Mapping[str, Reader] = {
    "findings": lambda data, name: parse_findings(data, context=name),
    "exploited": lambda data, name: parse_exploited(data, file=name),
    "vex": lambda data, name: parse_vex(data, file=name),
    "copyright": lambda data, name: parse_copyright(data, source=name),
    "licence-names": read_names,
    "licence-rules": lambda data, name: parse_licence_rules(data, file=name),
    "scanner-report": lambda data, _: parse_report(data),
    "scanner-database": lambda data, name: parse_metadata(data, context=name),
    "scan-settings": lambda data, name: parse_scan_settings(data, file=name),
    "night-settings": lambda data, name: parse_night_settings(data, file=name),
    "journal": read_journal,
    "journal-line": lambda data, name: parse_line(data, where=name),
    "night-report": lambda data, _: parse_sample(data),
    "append": read_append,
    "entries": lambda data, name: read_entries(parse(data, Entries, name).entries),
    "tokens": lambda data, name: parse_tokens(data, file=name),
}
