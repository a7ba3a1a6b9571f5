"""Four eyes over a ledger's service: who somebody is, his token says, whatever the machine that he works on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from builder.errors import PromotionError
from builder.ledger.model import NewEntry
from builder.service.ledger import RemoteLedger
from builder.usecase.approve import ApproveRequest, approve
from builder.usecase.promote import PromoteRequest, promote
from builder.web.tokens import RIGHTS, Client, Tokens, hash_token
from tests.support.channels import START, channels, person
from tests.support.ledgers import make_build, make_ledger
from tests.support.service import open_app

RULES = channels('[[channels]]\nname = "prod"\napprovals = 1\napprovers = ["token:boss", "token:carol"]\n')
HERE = person("root")
"""Whom the machine that all of them work on knows."""
PEOPLE = ("boss", "carol", "dave")
TOKENS = Tokens({hash_token(f"{name}-1"): Client(name=name, may=frozenset(RIGHTS)) for name in PEOPLE})


@pytest.fixture
def ledgers(tmp_path: Path) -> Iterator[dict[str, RemoteLedger]]:
    make_ledger(tmp_path / "ledger.db", [NewEntry(event=make_build())])
    with ExitStack() as later:
        yield {
            name: RemoteLedger(
                later.enter_context(open_app(tmp_path / "ledger.db", tmp_path / "nights", f"{name}-1", TOKENS))
            )
            for name in PEOPLE
        }


def agree(ledger: RemoteLedger) -> int:
    request = ApproveRequest(stack="core", rules=RULES.rules_for("core", "prod"), target=make_build().digest)
    found = approve(ledger, request, ledger.author(HERE), lambda: START)
    return len(found.approvals.counting)


def move(ledger: RemoteLedger) -> str:
    request = PromoteRequest(stack="core", rules=RULES.rules_for("core", "prod"))
    return promote(ledger, request, ledger.author(HERE), lambda: START).outcome


def test_who_approved_cannot_move_it_alone(ledgers: dict[str, RemoteLedger]) -> None:
    assert agree(ledgers["boss"]) == 1
    assert agree(ledgers["boss"]) == 1
    assert move(ledgers["boss"]) != "promoted"
    assert move(ledgers["dave"]) == "promoted"


def test_approvers_are_named_by_their_tokens(ledgers: dict[str, RemoteLedger]) -> None:
    with pytest.raises(PromotionError, match="dave is no approver"):
        agree(ledgers["dave"])
    assert agree(ledgers["carol"]) == 1
