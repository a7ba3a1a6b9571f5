"""docs/security.md: each promise names tests, and they are there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/security.md").read_text()
PROMISES = PAGE.partition("## What is promised")[2].partition("## What is not promised")[0]
DEFINED = {
    name
    for path in (ROOT / "tests").rglob("test_*.py")
    for name in re.findall(r"^def (test_\w+)", path.read_text(), re.MULTILINE)
}


def test_every_promise_names_a_test_and_each_is_there() -> None:
    rows = [row for row in PROMISES.splitlines() if row.startswith("|")][2:]
    assert rows
    assert [row for row in rows if not re.search(r"`test_\w+`", row.rpartition("| ")[2])] == []
    assert sorted(set(re.findall(r"`(test_\w+)`", PAGE)) - DEFINED) == []


def test_every_threat_of_intake_has_a_promise() -> None:
    named = " ".join(row.split("|")[1] for row in PROMISES.splitlines() if row.startswith("|"))
    assert "A1 to A7" in named
    assert {"B1", "B2", "B3", "B4", "B5", "B6", "C1", "C2"} <= set(named.split())


def test_files_that_the_page_names_exist() -> None:
    named = re.findall(r"`((?:builder|tests|docs)/[\w/]+\.py)`|\]\(([\w/]+\.md)", PAGE)
    missing = [one for code, page in named if (one := code or f"docs/{page}") and not (ROOT / one).is_file()]
    assert missing == []
