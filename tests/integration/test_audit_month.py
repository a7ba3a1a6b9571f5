"""An audit export of a scripted month: what is in it, and that it verifies as an auditor does it, in a bare Python."""

from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from builder.audit.joined import join_verifier
from builder.audit.model import Evidence, Period
from builder.errors import InvalidInputError, LedgerError
from builder.ledger.database import SqliteLedger
from builder.ledger.note import Checkpoint, parse_checkpoint, sign
from builder.usecase.audit import AuditRequest
from builder.wiring.auditing import write_export
from tests.support.audited_month import BEGIN, END, KEY, MONTH, STACKS, UNKNOWN, write_month
from tests.support.audits import FORGER, export_month, problems_of, run_verifier
from tests.support.channels import DAY
from tests.support.cosign import Cosign
from tests.support.shared import SharedFolder
from tests.support.signing import make_key

pytestmark = pytest.mark.slow


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


def test_the_month_verifies_in_a_bare_python(exported: tuple[Path, Evidence], program: Path, month: Path) -> None:
    folder, evidence = exported
    status, told = run_verifier(program, folder, "--key", str(KEY.verifying), "--head", month / "december.txt")
    assert status == 0, told
    assert "the export holds" in told
    assert "NOTE" not in told
    assert "they are all that is dated from 2026-11-01T00:00:00Z to 2026-12-01T00:00:00Z" in told
    assert f"{len(evidence.lines)} entries follow each other without gaps" in told
    # By its own copy too, and by sha256sum.
    assert run_verifier(folder / "verify.py", folder)[0] == 0
    subprocess.run(["sha256sum", "--quiet", "--strict", "-c", "MANIFEST.sha256"], cwd=folder, check=True)


def test_nothing_that_happened_in_the_month_is_left_out(exported: tuple[Path, Evidence], month: Path) -> None:
    folder, evidence = exported
    with SqliteLedger(month / "ledger.db", lambda: 0, write=False) as ledger:
        dated = [entry.number for entry in ledger.entries() if BEGIN <= entry.time < END]
    rows = read_rows(folder / "population.csv")
    assert [int(row["number"]) for row in rows] == dated == list(range(dated[0], dated[-1] + 1))
    assert {row["stack"] for row in rows} >= set(STACKS)
    assert all(row["folders"] for row in rows)
    moves = read_rows(folder / "moves.csv")
    assert sorted(int(row["draw"]) for row in moves) == list(range(1, len(evidence.moves) + 1))


def test_what_stands_out_is_said(exported: tuple[Path, Evidence]) -> None:
    folder, evidence = exported
    told = [(one.kind, one.folder.partition("-")[0], one.what) for one in evidence.remarks]
    by_kind = {kind: (where, what) for kind, where, what in told if kind != "around the rules"}
    emergency, back = (one[1:] for one in told if one[0] == "around the rules")
    assert emergency[0] == "changes/finance"
    assert emergency[1].startswith(
        "rules asked for less than before: approvals: 1 -> 0; called an emergency by who made it"
    )
    assert "reviewed by bob, 9.0 h afterwards" in emergency[1]
    assert back == (
        "changes/sales",
        "rolled back without: after, scan, approvals; NOT REVIEWED by the end of the period",
    )
    assert by_kind["asked for, not done"] == (
        "changes/marketing",
        (
            "asked for prod, and not moved by the end of the period; bob took his approval back: it breaks the nightly report; "
            "nobody agrees"
        ),
    )
    assert by_kind["waived"][0] == "changes/risk"
    assert by_kind["runs, not released"][0] == "unknown/image"
    assert set(by_kind) == {"asked for, not done", "waived", "runs, not released", "drift", "clock went back"}
    rules = read_rows(folder / "policy/history.csv")
    changed = [row["changed"] for row in rows_of(rules, "finance prod")]
    assert changed == ["", "approvals: 1 -> 0", "approvals: 0 -> 1"]


def read_rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text())))


def rows_of(rows: list[dict[str, str]], whom: str) -> list[dict[str, str]]:
    return [row for row in rows if row["for"] == whom]


def test_each_folder_answers_what_is_asked_of_a_change(exported: tuple[Path, Evidence]) -> None:
    folder, evidence = exported
    released = next(move.folder for move in evidence.moves if (move.stack, move.channel) == ("risk", "prod"))
    change = json.loads((folder / released / "change.json").read_text())
    silent = {name for name, answer in change["answers"].items() if answer == "not on record"}
    assert silent == set()
    assert {path.name.partition("-")[2] for path in (folder / released).iterdir()} >= {
        *("lock-lock.toml", "lock-base-lock.toml", "build-index.json", "build-manifest-linux-amd64.json"),
        *("provenance-statement.json", "provenance-bundle.json", "sbom-cyclonedx-statement.json", "scan-report.json"),
        *("promotion-rules.json", "signature-bundle.json"),
    }
    diff = json.loads((folder / released / "lock-diff.json").read_text())
    (moved,) = diff["distributions"]
    assert (moved["project"], moved["kind"]) == ("alpha", "up")
    assert moved["files_before"].keys() != moved["files_after"].keys()
    unknown = json.loads(next((folder / "unknown").glob("*/change.json")).read_text())
    assert unknown["digest"] == UNKNOWN
    assert {name for name, answer in unknown["answers"].items() if answer != "not on record"} == {"deployments"}


