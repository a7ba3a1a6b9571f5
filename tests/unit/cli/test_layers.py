from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from builder.cli.root import root
from tests.support.fleet import make_fleet


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fleet")
    make_fleet(folder, 6)
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    return shutil.copytree(made, tmp_path / "project")


def layers(folder: Path, *words: str, verb: str = "layers") -> str:
    result = CliRunner().invoke(root, ["--project", str(folder), *verb.split(), *words])
    assert result.exit_code == 0, result.output
    return result.output


def locks(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((folder / "locks").glob("pylock.*.toml"))}


def test_each_layer_is_shown_with_what_tells_for_it(folder: Path) -> None:
    head, header, *rows = layers(folder, "core").splitlines()
    assert head.startswith("core: 29 layers, of 55 that may be; ")
    assert head.endswith(" expected a night, by ages of releases")
    assert header.split() == ["LAYER", "PROJECTS", "SIZE", "CHANCE", "A", "NIGHT", "WHY"]
    assert len(rows) == 29
    assert any("moves with " in row and " alone would save " in row for row in rows)
    assert all(" it would cost " in row and " more" in row for row in rows)


def test_a_child_shows_its_own_layers(folder: Path) -> None:
    assert layers(folder, "dept-000").startswith("dept-000: 1 layer on 29 of its parents, of 55 that may be; ")


def test_planning_again_tells_and_writes_nothing(folder: Path) -> None:
    before = locks(folder)
    text = layers(folder, "--replan", "team-0001")
    assert [line.split()[0] for line in text.splitlines()[1:-1]] == ["core", "dept-000", "team-0000", "team-0001"]
    assert " pays" in text
    assert text.endswith("nothing is written: --apply writes it\n")
    assert locks(folder) == before


@pytest.mark.slow
def test_a_plan_that_pays_is_written_where_that_is_asked_for(folder: Path) -> None:
    before = locks(folder)
    assert layers(folder, "--apply").endswith("written; build and push what changed\n")
    after = locks(folder)
    assert {name for name, data in after.items() if data != before[name]} >= {
        "pylock.dept-000.toml",
        "pylock.team-0001.toml",
    }
    assert layers(folder, "--apply").endswith("no other plan pays within 15 nights: the locks stay as they are\n")
    assert locks(folder) == after


@pytest.mark.slow
def test_what_is_written_is_recorded(folder: Path) -> None:
    layers(folder, verb="ledger init")
    layers(folder, "--apply")
    assert "first lock" in layers(folder, "team-0001", verb="log")


@pytest.mark.slow
def test_json_gives_figures(folder: Path) -> None:
    (plan,) = json.loads(layers(folder, "core", "--json"))
    assert plan["night_bytes"] == pytest.approx(sum(row["night_bytes"] for row in plan["layers"]), abs=29)
    rows = {row["stack"]: row for row in json.loads(layers(folder, "--replan", "--json"))}
    assert (rows["legacy"]["changed"], rows["legacy"]["nights_to_pay"]) == (False, None)
    assert rows["dept-000"]["changed"]
    assert rows["dept-000"]["nights_to_pay"] <= 15


def test_unpushed_is_refused_where_nothing_is_planned(folder: Path) -> None:
    result = CliRunner().invoke(root, ["--project", str(folder), "layers", "--unpushed"])
    assert result.exit_code == 2
    assert "--unpushed is for --replan and --apply" in result.output


def test_a_stale_lock_ends_with_the_way_on(folder: Path) -> None:
    path = folder / "stacks/team-0001/stack.toml"
    path.write_text(path.read_text().replace("plugins-of", "more-plugins-of"))
    result = CliRunner().invoke(root, ["--project", str(folder), "layers", "--replan"])
    assert result.exit_code == 1
    assert "airflow-kubler lock team-0001" in result.output
