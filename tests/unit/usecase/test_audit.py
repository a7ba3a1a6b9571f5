"""Audit exports of small ledgers: which folder has what, and what stands out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from builder.audit.model import Evidence, Period
from builder.errors import InvalidInputError
from builder.ledger.database import SqliteLedger
from builder.ledger.entry import Actor
from builder.ledger.events import Approved, Event, Locked, Promoted, Removed, Requested, Scanned, Seen, Tested
from builder.ledger.model import NewDocument, NewEntry
from builder.ledger.parts import Check, Finding, SeenImage
from builder.usecase.audit import AuditRequest, export_audit
from tests.support.channels import BOB, CAROL
from tests.support.ledgers import ALICE, Ticking, digest_of, make_build, make_ledger

START = 1_790_000_000
ONE, TWO = make_build("core", "one"), make_build("core", "two", lock="other")
RULES = digest_of("rules")
Told = tuple[Event, Actor]


def export(
    folder: Path, *told: Told | Event, begin: int = 0, documents: Sequence[bytes] = ()
) -> tuple[Evidence, dict[str, bytes]]:
    """Record events, a minute apart, and export all from an entry on; documents come with the last."""
    path, clock = folder / "ledger.db", Ticking(START)
    make_ledger(path, clock=clock)
    with SqliteLedger(path, clock, write=True) as ledger:
        for position, one in enumerate(told):
            event, actor = one if isinstance(one, tuple) else (one, ALICE)
            kept = [NewDocument(data=data) for data in documents] if position == len(told) - 1 else []
            ledger.append([NewEntry(event=event, documents=kept)], actor)
        files: dict[str, bytes] = {}
        period = Period(begin=START + 60 + 60 * begin, end=START + 10_000)
        return export_audit(ledger, AuditRequest(period=period), files.__setitem__), files


def promoted(digest: str = ONE.digest, channel: str = "prod", *checks: Check, **more: Any) -> Promoted:
    return Promoted(stack="core", channel=channel, digest=digest, rules=RULES, checks=checks, **more)


def remarks(evidence: Evidence) -> list[tuple[str, str]]:
    return [(one.kind, one.what) for one in evidence.remarks]


def numbers(evidence: Evidence, digest: str) -> list[int]:
    (change,) = (one for one in evidence.changes if one.digest == digest)
    return [line.number for line in change.lines]


def test_a_folder_has_the_entries_on_its_image_and_nothing_else(tmp_path: Path) -> None:
    signed = ONE.platforms[0].manifest
    evidence, files = export(
        tmp_path,
        Locked(stack="core", lock=ONE.lock, base="trixie", base_lock=ONE.base_lock, airflow="3.3.2"),
        ONE,
        TWO,
        Tested(digest=signed, name="platform", passed=True),
        Tested(digest=TWO.digest, name="stack", passed=True),
        Seen(cluster="c", images=(SeenImage(digest=ONE.digest, pods=1), SeenImage(digest=TWO.digest, pods=1))),
        Removed(repository="r", digests=(digest_of("long ago"),)),
    )
    assert numbers(evidence, ONE.digest) == [1, 2, 4, 6]
    assert numbers(evidence, TWO.digest) == [3, 5, 6]
    assert len(evidence.changes) == 2
    assert len(evidence.lines) == 8
    assert files[f"{evidence.changes[0].folder}/entries.jsonl"].count(b"\n") == len(evidence.changes[0].lines)


def test_what_a_move_leans_on_is_there_however_old(tmp_path: Path) -> None:
    scans = [Scanned(digest=ONE.digest, result="clean") for _ in range(4)]
    lean = Check(rule="scan", met=True, evidence=(3,))
    evidence, files = export(tmp_path, ONE, *scans, promoted(ONE.digest, "prod", lean), begin=6)
    # The build; the scan that the move leans on, and the last before the period; the move.
    assert numbers(evidence, ONE.digest) == [1, 3, 5, 6]
    proof = json.loads(files["ledger/proof.json"])
    assert (proof["first"], proof["end"], proof["size"]) == (6, 7, 7)
    assert list(proof["others"]) == ["1", "3", "5"]


def test_a_move_may_name_one_platform_and_lean_on_entries_that_never_were(tmp_path: Path) -> None:
    lies = Check(rule="scan", met=True, evidence=(1, 4711, -3))
    evidence, files = export(tmp_path, ONE, promoted(ONE.platforms[0].manifest, "prod", lies))
    assert numbers(evidence, ONE.digest) == [1, 2]
    assert [move.line.number for move in evidence.moves] == [2]
    assert files["moves.csv"].count(b"\n") == 2


def test_documents_that_nobody_kept_are_told_missing_and_not_made_up(tmp_path: Path) -> None:
    evidence, files = export(tmp_path, ONE, promoted(), documents=[b"{}"])
    (change,) = evidence.changes
    told = json.loads(files[f"{change.folder}/change.json"])
    assert [one["file"] for one in told["documents"]] == ["000002-promotion-documents-0.json"]
    assert {one["digest"] for one in told["missing"]} >= {ONE.lock, ONE.base_lock, ONE.digest, RULES}
    assert {one["why"] for one in told["missing"]} == {"not kept in the ledger"}
    assert told["answers"]["sbom"] == "not on record"
    assert told["answers"]["lock diff"] == "not on record"


def test_the_store_and_registries_are_believed_by_hash_alone(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    make_ledger(path, [NewEntry(event=ONE)])
    asked: list[str] = []

    def elsewhere(digest: str, line: object) -> tuple[bytes, str] | None:
        del line
        asked.append(digest)
        return b"another", "registry.example.org/a"

    files: dict[str, bytes] = {}
    with SqliteLedger(path, Ticking(), write=False) as ledger:
        request = AuditRequest(period=Period(begin=0, end=1 << 33), elsewhere=elsewhere)
        (change,) = export_audit(ledger, request, files.__setitem__).changes
    assert ONE.lock in asked
    assert change.documents == ()


def test_own_approvals_and_broken_rules_stand_out(tmp_path: Path) -> None:
    agreed = Approved(stack="core", channel="prod", digest=ONE.digest, rules=RULES)
    broken = (Check(rule="scan", met=False), Check(rule="approvals", met=True, evidence=(3,)))
    evidence, _ = export(
        tmp_path,
        ONE,
        (Requested(stack="core", channel="prod", digest=ONE.digest), ALICE),
        (agreed, ALICE),
        (promoted(ONE.digest, "prod", *broken), CAROL),
    )
    assert remarks(evidence) == [
        ("approved himself", "alice asked for it or made it, and his own approval counted"),
        ("around the rules", "rules that were not met: scan; NOT REVIEWED by the end of the period"),
    ]


def test_a_review_is_by_somebody_else_stands_and_is_of_this_move(tmp_path: Path) -> None:
    agreed = Approved(stack="core", channel="prod", digest=ONE.digest, rules=RULES)
    back = Approved(stack="core", channel="prod", digest=ONE.digest, rules=RULES, withdrawn=True)
    emergency = (promoted(reason="EMERGENCY"), ALICE)
    for number, (after, reviewed) in enumerate(
        (
            (((agreed, BOB),), True),
            (((agreed, ALICE),), False),
            (((agreed, BOB), (back, BOB)), False),
            (((promoted(TWO.digest), ALICE), (agreed, BOB)), True),
            (((promoted(), ALICE), (agreed, BOB)), False),
        )
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        evidence, _ = export(folder, ONE, TWO, emergency, *after)
        told = next(what for kind, what in remarks(evidence) if kind == "around the rules")
        assert ("reviewed by bob" in told) is reviewed, told


def test_what_runs_before_its_channel_stood_for_it_stands_out_once(tmp_path: Path) -> None:
    look = Seen(cluster="c", stack="core", channel="prod", images=(SeenImage(digest=ONE.digest, pods=1),))
    drift = Seen(cluster="d", findings=(Finding(kind="moved tag", severity="high", where="w", what="x"),))
    evidence, _ = export(tmp_path, ONE, look, look, promoted(), look, drift)
    assert remarks(evidence) == [
        ("runs, not released", "runs in c for core prod, which never stood for it until then"),
        ("drift", "d: 0 pods of 0 images; 1 finding: moved tag"),
    ]


def test_judgements_that_say_no_stand_out(tmp_path: Path) -> None:
    evidence, _ = export(
        tmp_path,
        ONE,
        Tested(digest=ONE.digest, name="x", passed=False),
        Scanned(digest=ONE.digest, result="not scanned"),
    )
    assert remarks(evidence) == [("negative result", "tests x FAILED"), ("negative result", "scan: not scanned")]


def test_a_period_that_ends_before_it_begins_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="ends before it begins"):
        export(tmp_path, ONE, begin=10_000)
