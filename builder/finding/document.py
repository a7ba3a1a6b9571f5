"""What a scan found, as a document that a ledger keeps: typed, with what vouches for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import msgspec

from builder.canonical import dump_json
from builder.errors import LedgerError
from builder.finding.model import Finding

FORMAT: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ScannedPart:
    """One platform of an image, as it was scanned."""

    platform: str
    manifest: str
    """Digest of the platform's manifest."""
    report: str
    """Digest of the scanner's own report; its image is this one with the canary's layer on top."""
    debs: int
    """Listed by the scanner; the same set as the lock's."""
    distributions: int
    others: int
    """Things that the scanner lists and no lock names: copies within distributions, and what an image of a base has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScannerFacts:
    """What scanned."""

    name: str
    version: str
    sha256: str
    """Of the program, hexadecimal."""
    pinned: bool
    """Whether stacks/scan.toml names it by version and hash."""
    isolated: bool
    """Whether it ran without network, in namespaces of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseFacts:
    """What the scanner knows."""

    sha256: str
    """Of the database's file, hexadecimal."""
    updated: int
    """Seconds since the epoch, as the database says."""
    artifact: str = ""
    """Digest of the artifact's manifest that it came in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What a scan found of an image."""

    digest: str
    """Of its index."""
    stack: str
    lock: str
    """Digest of the lock that the scanner's list was held against."""
    scanner: ScannerFacts
    database: DatabaseFacts
    canary: str
    """Digest of the canary's layer, uncompressed: what the scanner had to find in it, it found."""
    parts: tuple[ScannedPart, ...]
    findings: tuple[Finding, ...]
    """The worst first."""
    format: int = FORMAT


def dump_findings(found: Findings) -> bytes:
    """Write the document; bytes are stable."""
    return dump_json(msgspec.to_builtins(found))


def parse_findings(data: bytes, *, context: str) -> Findings:
    """Read the document.

    Raises:
        LedgerError: it is none, or of a form that this program does not know.
    """
    try:
        found = msgspec.json.decode(data, type=Findings)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise LedgerError(f"is no document of findings: {error}", context=context) from error
    if found.format != FORMAT:
        raise LedgerError(f"findings in the form {found.format}, and {FORMAT} is known", context=context)
    return found