def test_the_same_ledger_and_period_give_the_same_bytes(
    exported: tuple[Path, Evidence], month: Path, tmp_path: Path
) -> None:
    export_month(month, tmp_path / "again")
    done = subprocess.run(["diff", "-r", exported[0], tmp_path / "again"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_another_key_does_not_verify(exported: tuple[Path, Evidence], program: Path, tmp_path: Path) -> None:
    status, told = run_verifier(program, exported[0], "--key", str(FORGER.verifying))
    assert status == 1
    assert "MANIFEST.note: is signed by none of the keys given" in told
    (tmp_path / "key").write_text(f"{KEY.verifying}\n")
    assert run_verifier(program, exported[0], "--key", tmp_path / "key")[0] == 0


def test_a_head_that_the_auditor_kept_holds_the_ledger_to_it(
    exported: tuple[Path, Evidence], program: Path, month: Path, tmp_path: Path
) -> None:
    key = ("--key", str(KEY.verifying))
    for name in ("october.txt", "mid.txt", "december.txt"):
        assert run_verifier(program, exported[0], *key, "--head", month / name)[0] == 0
    point, _ = parse_checkpoint((month / "mid.txt").read_bytes(), file="head")
    other = tmp_path / "other.txt"
    other.write_text(Checkpoint(origin=point.origin, size=point.size, root=bytes(32)).text)
    assert f"{other}: is of another ledger" in run_verifier(program, exported[0], *key, "--head", other)[1]
    other.write_text(Checkpoint(origin=point.origin, size=40, root=bytes(32)).text)
    assert "is not proved here" in run_verifier(program, exported[0], *key, "--head", other)[1]
    request = AuditRequest(
        period=MONTH, heads=[("forged", sign(Checkpoint(origin=KEY.name, size=9, root=bytes(32)), KEY))]
    )
    with (
        SqliteLedger(month / "ledger.db", lambda: 0, write=False) as ledger,
        pytest.raises(LedgerError, match="forged: is no head of this ledger"),
    ):
        write_export(ledger, request, tmp_path / "none")
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("begin", "end"),
    [
        (0, BEGIN - 300 * DAY),
        (0, END + 90 * DAY),
        (END + 40 * DAY, END + 90 * DAY),
        (BEGIN + 15 * DAY, BEGIN + 19 * DAY),
    ],
    ids=["before all", "all", "after all", "a quiet week"],
)
def test_any_period_verifies(month: Path, tmp_path: Path, begin: int, end: int) -> None:
    evidence = export_month(month, tmp_path / "export", period=Period(begin=begin, end=end))
    assert problems_of(tmp_path / "export") == []
    assert len(evidence.lines) in {0, evidence.head.size}


def test_a_ledger_that_ended_within_the_period_is_told(month: Path, tmp_path: Path, program: Path) -> None:
    """An old head, rightly signed, hides what came after it."""
    export_month(month, tmp_path / "export", period=Period(begin=BEGIN, end=END + 90 * DAY))
    status, told = run_verifier(program, tmp_path / "export")
    assert status == 0
    assert "NOTE: the ledger ended within the period, at 2026-12-02T" in told


def test_nothing_is_written_over_and_nothing_half(month: Path, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    with pytest.raises(InvalidInputError, match="is there already"):
        export_month(month, tmp_path / "there")
    with pytest.raises(InvalidInputError, match="ends before it begins"):
        export_month(month, tmp_path / "none", period=Period(begin=END, end=BEGIN))
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    for name in ("ledger.db", "october.txt", "mid.txt"):
        shutil.copy(month / name, damaged / name)
    data = bytearray((damaged / "ledger.db").read_bytes())
    place = data.index(b"emergency: CVE-2026-9999")
    data[place] ^= 1
    (damaged / "ledger.db").write_bytes(data)
    with pytest.raises(LedgerError, match="is damaged: entry 234"):
        export_month(damaged, tmp_path / "none")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["damaged", "there"]


@pytest.mark.tools
def test_cosign_verifies_the_bundles_of_a_folder(exported: tuple[Path, Evidence], tmp_path: Path) -> None:
    folder, evidence = exported
    cosign = Cosign(tmp_path / "cosign")
    (cosign.folder / "key.pub").write_bytes(make_key().public.pem())
    move = next(move for move in evidence.moves if (move.stack, move.channel) == ("risk", "prod"))
    hexadecimal = move.digest.partition(":")[2]
    for kind, name in (("slsaprovenance1", "provenance"), ("cyclonedx", "sbom-cyclonedx")):
        bundle = next((folder / move.folder).glob(f"*-{name}-bundle.json"))
        words: list[str | Path] = ["verify-blob-attestation", "--bundle", bundle, "--key", "key.pub"]
        words += ["--insecure-ignore-tlog", "--trusted-root", "root.json", "--type", kind]
        words += ["--digestAlg", "sha256", "--digest"]
        assert cosign.run(*words, hexadecimal).returncode == 0
        assert cosign.run(*words, hexadecimal[::-1]).returncode != 0
