"""An entry is told in one line, whatever its kind and whatever others wrote into it."""

from __future__ import annotations

import pytest

from builder.digest import Digest
from builder.history.telling import tell
from builder.ledger.entry import NOTHING, Entry
from builder.ledger.events import Approved, Event, Locked, Promoted, Rebuilt, Scanned, Seen, Tested, dump_event
from builder.ledger.parts import Check, Finding, Move
from tests.support.ledgers import ALICE, digest_of, events_of_every_kind, make_build

DIGEST, RULES = digest_of("image"), digest_of("rules")


def make_entry(event: Event) -> Entry:
    return raw_entry(event.kind, dump_event(event))


def raw_entry(kind: str, data: dict[str, object]) -> Entry:
    return Entry(
        number=7,
        previous=NOTHING,
        time=1_790_000_000,
        kind=kind,
        actor=ALICE,
        data=data,
        documents=(),
        hash=Digest.of(b"entry"),
    )


def test_every_kind_is_told() -> None:
    told = [(entry.kind, tell(entry).what) for entry in map(make_entry, events_of_every_kind())]
    image = make_build().digest.removeprefix("sha256:")[:12]
    assert told == [
        ("lock", "requests 2.32.0 -> 2.33.0, idna 3.11 new"),
        ("build", "amd64, arm64: 30 layers, 1.0 kB, 1.5 s"),
        ("test", "tests stack passed; 12 passed"),
        ("scan", "scan by trivy 0.59.1: clean; 3 low"),
        ("licences", "licences: allowed; 200 allowed"),
        ("rebuild", "rebuilt by second: the same digest"),
        ("push", "registry.example.org/team/airflow: core-20261130.01, 1.0 kB sent"),
        ("request", "asked for prod; CVE-2026-1"),
        ("approval", "approval for prod"),
        ("promotion", f"prod is now {image}"),
        ("deployment", "production: 3 pods of 1 image; 1 finding: unknown image"),
        ("removal", "1 image deleted from registry.example.org/team/airflow"),
        ("signature", "signed by 2c70e12b7a06"),
        ("attestation", "provenance verified, signed by ci"),
        ("night", "night 20261130.1: 1 unchanged"),
    ]


@pytest.mark.parametrize(
    ("event", "what", "good"),
    [
        (Tested(digest=DIGEST, name="smoke", passed=False, summary="2 failed"), "tests smoke FAILED; 2 failed", False),
        (Scanned(digest=DIGEST, result="findings", counts={"low": 0, "high": 1, "critical": 2}),
         "scan: findings; 2 critical, 1 high", False),
        (Scanned(digest=DIGEST, result="not scanned", summary="no database"), "scan: not scanned; no database", False),
        (Rebuilt(digest=DIGEST, same=False, by="x", difference="layer 3"), "rebuilt by x: DIFFERS; layer 3", False),
        (Approved(stack="core", channel="prod", digest=DIGEST, rules=RULES, withdrawn=True),
         "approval for prod withdrawn", False),
        (Promoted(stack="core", channel="prod", digest=DIGEST, before=digest_of("old"), rules=RULES, rollback=True,
                  database="needs backup", checks=(Check(rule="tests", met=False),)),
         f"prod rolled back to {DIGEST[7:19]} (was {digest_of('old')[7:19]}); database: needs backup; NOT MET: tests",
         None),
        (Seen(cluster="east", namespaces=("a", "b"), findings=(Finding(kind="x", severity="", where="", what=""),)),
         "east (a, b): 0 pods of 0 images; 1 finding: x", False),
        (Locked(stack="core", lock=DIGEST, base="trixie", base_lock=DIGEST, airflow="3.3.2"),
         "first lock, Airflow 3.3.2 on trixie", None),
        (Locked(stack="core", lock=DIGEST, base="trixie", base_lock=DIGEST, airflow="3.3.2", before=DIGEST),
         "nothing moved: rules or words of the lock", None),
        (Locked(stack="core", lock=DIGEST, base="trixie", base_lock=DIGEST, airflow="3.3.2", before=DIGEST,
                moves=tuple(Move(name=f"p{number}", before="1", after="2") for number in range(6)),
                base_moves=(Move(name="libc6", before="1"),)),
         "p0 1 -> 2, p1 1 -> 2, p2 1 -> 2, p3 1 -> 2, 2 more; trixie: libc6 gone", None),
    ],
)  # fmt: skip
def test_outcomes_and_moves_are_told(event: Event, what: str, *, good: bool | None) -> None:
    told = tell(make_entry(event))
    assert (told.what, told.good) == (what, good)


def test_what_others_wrote_stays_one_line_of_bounded_length() -> None:
    told = tell(make_entry(Tested(digest=DIGEST, name="a\nb", passed=True, summary="x\r\n" * 1000)))
    assert told.what.startswith("tests a b passed; x x x")
    assert len(told.what) == 400
    assert "\n" not in told.what


def test_kinds_of_newer_programs_and_damaged_entries_are_told_as_such() -> None:
    assert tell(raw_entry("eclipse", {"x": 1})).what == "of a kind that this program does not know"
    assert tell(raw_entry("test", {"digest": 1})).what.startswith("cannot be read: has not the shape of its kind")
