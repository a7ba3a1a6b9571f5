"""Record what was signed and what was verified; and find out from a ledger when a bundle was first seen.

A statement comes into the ledger once, as its difference from the one before of its kind; with the signature in the entry it is the bundle.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import dataclass

from builder.attest.bundle import Bundle
from builder.attest.kinds import PREDICATE_TYPES, SIGNATURE
from builder.digest import Digest
from builder.ledger.entry import Actor, Entry
from builder.ledger.events import Attested, Event, Rebuilt, Signed
from builder.ledger.model import Ledger, LedgerReader, NewDocument, NewEntry
from builder.ledger.queries import event_of
from builder.usecase.sign import Sealed
from builder.usecase.verify_signatures import RebuildClaim, Verified

_KINDS = (Signed.kind, Attested.kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """A bundle that holds."""

    digest: Digest
    """Of what it is about."""
    repository: str
    predicate_type: str
    bundle: Bundle
    signer: str
    name: str = ""
    made: bool = False
    rebuild: RebuildClaim | None = None
    """What it says, of a statement on a rebuild."""


def noted_of_sealed(sealed: Sealed) -> Noted:
    """Note a bundle that was made."""
    return Noted(
        digest=sealed.artifact.digest,
        repository=str(sealed.artifact.repository),
        predicate_type=sealed.predicate_type,
        bundle=sealed.bundle,
        signer=sealed.signer,
        made=sealed.is_new,
    )


def noted_of_verified(verified: Verified, predicate_types: Iterable[str]) -> tuple[Noted, ...]:
    """Note the bundles of some kinds that hold."""
    return tuple(
        Noted(
            digest=verified.artifact.digest,
            repository=str(verified.artifact.repository),
            predicate_type=uri,
            bundle=one.attached.bundle,
            signer=one.signer,
            name=one.key.name if one.key is not None else "",
            rebuild=one.found if isinstance(one.found, RebuildClaim) else None,
        )
        for uri in dict.fromkeys(predicate_types)
        for one in verified.held(uri)
    )


def record_bundles(ledger: Ledger, noted: Iterable[Noted], actor: Actor) -> tuple[Entry, ...]:
    """Record bundles, those that the ledger does not know of that digest; rebuilds that were verified count as rebuilds too."""
    new: list[NewEntry] = []
    known: set[tuple[str, str]] = set()
    for one in noted:
        key = (str(one.digest), str(one.bundle.digest))
        if key in known or _entries_of(ledger, one.digest, one.bundle.digest):
            continue
        known.add(key)
        new += _entries(ledger, one)
    return ledger.append(new, actor) if new else ()


def first_seen(ledger: LedgerReader, digest: Digest, bundle: Digest) -> int | None:
    """Find by when a bundle was there: seconds since the epoch; None where the ledger does not know it.

    It is the latest time of all entries up to the one that records it. Order is by number, and who sets his clock back and
    appends cannot come before what stands there already.
    """
    found = _entries_of(ledger, digest, bundle)
    if not found:
        return None
    return max(entry.time for entry in ledger.entries(0, found[-1].number + 1))


def _entries_of(ledger: LedgerReader, digest: Digest, bundle: Digest) -> tuple[Entry, ...]:
    entries = ledger.find("digest", str(digest), kinds=_KINDS)
    return tuple(entry for entry in entries if entry.data.get("bundle") == str(bundle))


def _entries(ledger: LedgerReader, one: Noted) -> list[NewEntry]:
    payload = one.bundle.envelope.payload
    statement = Digest.of(payload)
    documents = [NewDocument(data=payload, like=_statement_before(ledger, one))]
    signature = ""
    if one.bundle.is_keyless:
        documents.append(NewDocument(data=one.bundle.data))
    else:
        signature = base64.b64encode(one.bundle.envelope.signatures[0]).decode()
    said = {
        "digest": str(one.digest),
        "repository": one.repository,
        "bundle": str(one.bundle.digest),
        "statement": str(statement),
        "signer": one.signer,
        "name": one.name,
        "signature": signature,
    }
    event: Event
    if one.predicate_type == PREDICATE_TYPES[SIGNATURE]:
        event = Signed(made=one.made, **said)
    else:
        event = Attested(predicate_type=one.predicate_type, made=one.made, **said)
    entries = [NewEntry(event=event, documents=documents)]
    if one.rebuild is not None:
        rebuilt = Rebuilt(
            digest=str(one.digest),
            same=one.rebuild.same,
            by=one.name or one.signer,
            difference=one.rebuild.difference,
            statement=str(statement),
            key=one.signer,
        )
        entries.append(NewEntry(event=rebuilt))
    return entries


def _statement_before(ledger: LedgerReader, one: Noted) -> Digest | None:
    """Find the latest statement of the same kind in the repository: of the image of last night."""
    if one.predicate_type == PREDICATE_TYPES[SIGNATURE]:
        return None
    for entry in ledger.find("repository", one.repository, kinds=(Attested.kind,), limit=_MOST_LOOKED_AT):
        before = event_of(entry, Attested)
        if before.predicate_type == one.predicate_type:
            return Digest.parse(before.statement)
    return None


_MOST_LOOKED_AT = 50
