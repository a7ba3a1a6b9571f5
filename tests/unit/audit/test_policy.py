"""Rules over time: which asked for less than those before."""

from __future__ import annotations

import json
from typing import Any

import pytest

from builder.audit.policy import fallen
from builder.canonical import dump_json
from builder.digest import Digest
from builder.policy.rules import ChannelRules, Person, dump_rules

FULL = ChannelRules(
    channel="prod",
    after="staging",
    after_for_s=3600,
    tests=("stack", "smoke"),
    scan="clean",
    scan_age_s=86_400,
    rebuilds=2,
    approvals=2,
    approvers=(Person(method="local", name="bob"),),
    fresh_s=86_400,
    rollback=("scan",),
)


def told(before: bytes, after: bytes) -> tuple[str, ...]:
    kept = {Digest.of(data): data for data in (before, after)}
    return fallen(str(Digest.of(before)), str(Digest.of(after)), kept.get)


def change(**values: Any) -> bytes:
    return dump_json(json.loads(dump_rules(FULL)) | values)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"approvals": 0}, ("approvals: 2 -> 0",)),
        ({"approvals": 1}, ("approvals: 2 -> 1",)),
        ({"approvals": 3}, ()),
        ({"scan": None}, ('scan: "clean" -> none',)),
        ({"tests": ["stack"]}, ('tests: ["stack", "smoke"] -> ["stack"]',)),
        ({"tests": False}, ('tests: ["stack", "smoke"] -> false',)),
        ({"tests": ["stack", "smoke", "more"]}, ()),
        ({"scan_age_s": 172_800}, ("scan_age_s: 86400 -> 172800",)),
        ({"scan_age_s": 0}, ("scan_age_s: 86400 -> 0",)),
        ({"scan_age_s": 3600}, ()),
        ({"after_for_s": 60}, ("after_for_s: 3600 -> 60",)),
        ({"after_for_s": 7200}, ()),
        ({"rollback": []}, ('rollback: ["scan"] -> none',)),
        ({"approvers": []}, ('approvers: ["bob"] -> none',)),
        ({"approvers": ["bob", "carol"]}, ()),
        ({"gate": [{"severity": "high"}]}, ()),
    ],
)
def test_what_rules_no_longer_ask_for_is_told(values: dict[str, Any], expected: tuple[str, ...]) -> None:
    assert told(dump_rules(FULL), change(**values)) == expected


def test_rules_that_are_not_kept_are_compared_with_none() -> None:
    assert fallen("", str(FULL.digest), lambda _: dump_rules(FULL)) == ()
    assert fallen("no digest", str(FULL.digest), lambda _: dump_rules(FULL)) == ()
    assert told(b"no JSON", dump_rules(FULL)) == ()
    assert told(dump_rules(FULL), dump_rules(FULL)) == ()
