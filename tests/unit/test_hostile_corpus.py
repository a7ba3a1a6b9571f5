"""The hostile corpus: nothing of it is accepted, errors name the file and the entry, and the table of docs/security.md is current."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from builder.errors import BuilderError
from tests.hostile.corpus import MATERIALS
from tests.hostile.model import Material
from tests.hostile.readers import INDEX_URL, READERS
from tests.hostile.stores import FILE
from tests.hostile.table import PAGE, ours, read_rows, write

ROOT = Path(__file__).resolve().parents[2]
OTHERS = tuple(material for material in MATERIALS if material.kind != "wheel")
"""Wheels have a test of their own, which says more: wheel/test_hostile_wheels.py."""
THREATS = (*(f"A{number}" for number in range(1, 8)), *(f"B{number}" for number in range(1, 7)), "C1", "C2")
NAMED = {
    "page": INDEX_URL,
    "store": FILE.name,
    "exchanged-store": FILE.name,
    "wheels": "-1.0-py3-none-any.whl",
    # The layout's reader names the file within; of an entry and a document of a ledger `ledger verify` says the number.
    "layout": "",
    "ledger-entry": "",
    "ledger-document": "",
}
"""What an error names in place of the file's name."""


@pytest.mark.parametrize("material", OTHERS, ids=lambda one: f"{one.threat} {one.kind} {one.name}")
def test_hostile_material_is_refused_by_file_and_entry_or_left_out(material: Material) -> None:
    data = material.make()
    if not material.refused:
        assert "evil" not in repr(READERS[material.kind](data, material.called))
        return
    with pytest.raises(BuilderError) as refused:
        READERS[material.kind](data, material.called)
    assert material.refused in str(refused.value)
    assert NAMED.get(material.kind, material.called) in str(refused.value)


def test_every_threat_has_material_and_every_piece_a_file_of_its_own(tmp_path: Path) -> None:
    assert {material.threat for material in MATERIALS} == set(THREATS)
    small = [material for material in MATERIALS if material.threat != "A4"]
    for material in small:
        write(material, tmp_path)
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == len(small)
    names = Counter((material.threat, material.kind, re.sub(r"\W+", "-", material.name)) for material in MATERIALS)
    assert max(names.values()) == 1


@pytest.mark.slow
def test_bombs_are_refused_within_a_gigabyte_of_memory_and_a_minute() -> None:
    argv = [sys.executable, "-m", "tests.hostile.bombs"]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr


def test_the_table_says_of_every_piece_what_becomes_of_it_here() -> None:
    listed = [row for row, _ in read_rows(PAGE.read_text())]
    assert listed == [(one.threat, one.kind, one.name, ours(one)) for one in MATERIALS], "run `make hostile`"


def test_the_table_is_of_the_peers_that_are_pinned() -> None:
    head = re.search(r"^\| \| for \| hostile \| airflow-kubler \| (.+) \|$", PAGE.read_text(), re.MULTILINE)
    assert head is not None
    pins = "".join((ROOT / "requirements" / name).read_text() for name in ("dev.txt", "tools.txt"))
    pinned = {f"{name} {version}" for name, version in re.findall(r"^([\w-]+)==(\S+)", pins, re.MULTILINE)}
    assert set(head[1].split(" | ")) <= pinned, "run `make hostile`"
