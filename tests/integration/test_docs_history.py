"""The commands of docs/history.md, run as they stand there, over images that were built from made-up wheels and debs."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from builder.cli.root import root
from builder.ledger.events import Promoted, Pushed, Scanned, Tested
from builder.ledger.parts import TagMove
from builder.lock.model import PlannedLayer
from tests.support.ledgers import digest_of
from tests.support.made_up import bump, make_world
from tests.support.recorded import History, change_stack
from tests.support.tools import ROOT

PAGE = (ROOT / "docs/history.md").read_text()
COMMANDS = re.findall(r"^\$ airflow-kubler (.*)$", PAGE, re.MULTILINE)
REPOSITORY = "registry.example.org/team/airflow"
STACK = 'description = "x"\nowners = ["team:a"]\n[airflow]\nversion = "3.3.2"\n[base]\nname = "tiny"\n[plugins]\nrequirements=["a"]\n'
BASE = 'description = "x"\n[python]\nversion = "3.13"\n[debian]\nrelease = "trixie"\nsuites = ["trixie"]\nroots = ["bash"]\n'


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose stack `core` has two images on record, the first of which runs in prod."""
    folder = tmp_path_factory.mktemp("project")
    for path, text in (("stacks/core/stack.toml", STACK), ("stacks/bases/tiny.toml", BASE)):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    plan = (PlannedLayer(name="core-all", stack="core", projects=("alpha", "beta", "gamma")),)
    world = change_stack(make_world(folder / "world"), stack="core", plan=plan)
    history = History(folder / "ledger.db")
    one = history.build(world, layout=folder / "build/run/core-amd64")
    two = history.build(bump(world), layout=folder / "build/core")
    history.append(
        Tested(digest=two.digest, name="stack", passed=True),
        Scanned(digest=two.digest, result="findings", counts={"high": 1}),
        Pushed(digest=two.digest, repository=REPOSITORY, tags=(TagMove(tag="core-20261130.01"), TagMove(tag="dev"))),
        Promoted(stack="core", channel="prod", digest=one.digest, rules=digest_of("rules")),
    )
    return folder


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_page_works(command: str, folder: Path, tmp_path: Path) -> None:
    words = [str(tmp_path / word) if word.endswith(".html") else word for word in shlex.split(command)]
    # Made-up ledgers are of 2026.
    words = ["2026-01-01" if word == "7d" else word for word in words]
    done = CliRunner().invoke(root, ["--project", str(folder), *words])
    assert done.exit_code == (1 if "--exit-code" in words else 0), done.output
    pages = [Path(word) for word in words if word.endswith(".html")]
    assert done.stdout or all(page.stat().st_size > 1000 for page in pages)


def test_the_page_shows_each_verb() -> None:
    assert {command.split()[0] for command in COMMANDS} == {"log", "show", "explain", "compare", "graph"}
