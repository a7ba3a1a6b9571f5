"""Stacks as an SVG: whole XML, the same bytes each time, whatever stands in names and texts."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from click.testing import CliRunner

from builder.cli.root import root
from builder.ledger.events import Promoted
from builder.ledger.model import NewEntry
from builder.project import create_files
from tests.golden.graph import PICTURE, draw
from tests.support.ledgers import digest_of, make_build, make_ledger

SVG = "{http://www.w3.org/2000/svg}"
BASE = 'description = "one"\n[python]\nversion = "3.13"\n[debian]\nrelease = "trixie"\nsuites = ["trixie"]\nroots = ["bash"]\n'
CORE = 'description = "<script>alert(1)</script> & more"\nowners = ["team:a"]\n[airflow]\nversion = "3.3.2"\n[base]\nname = "trixie"\n[plugins]\nrequirements=["a"]\n'
CHILD = 'description = "x"\nextends = "core"\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    texts = {
        "stacks/bases/trixie.toml": BASE,
        "stacks/core/stack.toml": CORE,
        f"stacks/{'long-' * 12}name/stack.toml": CHILD,
        "stacks/aws/stack.toml": CHILD,
    }
    create_files(tmp_path, {path: text.encode() for path, text in texts.items()})
    return tmp_path


def graph(folder: Path, form: str) -> str:
    result = CliRunner().invoke(root, ["--project", str(folder), "graph", "--format", form])
    assert result.exit_code == 0, result.output
    return result.output


def parse(svg: str) -> ET.Element:
    return ET.fromstring(svg)  # noqa: S314  of our own writing


def texts(svg: str) -> list[str]:
    return [element.text or "" for element in parse(svg).iter(f"{SVG}text")]


def record(folder: Path) -> None:
    one, two = make_build("core", "1", size_bytes=7_000_000), make_build("core", "2", size_bytes=8_000_000)
    rules = digest_of("rules")
    moves = [
        Promoted(stack="core", channel=channel, digest=digest, rules=rules)
        for channel, digest in (("prod", one.digest), ("dev", two.digest), ("lab", digest_of("unknown")))
    ]
    make_ledger(folder / "ledger.db", [NewEntry(event=event) for event in (one, two, *moves)])


def test_a_picture_is_whole_xml_that_loads_and_runs_nothing(folder: Path) -> None:
    hostile = Promoted(stack="core", channel="<a&\u202e\x07", digest=digest_of("x"), rules=digest_of("rules"))
    make_ledger(folder / "ledger.db", [NewEntry(event=make_build("core")), NewEntry(event=hostile)])
    svg = graph(folder, "svg")
    assert svg == graph(folder, "svg")
    tree = parse(svg)
    assert {element.tag.removeprefix(SVG) for element in tree.iter()} == {
        "svg", "title", "desc", "style", "rect", "text", "path", "g",
    }  # fmt: skip
    assert not [name for element in tree.iter() for name in element.attrib if name.startswith("on") or "href" in name]
    assert "<a&\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}" in texts(svg)
    assert tree.find(f"{SVG}title").text == "3 stacks on 1 base"  # type: ignore[union-attr]
    assert texts(svg)[:2] == ["3 stacks on 1 base", "trixie"]


def test_builds_and_channels_are_drawn_where_a_ledger_knows_them(folder: Path) -> None:
    record(folder)
    one, two = (make_build("core", name).digest[7:19] for name in ("1", "2"))
    told = texts(graph(folder, "svg"))
    assert "8.0 MB" in told
    assert f"Airflow 3.3.2, 1 requirement · {two} · 2026-09-21" in told
    assert f"lock {make_build().base_lock[7:19]}" in next(line for line in told if line.startswith("Debian"))
    places = [told.index(name) for name in ("dev", "lab", "prod")]
    assert [told[place + 1] for place in places] == [
        f"{two} · newest",
        f"{digest_of('unknown')[7:19]} · not built on record",
        f"{one} · 1 behind",
    ]


def test_text_and_dot_tell_builds_and_channels_too(folder: Path) -> None:
    record(folder)
    one, two = (make_build("core", name).digest[7:19] for name in ("1", "2"))
    lab = digest_of("unknown")[7:19]
    tree = graph(folder, "text").splitlines()
    assert tree[1] == f"└─ core  (Airflow 3.3.2, 1 requirement)  {two}  8.0 MB  dev, lab, prod {one}"
    assert tree[2] == "   ├─ aws  (adds 0 requirements)"
    dot = graph(folder, "dot").splitlines()
    assert f'  "core" [label="core\\n{two}\\n8.0 MB"];' in dot
    assert f'  "core@lab" [shape=cds, label="lab\\n{lab}"];' in dot
    assert '  "core" -> "core@prod" [style=dashed];' in dot


def test_no_text_reaches_over_its_box(folder: Path) -> None:
    record(folder)
    for group in parse(graph(folder, "svg")).iter(f"{SVG}g"):
        box = next(one for one in group.iter(f"{SVG}rect"))
        right = int(box.attrib["x"]) + int(box.attrib["width"])
        for line in group.iter(f"{SVG}text"):
            size = 14 if line.attrib.get("class") == "name" else 11
            if line.attrib.get("text-anchor") != "end":
                assert int(line.attrib["x"]) + len(line.text or "") * size * 0.61 <= right


def test_the_picture_in_docs_is_the_one_that_the_command_draws() -> None:
    assert PICTURE.read_bytes() == draw(), "write it again with: make golden"
