"""Run pip, uv and installer on the hostile corpus and write the table of docs/security.md: `make hostile`.

`--files FOLDER` writes the corpus itself instead: a folder for each threat, a file for each piece.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.hostile.corpus import MATERIALS
from tests.hostile.model import Material
from tests.hostile.peers import Ask, Peer, ask, find_peers

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "security.md"
BEGIN = "<!-- hostile corpus: begin -->"
END = "<!-- hostile corpus: end -->"
_ROW = re.compile(r"^\| ([A-C]\d) \| ([\w-]+) \| (.+?) \| (.+?) \|(.*)\|$", re.MULTILINE)
_CELL = re.compile(r"[|\\`]")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=Path, help="write the corpus into this folder, and ask nobody")
    options = parser.parse_args()
    if options.files is not None:
        for material in MATERIALS:
            write(material, options.files)
        return
    peers = find_peers()
    PAGE.write_text(replaced(PAGE.read_text(), "\n".join(rows(peers, verdicts(peers)))))


def write(material: Material, folder: Path) -> None:
    """Write a piece to a folder of its own, since many have one and the same name."""
    place = folder / material.threat / material.kind / re.sub(r"\W+", "-", material.name).strip("-")
    place.mkdir(parents=True, exist_ok=True)
    (place / material.called).write_bytes(material.make())


def verdicts(peers: Sequence[Peer], materials: Sequence[Material] = MATERIALS, asked: Ask = ask) -> list[list[str]]:
    """Ask peers, a few at a time; gives a list for each piece, in the order of the peers."""
    with ThreadPoolExecutor(max_workers=2) as pool:
        told = [[pool.submit(asked, peer, material) for peer in peers] for material in materials]
        return [[one.result() for one in line] for line in told]


def ours(material: Material) -> str:
    """Tell what becomes of a piece here; the corpus' own test shows that it does."""
    return f"refuses: {cell(material.refused)}" if material.refused else "leaves it out"


def rows(peers: Sequence[Peer], told: Sequence[Sequence[str]]) -> Iterator[str]:
    """Write the table, line by line."""
    names = [*(peer.version for peer in peers)]
    yield f"| | for | hostile | airflow-kubler | {' | '.join(names)} |"
    yield "|---" * (4 + len(names)) + "|"
    for material, line in zip(MATERIALS, told, strict=True):
        cells = [material.threat, material.kind, cell(material.name), ours(material), *line]
        yield f"| {' | '.join(cells)} |"


def read_rows(page: str) -> list[tuple[tuple[str, str, str, str], tuple[str, ...]]]:
    """Read the table back: threat, kind, name and what becomes of it here, then what each peer does."""
    table = page.partition(BEGIN)[2].partition(END)[0]
    return [
        ((row[1], row[2], row[3], row[4]), tuple(cell.strip() for cell in row[5].split("|")))
        for row in _ROW.finditer(table)
    ]


def replaced(page: str, table: str) -> str:
    """Put a table between the marks of a page."""
    return f"{page.partition(BEGIN)[0]}{BEGIN}\n{table}\n{END}{page.partition(END)[2]}"


def cell(text: str) -> str:
    """Keep marks of Markdown out of a cell."""
    return _CELL.sub(lambda mark: f"\\{mark[0]}", text)


if __name__ == "__main__":
    main()
