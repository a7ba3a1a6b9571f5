"""What entries hold, by kind: the shape of their `data`.

A kind keeps its name and the meaning of its fields for good; what is added has a default, so that old entries are read by new
programs, and new ones, as far as they are understood, by old ones. Digests are `sha256:<hex>` of what they name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final

import msgspec

from builder.errors import LedgerError
from builder.ledger.parts import (
    BuiltPlatform,
    Check,
    DigestText,
    Finding,
    Move,
    Revisions,
    SeenImage,
    StackResult,
    TagMove,
)


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What happened."""

    kind: ClassVar[str]


class Begun(Event, frozen=True, kw_only=True):
    """The ledger's first entry, and one for each set of migrations after it."""

    kind: ClassVar[str] = "ledger"

    origin: str
    """The ledger's name, as `example.org/airflow`."""
    id: str
    """Random, so that no two ledgers begin alike."""
    migrations: tuple[tuple[str, str, str], ...]
    """Set, name and time of each migration of the file's tables up to now."""


class Locked(Event, frozen=True, kw_only=True):
    """A stack has a new lock. The lock and its base's are among the documents."""

    kind: ClassVar[str] = "lock"

    stack: str
    lock: DigestText
    base: str
    base_lock: DigestText
    before: str = ""
    """Digest of the lock before; empty for the first."""
    airflow: str
    moves: tuple[Move, ...] = ()
    """Distributions, by name."""
    base_moves: tuple[Move, ...] = ()
    """Debian packages, by name."""


class Built(Event, frozen=True, kw_only=True):
    """An image was made from a lock. Index, lock and base lock are among the documents."""

    kind: ClassVar[str] = "build"

    stack: str
    digest: DigestText
    """Of the index: what deployments pull."""
    lock: DigestText
    base: str
    base_lock: DigestText
    platforms: tuple[BuiltPlatform, ...]
    airflow: str = ""
    """Version of Airflow in it; empty in entries that were written before it was told."""
    engine: str = "airflow-kubler"
    compression: str = ""
    seconds: float = 0.0
    revisions: tuple[Revisions, ...] = ()
    formats: tuple[str, ...] = ()
    """What decides about its bytes beside the lock, as `segment 1`, `zstd 1.5.7`; empty where it is not known."""


class Pushed(Event, frozen=True, kw_only=True):
    """An image is in a repository, and tags stand for it."""

    kind: ClassVar[str] = "push"

    digest: DigestText
    repository: str
    stack: str = ""
    tags: tuple[TagMove, ...] = ()
    sent_bytes: int = 0


class Tested(Event, frozen=True, kw_only=True):
    """An image was tested."""

    kind: ClassVar[str] = "test"

    digest: DigestText
    name: str
    """Of the suite, as `stack` or `smoke`."""
    passed: bool
    summary: str = ""
    report: str = ""
    """Digest of the report's document."""
    seconds: float = 0.0
    stack: str = ""
    """Whose image it is; filled in at appending, where the ledger knows it (stacks.py)."""


class Scanned(Event, frozen=True, kw_only=True):
    """An image was scanned, or could not be."""

    kind: ClassVar[str] = "scan"

    digest: DigestText
    result: str
    """`clean`, `waived`, `findings` or `not scanned`."""
    scanner: str = ""
    database: str = ""
    """Digest or date of what the scanner knows."""
    counts: Mapping[str, int] = {}
    """Findings by severity."""
    report: str = ""
    summary: str = ""
    stack: str = ""
    """As of a test."""
    scanner_sha256: str = ""
    """Of the scanner's program, hexadecimal; empty where another system scanned."""
    pinned: bool = False
    isolated: bool = False
    database_updated: int = 0
    """These three as the document of findings has them: builder/finding/document.py."""
    findings: str = ""
    """Digest of that document; empty where another system scanned, or nobody could."""
    reports: Mapping[str, str] = {}
    """Digest of the scanner's own report, by platform."""
    parts: Mapping[str, int] = {}
    """Findings that nothing waives, by whose they are: `base`, `tested`, `shared`, `own`."""
    waived: int = 0
    """Findings that waivers let pass when it was scanned; not among those that `counts` counts."""


class LicencesJudged(Event, frozen=True, kw_only=True):
    """The licences of all that is in an image were held against the rules of stacks/licences.toml."""

    kind: ClassVar[str] = "licences"

    digest: DigestText
    allowed: bool
    rules: DigestText
    """Of the rules: under others it has to be done again."""
    until: int = 0
    """Seconds since the epoch at which the first exception that it leans on ends; 0 where it leans on none."""
    counts: Mapping[str, int] = {}
    """Packages by outcome: allowed, excepted, expired, refused."""
    report: str = ""
    """Digest of the report's document."""
    stack: str = ""
    """As of a test."""


