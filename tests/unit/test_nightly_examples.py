"""What runs a night elsewhere: files that are what they say, and that name options which are there."""

from __future__ import annotations

import re
import shlex
from typing import Any

import click
import pytest
import yaml

from builder.cli.nightly import command
from tests.support.tools import ROOT

FOLDER = ROOT / "examples/nightly"
OPTIONS = {name for option in command.params if isinstance(option, click.Option) for name in option.opts}


def load(name: str) -> Any:
    return yaml.safe_load((FOLDER / name).read_text())


def words_of_nights() -> list[list[str]]:
    [container] = load("cronjob.yaml")["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    lines = [step.get("run", "") for step in load("github.yml")["jobs"]["night"]["steps"]]
    lines += load("gitlab.yml")["nightly"]["script"]
    found = [container["args"]]
    for line in lines:
        found += [shlex.split(part) for part in re.findall(r"airflow-kubler nightly[^|)\n]*", line)]
    return found


def test_each_runs_a_night_by_options_that_are_there() -> None:
    runs = words_of_nights()
    assert len(runs) == 5
    for words in runs:
        assert "nightly" in words
        assert {word for word in words[words.index("nightly") :] if word.startswith("--")} <= OPTIONS


def test_one_night_runs_at_a_time() -> None:
    assert load("cronjob.yaml")["spec"]["concurrencyPolicy"] == "Forbid"
    assert load("github.yml")["concurrency"]["cancel-in-progress"] is False
    assert load("gitlab.yml")["nightly"]["resource_group"]


def test_a_night_that_failed_is_not_tried_again_and_one_that_was_killed_is() -> None:
    job = load("cronjob.yaml")["spec"]["jobTemplate"]["spec"]
    [rule] = job["podFailurePolicy"]["rules"]
    assert rule["onExitCodes"]["values"] == [1, 2, 3]
    assert job["backoffLimit"] > 0
    assert "script_failure" not in load("gitlab.yml")["nightly"]["retry"]["when"]


def test_actions_are_pinned_by_hash() -> None:
    used = [step["uses"] for step in load("github.yml")["jobs"]["night"]["steps"] if "uses" in step]
    assert used
    assert all(re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", name) for name in used)


@pytest.mark.parametrize("name", ["cronjob.yaml", "github.yml", "gitlab.yml", "dags/nightly.py"])
def test_each_is_told_of(name: str) -> None:
    assert f"`{name}`" in (FOLDER / "README.md").read_text()
