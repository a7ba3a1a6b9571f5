from __future__ import annotations

import pytest

from builder.registry.challenge import Challenge, parse_challenges


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("Basic", [("basic", {})]),
        ('Basic realm="a b", Bearer realm="https://t/x?a=b,c",service=s', [
            ("basic", {"realm": "a b"}), ("bearer", {"realm": "https://t/x?a=b,c", "service": "s"}),
        ]),
        ('bearer REALM = "a\\"b" , scope="x:pull y:push"', [("bearer", {"realm": 'a"b', "scope": "x:pull y:push"})]),
        ("Negotiate YWJj==, Basic", [("negotiate", {}), ("basic", {})]),
        ('Bearer realm="first",realm="second"', [("bearer", {"realm": "first"})]),
        ("", []),
        (", ,", []),
        ('Bearer realm="unfinished', [("bearer", {})]),
    ],
)  # fmt: skip
def test_challenges_are_read_by_the_grammar(header: str, expected: list[tuple[str, dict[str, str]]]) -> None:
    found = parse_challenges(header)
    assert found[: len(expected)] == tuple(Challenge(scheme=s, parameters=p) for s, p in expected)
    assert all("unfinished" not in value for challenge in found for value in challenge.parameters.values())
