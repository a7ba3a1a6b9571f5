"""Nights are shown as text, as values and as a page."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from builder.cli.root import root
from builder.nightly.journal import Ended
from builder.wiring.nights import Nights
from tests.support.html_pages import Page
from tests.support.made_up_nights import BEGAN, DAY, make_full_night, make_quiet_night


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    (folder / "stacks").mkdir(parents=True)
    nights = Nights(root=folder / "build/nights")
    for made in (make_quiet_night("20261129.1", BEGAN - DAY, "core"), make_full_night()):
        night = made.night()
        with nights.journal(night.begun.night) as write:
            write(night.begun)
            for step in night.steps:
                write(step)
            write(Ended(ended=night.ended))
    return folder


def run(project: Path, *argv: str) -> Result:
    return CliRunner().invoke(root, ["--project", str(project), "nightly", *argv])


def test_a_night_is_shown_as_text_whose_names_stay_no_mentions(project: Path) -> None:
    done = run(project, "--show", "20261130.1")
    assert done.exit_code == 1, "something failed in it"
    assert done.stdout.startswith("# Night 20261130.1: 4 failed")
    assert "by ci@\N{WORD JOINER}runner" in done.stdout
    assert run(project, "--show", "20261129.1").exit_code == 0


def test_a_night_is_shown_as_values(project: Path) -> None:
    stacks = json.loads(run(project, "--show", "20261130.1", "--json").stdout)["stacks"]
    aws = next(one for one in stacks if one["name"] == "aws")
    assert [act["rule"] for act in aws["acts"]] == ["scan", "approvals"]
    assert aws["causes"][1] == "its parent core changed"


def test_a_night_is_shown_as_a_page(project: Path, tmp_path: Path) -> None:
    done = run(project, "--show", "20261130.1", "--html")
    assert done.exit_code == 1
    assert "Night 20261130.1" in "".join(Page(done.stdout).text)
    path = tmp_path / "night.html"
    written = run(project, "--show", "20261130.1", "--html", "--output", str(path))
    assert (written.stdout, path.read_text()) == ("", done.stdout)


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (("--html",), "name it with --show"),
        (("--show", "20261130.1", "--output", "x"), "--output is of --html"),
        (("--show", "20261130.1", "--html", "page.html"), "name no stacks"),
    ],
)
def test_options_that_do_not_fit_are_refused(project: Path, argv: tuple[str, ...], said: str) -> None:
    done = run(project, *argv)
    assert done.exit_code == 2
    assert said in done.output
