"""The commands of docs/channels.md, run as they stand there; its rules, read."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result

from builder.cli.root import root
from builder.ledger.database import SqliteLedger, create_ledger
from builder.ledger.events import Pushed, Scanned, Tested
from builder.ledger.model import NewDocument, NewEntry
from builder.ledger.parts import TagMove
from builder.migrations.wheels import read_revisions
from builder.oci import media
from builder.policy.reader import parse_channels
from builder.policy.rules import RULES
from builder.registry.model import parse_repository
from builder.wiring.ledgers import clock
from tests.support.channels import NIGHTLY
from tests.support.ledgers import ORIGIN, make_build
from tests.support.migrations import core_files, zipped
from tests.support.registries import SmallRegistry
from tests.support.registry_images import Memory, client, close_clients
from tests.support.tools import ROOT, require_tool

PAGE = (ROOT / "docs/channels.md").read_text()
EXAMPLE = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)[0]
COMMANDS = re.findall(r"^\$ airflow-kubler (.*)$", PAGE, re.MULTILINE)
SOMEBODY_ELSE = ("unshare", "--user", "--map-user=65534", "--map-group=65534")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for stack in ("core", "analytics"):
        folder = tmp_path / "stacks" / stack
        folder.mkdir(parents=True)
        (folder / "stack.toml").write_text('description = "x"\nextends = "y"\n')
    (tmp_path / "stacks/channels.toml").write_text(EXAMPLE)
    return tmp_path


@pytest.fixture
def served() -> Iterator[str]:
    """A registry; gives the repository."""
    with SmallRegistry() as registry:
        yield f"{registry.host}/team/airflow"
        close_clients()


def record_images(ledger: Path, repository: str) -> list[str]:
    """Record two images that are built, pushed, tested and scanned; gives their digests, the older one first."""
    create_ledger(ledger, ORIGIN, NIGHTLY, clock)
    place, registry, digests = parse_repository(repository), client(), []
    for day, names in (("29", ("r1",)), ("30", ("r1", "r2"))):
        memory = Memory()
        index = memory.add_index()
        pushed = registry.push_manifest(place, memory.held[str(index.digest)] + b"\n" * int(day), media.INDEX)
        schemas = read_revisions("apache-airflow-core", zipped(core_files(*names)))
        built = make_build("core", day, revisions=[found for found, _ in schemas])
        digest = str(pushed.digest)
        digests.append(digest)
        events = (
            NewEntry(
                event=msgspec.structs.replace(built, digest=digest),
                documents=[NewDocument(data=document) for _, document in schemas],
            ),
            NewEntry(
                event=Pushed(
                    digest=digest, repository=repository, stack="core", tags=(TagMove(tag=f"core-202611{day}.01"),)
                )
            ),
            NewEntry(event=Tested(digest=digest, name="stack", passed=True)),
            NewEntry(event=Scanned(digest=digest, result="clean")),
        )
        with SqliteLedger(ledger, clock, write=True) as opened:
            opened.append(events, NIGHTLY)
    return digests


def run(project: Path, *words: str) -> Result:
    return CliRunner().invoke(root, ["--project", str(project), "--ledger", str(project / "ledger.db"), *words])


def be_somebody_else(project: Path, *words: str) -> str:
    """Run a command as another user of this machine, as anybody may: see decision 18."""
    require_tool("unshare")
    if subprocess.run([*SOMEBODY_ELSE, "true"], capture_output=True, check=False).returncode:
        pytest.skip("the kernel does not allow user namespaces")
    done = subprocess.run(
        [
            *(*SOMEBODY_ELSE, sys.executable, "-m", "builder", "--project", str(project)),
            *("--ledger", str(project / "ledger.db"), *words),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def listed(project: Path) -> dict[str, Any]:
    return {line["channel"]: line for line in json.loads(run(project, "channels", "core", "--json").stdout)}


def test_the_commands_work_in_their_order(project: Path, served: str) -> None:
    old, new = record_images(project / "ledger.db", served)
    # So that there is something to go back to.
    for channel in ("dev", "staging"):
        assert run(project, "promote", "core", "core-20261129.01", "--to", channel).exit_code == 0
    be_somebody_else(project, "approve", "core", "--to", "prod", old)
    assert run(project, "promote", "core", old, "--to", "prod").exit_code == 0
    said = {}
    for command in COMMANDS:
        words = shlex.split(command)
        if words[0] == "approve":
            assert listed(project)["prod"]["waiting"][0]["digest"] == new
            said[command] = be_somebody_else(project, *words)
            continue
        done = run(project, *words)
        assert done.exit_code == 0, f"{command}\n{done.output}"
        said[command] = done.output
    assert [words.split()[0] for words in COMMANDS] == [
        "promote", "promote", "promote", "promote", "channels", "approve", "promote", "rollback", "rollback", "rollback"
    ]  # fmt: skip
    proposed = next(text for command, text in said.items() if command == "rollback core --channel prod")
    assert f"{old}\n  stood there from" in proposed
    assert "needs backup" in proposed
    assert "airflow db downgrade --to-revision r1 --yes" in proposed
    assert listed(project)["prod"] | {"since": "", "entry": 0} == {
        "stack": "core",
        "channel": "prod",
        "digest": old,
        "since": "",
        "by": listed(project)["dev"]["by"],
        "entry": 0,
        "rollback": True,
        "database": "needs backup",
        "built": listed(project)["prod"]["built"],
        "waiting": [],
    }
    # The tag followed the promotion; a rollback without --push-tag leaves it.
    tagged = client().manifest(parse_repository(served).at("core-prod"))
    assert tagged is not None
    assert str(tagged.digest) == new


def test_the_rules_of_the_page_are_read_and_every_key_is_explained() -> None:
    found = parse_channels(EXAMPLE.encode(), stacks=("core", "analytics"))
    assert found.rules_for("analytics", "prod").approvals == 2
    assert found.rules_for("core", "prod").tag_for("core") == "core-prod"
    rows = set(re.findall(r"^\| `([a-z]+)", PAGE, re.MULTILINE))
    assert {*RULES, "rollback", "tag", "stacks"} <= rows
    for key in ("after-for", "scan-age", "approvals-age", "approvers"):
        assert f"`{key} = " in PAGE


def test_what_lacks_is_a_negative_answer_with_the_way_out(project: Path, served: str) -> None:
    record_images(project / "ledger.db", served)
    done = run(project, "promote", "core", "core-20261130.01", "--to", "prod")
    assert done.exit_code == 1
    assert "lacks      the way to meet it\n" in done.stdout
    assert re.search(
        r"^after      airflow-kubler promote core --to staging sha256:[0-9a-f]{12}$", done.stdout, re.MULTILINE
    )
    assert done.stdout.endswith("\nnot moved\n")
    told = json.loads(run(project, "promote", "core", "core-20261130.01", "--to", "prod", "--json").stdout)
    assert (told["outcome"], told["entry"], told["before"]) == ("lacking", None, None)
    assert [(check["rule"], check["met"]) for check in told["checks"]] == [
        ("after", False),
        ("tests", True),
        ("scan", True),
        ("approvals", False),
    ]
    assert all(check["evidence"] for check in told["checks"] if check["met"])


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        ("promote core", 2, "Missing option '--to'"),
        ("promote core --to prd", 3, "no channel 'prd' for the stack core\n  did you mean 'prod'?"),
        ("promote core nothing --to dev", 1, "no image of the stack core was pushed under this tag"),
        ("promote core --to dev --push-tag", 1, "no tag follows the channel"),
        ("approve core --to dev core-20261130.01", 1, "the channel asks for no approvals"),
        ("approve core --to prod core-20261130.01 --withdraw", 1, "to take back"),
        ("rollback core --channel prod", 1, "stood for nothing else before"),
        ("rollback core --channel prod --to core-20261130.01", 2, "--to goes with --reason"),
        ("rollback core --channel prod --reason x", 2, "go with --to"),
        ("rollback core --channel prod --to core-20261130.01 --reason x", 1, "never stood for it"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_told(project: Path, served: str, words: str, status: int, message: str) -> None:
    record_images(project / "ledger.db", served)
    size = (project / "ledger.db").stat().st_size
    done = run(project, *words.split())
    assert (done.exit_code, message in done.output) == (status, True), done.output
    assert (project / "ledger.db").stat().st_size == size


def test_without_a_ledger_or_rules_the_file_is_named(project: Path) -> None:
    done = run(project, "channels")
    assert done.exit_code == 4
    assert str(project / "ledger.db") in done.output
    (project / "stacks/channels.toml").unlink()
    done = run(project, "promote", "core", "--to", "dev")
    assert (done.exit_code, done.stderr.splitlines()[0]) == (3, "error: stacks/channels.toml: is not there")


def test_a_dry_run_writes_nothing(project: Path, served: str) -> None:
    record_images(project / "ledger.db", served)
    done = run(project, "promote", "core", "--to", "dev", "--dry-run")
    assert (done.exit_code, done.stdout.splitlines()[-1]) == (0, "all rules are met; nothing was written")
    assert listed(project)["dev"]["digest"] is None
