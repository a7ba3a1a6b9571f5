"""Audit exports that somebody changed: whatever it is, it is found and named; what is made up as a whole needs the ledger's key."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builder.audit.joined import join_verifier
from builder.audit.model import Evidence, Period
from builder.ledger.merkle import leaf_hash
from builder.ledger.note import Checkpoint, parse_checkpoint, sign
from tests.support.audited_month import BEGIN, write_month
from tests.support.audits import FORGER, export_month, flip, problems_of, run_verifier, seal
from tests.support.channels import DAY
from tests.support.shared import SharedFolder

pytestmark = pytest.mark.slow
Change = Callable[[Path], object]


@pytest.fixture(scope="module")
def month(shared: SharedFolder) -> Path:
    """A folder with the ledger of twelve stacks' month."""
    return shared.get("audited-month", write_month)


@pytest.fixture(scope="module")
def exported(month: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Evidence]:
    folder = tmp_path_factory.mktemp("audit") / "export"
    return folder, export_month(month, folder)


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program as it came to the auditor by another way."""
    path = tmp_path_factory.mktemp("auditor") / "verify.py"
    path.write_bytes(join_verifier())
    return path


@pytest.fixture
def copy(exported: tuple[Path, Evidence], tmp_path: Path) -> Path:
    """A copy of the export that may be changed."""
    shutil.copytree(exported[0], tmp_path / "copy")
    return tmp_path / "copy"


def test_a_flipped_byte_in_each_file_is_found_and_each_file_is_named(copy: Path, program: Path) -> None:
    files = sorted(path.relative_to(copy).as_posix() for path in copy.rglob("*") if path.is_file())
    for number, file in enumerate(files):
        if file != "MANIFEST.sha256":
            flip(copy / file, number * 7919, number % 8)
    status, told = run_verifier(program, copy)
    assert status == 1
    for file in files:
        assert f"FAILED: {file}: " in told or file == "MANIFEST.sha256", file
    assert len(files) > 350


@settings(max_examples=60)
@given(data=st.data())
def test_no_byte_can_be_another(data: st.DataObject, exported: tuple[Path, Evidence]) -> None:
    folder = exported[0]
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    # As often of the few that all lean on as of the many.
    core = [path for path in files if path.parent.name == "ledger" or path.name.startswith("MANIFEST")]
    path = data.draw(st.sampled_from(core) | st.sampled_from(files))
    place, bit = data.draw(st.integers(0, path.stat().st_size - 1)), data.draw(st.integers(0, 7))
    before = path.read_bytes()
    flip(path, place, bit)
    try:
        found = problems_of(folder)
        name = path.relative_to(folder).as_posix()
        assert any(problem.startswith(f"{name}: ") or name in problem for problem in found), (name, place, bit, found)
    finally:
        path.write_bytes(before)


@pytest.mark.parametrize("name", ["MANIFEST.sha256", "MANIFEST.note", "ledger/checkpoint.txt", "ledger/proof.json"])
def test_each_place_of_what_all_leans_on_is_looked_at(exported: tuple[Path, Evidence], name: str) -> None:
    path = exported[0] / name
    before = path.read_bytes()
    try:
        for place in range(0, len(before), max(1, len(before) // 10)):
            flip(path, place)
            assert any(name in problem for problem in problems_of(exported[0])), place
            path.write_bytes(before)
    finally:
        path.write_bytes(before)


def two_folders(folder: Path) -> tuple[Path, Path]:
    one, two, *_ = sorted((folder / "changes").iterdir())
    return one, two


def swap_folders(folder: Path) -> None:
    one, two = two_folders(folder)
    one.rename(folder / "x")
    two.rename(one)
    (folder / "x").rename(two)


def swap_documents(folder: Path) -> None:
    one, two = (next(one.glob("*-lock-lock.toml")) for one in two_folders(folder))
    first, second = one.read_bytes(), two.read_bytes()
    one.write_bytes(second)
    two.write_bytes(first)


def edit_lines(name: str, edit: Callable[[list[bytes]], list[bytes]]) -> Change:
    def change(folder: Path) -> None:
        path = folder / name
        path.write_bytes(b"".join(edit(path.read_bytes().splitlines(keepends=True))))

    return change


def drop_folder(folder: Path) -> None:
    shutil.rmtree(two_folders(folder)[0])


def call_missing(folder: Path) -> None:
    """Take a document away, and say that nobody has it."""
    path = next(folder.glob("changes/risk-*/*-scan-report.json"))
    record = path.with_name("change.json")
    change = json.loads(record.read_text())
    (gone,) = (one for one in change["documents"] if one["file"] == path.name)
    change["documents"].remove(gone)
    change["missing"].append({"digest": gone["digest"], "named": gone["named"], "why": "not kept in the ledger"})
    record.write_text(json.dumps(change))
    path.unlink()


def forget_look(folder: Path) -> None:
    """Leave an entry out of a folder."""
    path = next(folder.glob("unknown/*/entries.jsonl"))
    path.write_bytes(b"")


def add_file(folder: Path) -> None:
    (two_folders(folder)[0] / "note.txt").write_text("all is well")


def change_rules(folder: Path) -> None:
    path = min((folder / "policy").glob("*.json"))
    path.write_bytes(path.read_bytes() + b" ")


def rewrite_entry(lines: list[bytes]) -> list[bytes]:
    """Say that somebody else approved, and chain all that follows anew."""
    done: list[bytes] = []
    for line in lines:
        value = json.loads(line)
        if done:
            value["previous"] = f"sha256:{leaf_hash(done[-1].rstrip()).hex()}"
        if value["kind"] == "approval":
            value["actor"]["name"] = "dave"
        done.append(json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode() + b"\n")
    return done


FORGERIES: dict[str, tuple[Change, str]] = {
    "folders swapped": (swap_folders, "change.json: is of another folder"),
    "documents swapped": (swap_documents, "-lock-lock.toml: does not hash to what the ledger says"),
    "a folder gone": (drop_folder, "population.csv: entry "),
    "a document called missing": (call_missing, "is named by its entries, and lacks"),
    "a folder's entry gone": (forget_look, "population.csv: entry 317 lacks its folder"),
    "a file added": (add_file, "note.txt: is none of its folder's files"),
    "rules changed": (change_rules, "does not hash to its name"),
    "the last entry cut off": (edit_lines("ledger/entries.jsonl", lambda lines: lines[:-1]), "ends before entry 324"),
    "the first entry cut off": (edit_lines("ledger/entries.jsonl", lambda lines: lines[1:]), "entry 159 is expected"),
    "an entry left out": (
        edit_lines("ledger/entries.jsonl", lambda lines: lines[:9] + lines[10:]),
        "entry 168 is expected",
    ),
    "entries in another order": (
        edit_lines("ledger/entries.jsonl", lambda lines: [lines[1], lines[0], *lines[2:]]),
        "entry 159 is expected, and entry 160 is there",
    ),
    "an entry rewritten": (
        edit_lines("ledger/entries.jsonl", rewrite_entry),
        "has not the root of ledger/checkpoint.txt",
    ),
    "an earlier entry rewritten": (
        edit_lines("ledger/others.jsonl", lambda lines: [lines[0].replace(b"nightly", b"somebody"), *lines[1:]]),
        "is not proved to be in the ledger",
    ),
    "an entry added": (edit_lines("ledger/entries.jsonl", lambda lines: [*lines, lines[-1]]), "entry 325 is expected"),
    "a row of the population gone": (
        edit_lines("population.csv", lambda lines: lines[:-1]),
        "population.csv: is not what",
    ),
    "a move gone from the list": (edit_lines("moves.csv", lambda lines: lines[:-1]), "moves.csv: does not list"),
    "rules' history gone": (
        edit_lines("policy/history.csv", lambda lines: lines[:1]),
        "policy/history.csv: lacks the rules",
    ),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forgery_is_found_though_the_manifest_is_made_again_and_nobody_signs(name: str, copy: Path) -> None:
    forge, expected = FORGERIES[name]
    forge(copy)
    seal(copy)
    found = problems_of(copy, keys=False)
    assert any(expected in problem for problem in found), found
    # With the key it is known at once that he who made the manifest has it not.
    assert "MANIFEST.note: is missing: nobody has signed the export" in problems_of(copy)


def test_what_the_population_lost_at_its_end_is_found_though_all_proofs_are_right(month: Path, tmp_path: Path) -> None:
    """Whoever has the ledger can prove a shorter span: the neighbours' dates say that it is not all."""
    export_month(month, tmp_path / "short", period=Period(begin=BEGIN, end=BEGIN + 20 * DAY))
    proof = json.loads((tmp_path / "short/ledger/proof.json").read_text())
    proof["to"] = "2026-12-01T00:00:00Z"
    (tmp_path / "short/ledger/proof.json").write_text(json.dumps(proof))
    seal(tmp_path / "short")
    found = problems_of(tmp_path / "short", keys=False)
    assert found == [f"ledger/others.jsonl: entry {proof['end']} may be of the period, and is not in the population"]


