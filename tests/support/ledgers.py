"""Made-up ledgers: a few entries of every kind, with documents that differ little."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from builder.digest import Digest
from builder.ledger.database import SqliteLedger, create_ledger
from builder.ledger.entry import Actor, Entry
from builder.ledger.events import (
    Approved,
    Attested,
    Built,
    Event,
    LicencesJudged,
    Locked,
    Nightly,
    Promoted,
    Pushed,
    Rebuilt,
    Removed,
    Requested,
    Scanned,
    Seen,
    Signed,
    Tested,
)
from builder.ledger.model import NewDocument, NewEntry
from builder.ledger.parts import BuiltPlatform, Check, Finding, Move, Revisions, SeenImage, StackResult, TagMove

ORIGIN = "example.org/airflow"
ALICE = Actor(name="alice", method="local", host="builder-1", program="airflow-kubler 0")


class Ticking:
    """A clock that goes a minute further each time it is asked."""

    def __init__(self, start: int = 1_790_000_000) -> None:
        self.now = start

    def __call__(self) -> int:
        self.now += 60
        return self.now


def digest_of(name: str) -> str:
    """Make up a digest."""
    return str(Digest.of(name.encode()))


def make_ledger(path: Path, entries: Sequence[NewEntry] = (), *, clock: Ticking | None = None) -> tuple[Entry, ...]:
    """Make a ledger with these entries after its first; returns them."""
    clock = clock or Ticking()
    create_ledger(path, ORIGIN, ALICE, clock)
    with SqliteLedger(path, clock, write=True) as ledger:
        return tuple(ledger.append([entry], ALICE)[0] for entry in entries)


def make_build(
    stack: str = "core",
    name: str = "one",
    *,
    lock: str = "lock",
    size_bytes: int = 1000,
    revisions: Sequence[Revisions] = (),
) -> Built:
    """Make up a build for both platforms; what is named alike has the same digests."""
    return Built(
        stack=stack,
        digest=digest_of(f"{stack} {name} index"),
        lock=digest_of(f"{stack} {lock}"),
        base="trixie",
        base_lock=digest_of("base"),
        platforms=tuple(
            BuiltPlatform(
                platform=f"linux/{architecture}",
                manifest=digest_of(f"{stack} {name} {architecture} manifest"),
                config=digest_of(f"{stack} {name} {architecture} config"),
                layers=30,
                size_bytes=size_bytes,
            )
            for architecture in ("amd64", "arm64")
        ),
        seconds=1.5,
        revisions=tuple(revisions),
    )


def events_of_every_kind(stack: str = "core", channel: str = "prod") -> tuple[Event, ...]:
    """Make up one event of each kind, as they come in the life of an image."""
    built = make_build(stack)
    digest, rules = built.digest, digest_of("rules")
    return (
        Locked(
            stack=stack,
            lock=built.lock,
            base="trixie",
            base_lock=built.base_lock,
            airflow="3.3.2",
            moves=(Move(name="requests", before="2.32.0", after="2.33.0"), Move(name="idna", after="3.11")),
        ),
        built,
        Tested(digest=digest, name="stack", passed=True, summary="12 passed"),
        Scanned(digest=digest, result="clean", scanner="trivy 0.59.1", counts={"low": 3}),
        LicencesJudged(digest=digest, allowed=True, rules=rules, counts={"allowed": 200}),
        Rebuilt(digest=digest, same=True, by="second"),
        Pushed(
            digest=digest,
            repository="registry.example.org/team/airflow",
            stack=stack,
            tags=(TagMove(tag=f"{stack}-20261130.01"),),
            sent_bytes=1000,
        ),
        Requested(stack=stack, channel=channel, digest=digest, reason="CVE-2026-1"),
        Approved(stack=stack, channel=channel, digest=digest, rules=rules),
        Promoted(
            stack=stack,
            channel=channel,
            digest=digest,
            rules=rules,
            checks=(Check(rule="tests", met=True, evidence=(3,)),),
            database="safe",
        ),
        Seen(
            cluster="production",
            images=(SeenImage(digest=digest, pods=3, workloads=("airflow/deployment/scheduler",)),),
            findings=(Finding(kind="unknown image", severity="high", where="airflow/pod/x", what="busybox"),),
        ),
        Removed(repository="registry.example.org/team/airflow", digests=(digest_of("old"),)),
        Signed(
            digest=digest,
            repository="registry.example.org/team/airflow",
            bundle=digest_of("bundle"),
            statement=digest_of("statement"),
            signer=digest_of("key"),
            made=True,
        ),
        Attested(
            digest=digest,
            repository="registry.example.org/team/airflow",
            predicate_type="https://slsa.dev/provenance/v1",
            bundle=digest_of("provenance bundle"),
            statement=digest_of("provenance"),
            signer=digest_of("key"),
            name="ci",
        ),
        Nightly(
            night="20261130.1",
            began=1_790_000_000,
            results=(StackResult(stack=stack, result="unchanged", digest=digest, same=True),),
            report=digest_of("report"),
        ),
    )


def iter_documents(count: int) -> Iterator[NewDocument]:
    """Make up documents, each much like the one before."""
    lines = [Digest.of(str(number).encode()).hex for number in range(200)]
    like: Digest | None = None
    for number in range(count):
        lines[number % 200] = Digest.of(f"changed {number}".encode()).hex
        data = "\n".join(lines).encode()
        yield NewDocument(data=data, like=like)
        like = Digest.of(data)
