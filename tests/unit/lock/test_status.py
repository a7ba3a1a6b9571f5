from __future__ import annotations

import pytest

from builder.digest import Digest
from builder.lock.status import candidate_status, count_statuses
from tests.support.stack_locks import make_candidate, make_lock


@pytest.mark.parametrize(
    ("version", "tested", "expected"),
    [
        ("1.0", None, "outside"),
        ("1.0", "1.0", "constrained"),
        ("1.0", "1.0.0", "constrained"),
        ("1.1", "1.0", "diverged"),
        ("1.0+cpu", "1.0", "constrained"),
        ("1.0+cpu", "1.0+cuda", "diverged"),
        ("1.0", "what", "diverged"),
    ],
)
def test_a_candidate_stands_where_its_tested_version_says(version: str, tested: str | None, expected: str) -> None:
    assert candidate_status(make_candidate("alpha", version, tested=tested)) == expected


def test_candidates_are_counted_where_there_are_constraints() -> None:
    candidates = (
        make_candidate("alpha", tested="1.0"),
        make_candidate("beta", tested="2.0"),
        make_candidate("gamma"),
        make_candidate("delta"),
    )
    counts = count_statuses(make_lock(*candidates, constraints=Digest.of(b"c")))
    assert str(counts) == "1 as tested, 1 diverged, 2 outside the tested set"
    assert count_statuses(make_lock(*candidates)) is None
