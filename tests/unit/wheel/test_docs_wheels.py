from __future__ import annotations

import re
from pathlib import Path

from tests.support.hostile_wheels import HOSTILE

PAGE = Path(__file__).resolve().parents[3] / "docs" / "wheels.md"


def test_the_pages_table_lists_every_hostile_wheel_with_its_refusal() -> None:
    rows = re.findall(r"^\| (A\d) \| (.+?) \| `(.+?)` \| \S+ \| \S+ \|$", PAGE.read_text(), re.MULTILINE)

    assert rows == [(hostile.threat, hostile.name, str(hostile.kind)) for hostile in HOSTILE]


def test_the_pages_files_exist() -> None:
    root = PAGE.parents[1]
    named = re.findall(r"`((?:builder|tests|bench)/[\w/]+\.py)`", PAGE.read_text())

    assert named
    assert [path for path in named if not (root / path).is_file()] == []
