"""What `gc` keeps since it ran: what a file says, else what the ledger saw; and what the ledger's channels stand for, always."""

from __future__ import annotations

from pathlib import Path

import pytest

from builder.cli.gc_ran import digests_to_keep
from builder.cli.root import Context
from builder.digest import Digest
from builder.ledger.database import SqliteLedger
from builder.ledger.events import Seen
from builder.ledger.model import NewEntry
from builder.ledger.parts import SeenImage
from builder.wiring.ledgers import clock
from tests.support.ledgers import ALICE, digest_of
from tests.support.pods import NEW, make_channel


def digests(*names: str) -> set[Digest]:
    return {Digest.parse(name) for name in names}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project whose ledger saw an image long ago and one now."""
    (tmp_path / "stacks").mkdir()
    path = tmp_path / "ledger.db"
    make_channel(path)
    for name, days in (("old", 60), ("now", 0)):
        event = Seen(cluster="production", images=(SeenImage(digest=digest_of(name), pods=1),))
        with SqliteLedger(path, lambda days=days: clock() - days * 86_400, write=True) as ledger:  # type: ignore[misc]
            ledger.append([NewEntry(event=event)], ALICE)
    return tmp_path


def test_without_a_file_the_ledger_says_what_ran(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    context = Context(folder=project)
    assert digests_to_keep(context, None, 30) == digests(NEW.digest, digest_of("now"))
    assert digests_to_keep(context, None, 90) == digests(NEW.digest, digest_of("now"), digest_of("old"))
    assert capsys.readouterr().err.splitlines()[0] == "ledger.db: 1 images ran in the last 30 days"


def test_a_file_says_what_ran_and_channels_stay(project: Path) -> None:
    (project / "pods.json").write_text(f"imageID: x@{digest_of('told')}")
    with (project / "pods.json").open() as told:
        assert digests_to_keep(Context(folder=project), told, 30) == digests(NEW.digest, digest_of("told"))


def test_without_a_ledger_nothing_is_known_and_nothing_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert digests_to_keep(Context(folder=tmp_path), None, 30) == frozenset()
    assert capsys.readouterr().err == ""


def test_a_ledger_that_saw_nothing_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_channel(tmp_path / "ledger.db")
    assert digests_to_keep(Context(ledger=tmp_path / "ledger.db"), None, 30) == digests(NEW.digest)
    assert "nothing was seen running" in capsys.readouterr().err