class Rebuilt(Event, frozen=True, kw_only=True):
    """An image was made again from its inputs and compared."""

    kind: ClassVar[str] = "rebuild"

    digest: DigestText
    same: bool
    by: str
    """Who rebuilt: independent ones have different names."""
    difference: str = ""
    statement: str = ""
    """Digest of the in-toto statement's document."""
    stack: str = ""
    """As of a test."""
    key: str = ""
    """Fingerprint of the key that has signed the statement; empty where nobody has."""


class Signed(Event, frozen=True, kw_only=True):
    """A digest was signed, or a signature that was there was verified. The statement is among the documents."""

    kind: ClassVar[str] = "signature"

    digest: DigestText
    """Of what is signed: an image's index, or the manifest of one platform."""
    repository: str
    bundle: DigestText
    """Of the bundle: a function of statement, key and signature."""
    statement: DigestText
    signer: str
    """Fingerprint of the key, or an identity."""
    name: str = ""
    """Of the signer, in stacks/keys.toml as it stood."""
    signature: str = ""
    """In base64: with the statement it is the bundle of a key. Of an identity the bundle itself is among the documents."""
    made: bool = False
    """It was made just now; else it was there, and held."""
    stack: str = ""
    """As of a test."""


class Attested(Event, frozen=True, kw_only=True):
    """A statement about an image was signed, or one that was there was verified. The statement is among the documents."""

    kind: ClassVar[str] = "attestation"

    digest: DigestText
    repository: str
    predicate_type: str
    bundle: DigestText
    statement: DigestText
    signer: str
    name: str = ""
    signature: str = ""
    made: bool = False
    stack: str = ""
    """All as of `Signed`."""


class Requested(Event, frozen=True, kw_only=True):
    """Somebody wants a channel to move."""

    kind: ClassVar[str] = "request"

    stack: str
    channel: str
    digest: DigestText
    reason: str = ""


class Approved(Event, frozen=True, kw_only=True):
    """Somebody agrees that a channel moves to a digest, or takes that back."""

    kind: ClassVar[str] = "approval"

    stack: str
    channel: str
    digest: DigestText
    rules: DigestText
    """Of the channel's rules as they stood."""
    withdrawn: bool = False
    comment: str = ""


class Promoted(Event, frozen=True, kw_only=True):
    """A channel stands for another digest."""

    kind: ClassVar[str] = "promotion"

    stack: str
    channel: str
    digest: DigestText
    before: str = ""
    rules: DigestText
    checks: tuple[Check, ...] = ()
    database: str = ""
    """`safe`, `needs migration`, `needs backup` or `unknown`: what the move means for Airflow's metadata database."""
    rollback: bool = False
    reason: str = ""
    waivers: str = ""
    """Digest of the document of waivers that let findings pass; empty where none did."""


class Seen(Event, frozen=True, kw_only=True):
    """What runs was looked at."""

    kind: ClassVar[str] = "deployment"

    cluster: str
    namespaces: tuple[str, ...] = ()
    images: tuple[SeenImage, ...] = ()
    """By digest."""
    findings: tuple[Finding, ...] = ()
    stack: str = ""
    channel: str = ""
    """Empty, where there is a stack, for pods of no channel."""
    selector: str = ""
    """Labels of the pods that were looked at; empty for all."""
    stacks: tuple[str, ...] = ()
    """Whose images run, sorted; filled in at appending."""
    more_findings: int = 0
    """That are not listed."""


class Removed(Event, frozen=True, kw_only=True):
    """Images were deleted from a repository."""

    kind: ClassVar[str] = "removal"

    repository: str
    digests: tuple[DigestText, ...]
    reason: str = ""
    stacks: tuple[str, ...] = ()
    """Whose images they were, sorted; filled in at appending."""


class Nightly(Event, frozen=True, kw_only=True):
    """A night is over: what it did is in entries of its own, this says that nothing else happened. Its report is a document."""

    kind: ClassVar[str] = "night"

    night: str
    """As `20261130.1`."""
    began: int
    """Seconds since the epoch."""
    results: tuple[StackResult, ...]
    """By stack."""
    report: str = ""
    """Digest of the report's document."""


EVENTS: Final[Mapping[str, type[Event]]] = {
    event.kind: event
    for event in (
        Begun, Locked, Built, Pushed, Tested, Scanned, LicencesJudged, Rebuilt, Requested, Approved, Promoted, Seen, Removed,
        Signed, Attested, Nightly,
    )
}  # fmt: skip


def dump_event(event: Event) -> dict[str, Any]:
    """Write an event as JSON values; raises LedgerError where it would not be read again."""
    data: dict[str, Any] = msgspec.to_builtins(event)
    parse_event(event.kind, data)
    return data


def parse_event(kind: str, data: Mapping[str, Any]) -> Event | None:
    """Read an entry's data; None for a kind that this program does not know.

    Raises:
        LedgerError: it has not the shape of its kind.
    """
    known = EVENTS.get(kind)
    if known is None:
        return None
    try:
        return msgspec.convert(data, type=known)
    except msgspec.ValidationError as error:
        raise LedgerError(f"has not the shape of its kind: {error}", context=kind) from error
