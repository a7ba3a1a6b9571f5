from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).resolve().parents[3] / "docs" / "wheels.md"


def test_the_pages_files_exist() -> None:
    root = PAGE.parents[1]
    named = re.findall(r"`((?:builder|tests|bench)/[\w/]+\.py)`", PAGE.read_text())

    assert named
    assert [path for path in named if not (root / path).is_file()] == []
