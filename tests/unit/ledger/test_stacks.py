"""Whose image something happened to is filled in when it is appended, so that one question finds it."""

from __future__ import annotations

from pathlib import Path

from builder.ledger.check import check_ledger
from builder.ledger.database import SqliteLedger
from builder.ledger.events import Event, Pushed, Rebuilt, Removed, Scanned, Seen, Tested
from builder.ledger.model import NewEntry
from builder.ledger.parts import SeenImage, TagMove
from tests.support.ledgers import Ticking, digest_of, make_build, make_ledger

REPOSITORY = "registry.example.org/team/airflow"


def test_what_happens_to_a_known_image_is_found_by_its_stack(tmp_path: Path) -> None:
    core, aws = make_build("core"), make_build("aws")
    events: tuple[Event, ...] = (
        core,
        aws,
        Tested(digest=core.digest, name="stack", passed=True),
        Scanned(digest=core.platforms[0].manifest, result="clean"),
        Rebuilt(digest=aws.digest, same=True, by="x"),
        Pushed(digest=core.digest, repository=REPOSITORY),
        Seen(cluster="east", images=tuple(SeenImage(digest=one.digest, pods=1) for one in (core, aws))),
        Removed(repository=REPOSITORY, digests=(aws.digest, digest_of("unknown"))),
        Tested(digest=digest_of("unknown"), name="stack", passed=True),
        Tested(digest=core.digest, name="stack", passed=True, stack="said"),
    )
    path = tmp_path / "ledger.db"
    make_ledger(path, [NewEntry(event=event) for event in events])
    with SqliteLedger(path, Ticking(), write=False) as ledger:
        assert [entry.number for entry in ledger.find("stack", "core")] == [7, 6, 4, 3, 1]
        assert [entry.number for entry in ledger.find("stack", "aws")] == [8, 7, 5, 2]
        assert [entry.number for entry in ledger.find("stack", "said")] == [10]
        assert ledger.find("kind", "test")[1].data == {"digest": digest_of("unknown"), "name": "stack", "passed": True}
        assert ledger.find("kind", "deployment")[0].data["stacks"] == ["aws", "core"]
    assert check_ledger(path).problems == ()


def test_a_push_is_found_by_tag_and_repository(tmp_path: Path) -> None:
    push = Pushed(digest=digest_of("x"), repository=REPOSITORY, tags=(TagMove(tag="dev"), TagMove(tag="core-1")))
    path = tmp_path / "ledger.db"
    make_ledger(path, [NewEntry(event=push)])
    with SqliteLedger(path, Ticking(), write=False) as ledger:
        assert ledger.values("tag") == (f"core-1 {REPOSITORY}", f"dev {REPOSITORY}")
        assert [entry.number for entry in ledger.find("tag", f"dev {REPOSITORY}")] == [1]