def test_a_removed_and_an_added_file_are_named(copy: Path) -> None:
    (copy / "index.html").unlink()
    (copy / "changes/extra.txt").write_text("x")
    (copy / "link").symlink_to("README.txt")
    found = problems_of(copy)
    assert "index.html: is missing; MANIFEST.sha256 lists it" in found
    assert "changes/extra.txt: is not listed in MANIFEST.sha256" in found
    assert "link: is no plain file" in found


def test_what_a_terminal_would_obey_is_written_out(copy: Path, program: Path) -> None:
    (copy / "a\x1b[2Jb\u202e\n").write_text("x")
    told = run_verifier(program, copy)[1]
    assert "FAILED: a\\x1b[2Jb\\x202e\\x0a: is not listed in MANIFEST.sha256" in told


def test_a_forged_checkpoint_is_refused(copy: Path, program: Path) -> None:
    point, _ = parse_checkpoint((copy / "ledger/checkpoint.txt").read_bytes(), file="head")
    for number, forged in enumerate(
        (
            sign(point, FORGER),
            sign(Checkpoint(origin=point.origin, size=point.size, root=bytes(32)), FORGER),
            point.text.encode(),
        )
    ):
        (copy / "ledger/checkpoint.txt").write_bytes(forged)
        seal(copy, FORGER)
        status, told = run_verifier(program, copy)
        assert status == 1, number
        assert "FAILED: ledger/checkpoint.txt: is signed by none of the keys given" in told
        assert "FAILED: MANIFEST.note: is signed by none of the keys given" in told
