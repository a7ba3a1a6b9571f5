"""The commands of docs/sbom.md and docs/licences.md, run as they stand there; and what users meet when they go wrong."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from builder.digest import Digest
from builder.ledger.events import LicencesJudged
from builder.ledger.queries import event_of
from builder.licence.reader import parse_licence_rules
from builder.registry.model import parse_repository
from builder.wiring.ledgers import open_ledger
from tests.support.bill_project import BillProject, make_bill_project, promote
from tests.support.bills import check_spdx, iter_components
from tests.support.registries import SmallRegistry
from tests.support.registry_images import client, close_clients
from tests.support.tools import ROOT

BILLS, LICENCES = ((ROOT / "docs" / name).read_text() for name in ("sbom.md", "licences.md"))
EXAMPLE = re.findall(r"```toml\n(.*?)```", LICENCES, re.DOTALL)[0]
PLACE = "registry.example.org/team/airflow"


def commands_of(page: str) -> list[str]:
    return re.findall(r"^\$ airflow-kubler (.*)$", page, re.MULTILINE)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BillProject:
    made = make_bill_project(tmp_path, {"gamma": "Apache-2.0"})
    (tmp_path / "stacks/licences.toml").write_text(
        'allow = ["MIT", "Apache-2.0"]\n'
        + "".join(
            f'[[exceptions]]\n{subject}\nlicence = "NOASSERTION"\nreason = "r"\nowner = "o"\nexpires = 2999-12-31\n'
            for subject in ('source = "lib*"', 'deb = "base-files"')
        )
    )
    monkeypatch.chdir(tmp_path)
    return made


@pytest.fixture
def served() -> Iterator[str]:
    """A registry; gives the repository."""
    with SmallRegistry() as registry:
        yield f"{registry.host}/team/airflow"
        close_clients()


def test_the_commands_on_bills_work_in_their_order(project: BillProject, served: str, tmp_path: Path) -> None:
    project.push(served)
    promote(project, "prod")
    said = {}
    for command in commands_of(BILLS):
        done = project.run(*shlex.split(command.replace(PLACE, served)))
        assert done.exit_code == 0, f"{command}\n{done.output}"
        said[command] = done.stdout
    assert [words.split()[0] for words in said] == ["sbom"] * 5
    assert json.loads(said["sbom core"])["bomFormat"] == "CycloneDX"
    check_spdx((tmp_path / "core.spdx.json").read_bytes(), tmp_path)
    assert sorted(path.name for path in (tmp_path / "bills").iterdir()) == [
        "core-amd64.cdx.json",
        "core-arm64.cdx.json",
    ]
    built = json.loads((tmp_path / "prod.cdx.json").read_bytes())
    assert built["metadata"]["component"]["purl"].startswith("pkg:oci/core@sha256")
    attached = said[f"sbom core --attach {PLACE}:dev"].split()
    assert len(attached) == 2
    for name in attached:
        digest = Digest.parse(name.partition("@")[2])
        assert client().manifest(parse_repository(served).at(digest)) is not None


def test_the_commands_on_licences_work_in_their_order(project: BillProject) -> None:
    promote(project, "dev")
    said = {}
    for command in commands_of(LICENCES):
        done = project.run(*shlex.split(command))
        assert done.exit_code == 0, f"{command}\n{done.output}"
        said[command] = done.stdout
    assert said["licences core"] == "3 allowed, 3 excepted; holds until 2999-12-31\n"
    lines = said["licences core --all --platform linux/amd64"].splitlines()
    assert lines[2].split() == ["package", "version", "licence", "verdict", "why"]
    assert ["distribution", "gamma", "1.0", "Apache-2.0", "allowed", "from", "License-Expression"] in map(
        str.split, lines
    )
    told = json.loads(said["licences core --json"])
    assert (told["stack"], told["image"], told["allowed"], told["until"]) == ("core", None, True, "2999-12-31")
    with open_ledger(project.history.path) as ledger:
        (entry,) = ledger.find("digest", project.recorded.digest, kinds=(LicencesJudged.kind,))
    assert event_of(entry, LicencesJudged).allowed


def test_the_rules_of_the_page_are_read_and_every_key_is_explained() -> None:
    rules = parse_licence_rules(EXAMPLE.encode())
    assert (len(rules.conclusions), len(rules.exemptions)) == (1, 1)
    for key in ("`allow`", "`review`", "`deny`", "`[debs]`, `[distributions]`", "`[[concluded]]`", "`[[exceptions]]`"):
        assert f"| {key} |" in LICENCES


def test_what_is_refused_is_a_negative_answer_with_what_it_says(project: BillProject) -> None:
    rules = (project.folder / "stacks/licences.toml").read_text().replace('"Apache-2.0"', '"ISC"')
    (project.folder / "stacks/licences.toml").write_text(rules)
    done = project.run("licences", "core")
    assert done.exit_code == 1
    assert done.stdout.splitlines()[0] == "2 allowed, 3 excepted, 1 refused; holds until 2999-12-31"
    assert done.stdout.splitlines()[-1] == "distribution gamma  1.0      Apache-2.0  unlisted  from License-Expression"
    part = project.run("licences", project.recorded.digest, "--platform", "linux/amd64", "--record")
    assert part.exit_code == 2
    assert "of the whole image: leave out --platform" in part.stderr
    recorded = project.run("licences", project.recorded.digest, "--record")
    assert recorded.exit_code == 1
    with open_ledger(project.history.path) as ledger:
        (entry,) = ledger.find("digest", project.recorded.digest, kinds=(LicencesJudged.kind,))
    assert event_of(entry, LicencesJudged).counts == {"allowed": 2, "excepted": 3, "refused": 1}


def test_a_channel_that_asks_for_licences_moves_once_they_are_on_record_under_the_rules_of_today(
    project: BillProject,
) -> None:
    (project.folder / "stacks/channels.toml").write_text('[[channels]]\nname = "prod"\nlicences = "allowed"\n')
    rules = project.folder / "stacks/licences.toml"

    def promotes() -> tuple[int, str]:
        done = project.run("promote", "core", "--to", "prod", "--dry-run", "--json")
        (check,) = json.loads(done.stdout)["checks"]
        return done.exit_code, check["found"]

    assert promotes() == (1, "they were not looked at")
    assert project.run("licences", project.recorded.digest, "--record").exit_code == 0
    status, found = promotes()
    assert (status, found.startswith("allowed at ")) == (0, True)
    rules.write_text(f'deny = ["AGPL-3.0-only"]\n{rules.read_text()}')
    status, found = promotes()
    assert (status, found.endswith("under other rules than those of today")) == (1, True)
    assert project.run("licences", project.recorded.digest, "--record").exit_code == 0
    assert promotes()[0] == 0
    rules.unlink()
    assert promotes() == (1, "there are no rules of licences")


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        ("sbom cor", 3, "no stack 'cor', and no image in the ledger\n  did you mean 'core'?"),
        ("sbom feedfeed", 1, "the ledger knows no such digest"),
        ("sbom core --format csv", 2, "Invalid value for '--format'"),
        ("sbom core --platform linux/amd64 --platform linux/arm64", 2, "A bill is of one platform"),
        ("sbom core --platform linux/amd64 --platform linux/arm64 -o x.json", 3, "2 bills cannot be one file"),
        ("sbom core --attach nonsense", 3, "nonsense"),
        ("licences core --record", 3, "core: is a stack, and no image that could be on record"),
        ("licences analytics", 3, "locks/pylock.analytics.toml"),
        ("lock export core --format cyclonedx --platform linux/amd64 --platform linux/arm64", 2, "A bill is of one platform"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_told_and_nothing_is_written(
    project: BillProject, words: str, status: int, message: str
) -> None:
    before = sorted(project.folder.rglob("*"))
    done = project.run(*words.split())
    assert (done.exit_code, message in done.output) == (status, True), done.output
    written = [path for path in project.folder.rglob("*") if path not in before and "artefacts" not in path.parts]
    assert [path for path in written if path.name not in {"ledger.db-shm", "ledger.db-wal", "tmp"}] == []


def test_a_store_without_the_files_is_told_with_the_way_out(project: BillProject, tmp_path: Path) -> None:
    done = project.run("sbom", "core", cache=tmp_path / "empty")
    assert done.exit_code == 4
    assert "error: the store lacks 6 files: alpha-1.0-py3-none-any.whl" in done.output
    assert "airflow-kubler fetch core, then again" in done.output
    # The locks alone give what they give.
    exported = project.run("lock", "export", "core", "--format", "cyclonedx", cache=tmp_path / "empty")
    assert exported.exit_code == 0
    names = {one["name"] for one in iter_components(json.loads(exported.stdout))}
    assert {"alpha", "beta", "gamma", "libtiny", "base-files"} <= names


def make_elsewhere(project: BillProject, folder: Path, **changes: str) -> bytes:
    """Make a bill as another process, in another folder and other circumstances."""
    environment: dict[str, Any] = {**os.environ, "AIRFLOW_KUBLER_CACHE": str(project.world.files.root), **changes}
    folder.mkdir(exist_ok=True)
    argv = [sys.executable, "-m", "builder", "--project", str(project.folder), "sbom", "core", "--format"]
    outputs = [
        subprocess.run([*argv, form], cwd=folder, env=environment, capture_output=True, check=True).stdout
        for form in ("cyclonedx", "spdx")
    ]
    return b"".join(outputs)


def test_bytes_do_not_depend_on_folder_time_zone_locale_or_hash_seed(project: BillProject, tmp_path: Path) -> None:
    first = make_elsewhere(project, tmp_path / "one", TZ="UTC", PYTHONHASHSEED="1", PYTHONPATH=str(ROOT))
    other = make_elsewhere(
        project,
        tmp_path / "two",
        TZ="Asia/Kathmandu",
        LC_ALL="tr_TR.UTF-8",
        PYTHONHASHSEED="2",
        PYTHONUTF8="0",
        PYTHONPATH=str(ROOT),
    )
    assert first == other
