"""The commands of docs/scanning.md, run as they stand there, by the real Trivy; its examples, read."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from builder.finding.gate import Clause
from builder.finding.model import Severity
from builder.finding.vex import parse_vex
from builder.policy.reader import parse_channels
from builder.scan.copying import hash_file
from builder.scan.settings import parse_settings
from tests.support.advisories import write_database
from tests.support.index_server import Index, serve
from tests.support.registries import SmallRegistry
from tests.support.scan_world import PLANTED, ScanProject, make_scan_project, mend_openssl
from tests.support.tools import ROOT, require_tool, run_tool

PAGE = (ROOT / "docs/scanning.md").read_text()
COMMANDS = re.findall(r"^\$ airflow-kubler (.*)$", PAGE, re.MULTILINE)
SETTINGS, GATE = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
(WAIVER,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
STATUS = {"scan finance": 1, "promote": 1}
"""What is found stops, until it is mended or waived."""


def test_the_examples_are_read() -> None:
    settings = parse_settings(SETTINGS.encode())
    assert settings.pin is not None
    assert (settings.pin.version, settings.database_age_s) == ("0.70.0", 3 * 86_400)
    assert settings.exploited == "known-exploited.json"
    rules = parse_channels(GATE.encode(), stacks=("finance",)).rules_for("finance", "prod")
    assert rules.gate == (
        Clause(severity=Severity.CRITICAL),
        Clause(severity=Severity.HIGH, fix="known", grace_s=14 * 86_400),
        Clause(exploited=True),
    )
    (waiver,) = parse_vex(WAIVER.encode(), file="example")
    assert (waiver.owner, waiver.expires.isoformat()) == ("team:finance-data", "2027-03-31")


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Where the commands are run: a project, a user of its own, a registry and an index."""

    project: ScanProject
    home: Path
    host: str
    index: str

    def run(self, command: str, *, status: int = 0) -> str:
        """Run a command of the page."""
        words = shlex.split(command.replace("registry.example.org", self.host).replace("finance ", "tiny ").strip())
        words = ["tiny" if word == "finance" else word for word in words]
        words = [str(self.home / word) if word.endswith(".openvex.json") else word for word in words]
        done = subprocess.run(
            [sys.executable, "-m", "builder", "--project", str(self.project.project.root), *words],
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self.home),
                "AIRFLOW_KUBLER_CACHE": str(self.home / "cache"),
                "UV_DEFAULT_INDEX": self.index,
                "PIP_CONFIG_FILE": os.devnull,
            },
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == status, f"{words}: {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done.stdout + done.stderr


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    project, home = make_scan_project(tmp_path), tmp_path / "home"
    stack = project.project.root / "stacks/tiny/stack.toml"
    # The made-up base has no interpreter that could build an sdist.
    text = stack.read_text().replace('"requests"', '"alpha", "beta", "gamma"')
    stack.write_text(f"{text}[resolution]\nsdists = false\n")
    project.project.channels_path.write_text(GATE)
    program = Path(require_tool("trivy")).resolve()
    version = json.loads(run_tool(program, "--version", "--format", "json"))["Version"]
    settings = SETTINGS.replace("0.70.0", version).replace("0" * 64, hash_file(program).hex, 1)
    project.project.scan_path.write_text(settings)
    (project.project.root / "stacks/known-exploited.json").write_text(
        '{"vulnerabilities": [{"cveID": "CVE-2099-0002"}]}'
    )
    config = home / ".config/airflow-kubler/config.toml"
    config.parent.mkdir(parents=True)
    # A mirror that nobody serves: Debian packages cannot be looked for, and that is said.
    config.write_text(
        f'[scan]\ntrivy = "{program}"\n[debian]\nmirror = "http://127.0.0.1:1/debian"\nsecurity-mirror = "http://127.0.0.1:1/security"\n'
    )
    index = Index()
    index.offer("apache-airflow", "3.3.2")
    for name, requires in (("alpha", ("requests",)), ("beta", ()), ("gamma", ())):
        index.offer(name, {"alpha": "1.0", "beta": "2.0", "gamma": "3.0"}[name], *requires)
    for name in ("2.19.0", "2.20.0", "2.21.0"):
        index.offer("requests", name)
    index.offer("beta", "2.1")
    with SmallRegistry() as registry, serve(index):
        yield Desk(project=project, home=home, host=registry.host, index=index.simple)


@pytest.mark.tools
def test_the_commands_work_in_their_order(desk: Desk, tmp_path: Path) -> None:
    write_database(tmp_path / "db", PLANTED, updated=int(time.time()) - 3600)
    desk.run(f"scan db add {tmp_path}/db")
    desk.run("scan db push registry.example.org/mirror/trivy-db:2")
    newer = tmp_path / "newer"
    desk.project.history.build(mend_openssl(desk.project.world), layout=newer)
    # The latest build on record is the one in build/ again.
    desk.project.history.build(desk.project.world)
    desk.run(f"push registry.example.org/team/airflow tiny --layout {newer} --tag before")
    said = {}
    for command in COMMANDS:
        words = " ".join(command.split()[:2])
        status = STATUS.get(words, STATUS.get(command.split()[0], 0))
        said[command] = desk.run(command, status=status)
    told = list(said.values())
    assert "artifact" in told[1]
    assert "CVE-2099-0001" in told[2]
    assert "prod: CLOSED by CVE-2099-0001 in libssl3t64 (critical)" in told[2]
    assert "CVE-2018-18074 in requests: airflow-kubler lock tiny -P requests" in told[3]
    assert "3.5.9-1 (unresolved)" in told[3]
    assert "0 fixed, 1 new, 3 stayed\n  new: CVE-2099-0001 critical in libssl3t64 3.5.1-1" in told[4]
    assert "stacks/tiny/vex/cve-2018-18074.openvex.json: CVE-2018-18074 in pkg:pypi/requests@2.19.0" in told[5]
    assert "pkg:pypi/requests@2.19.0" in told[6]
    assert (desk.home / "finance.openvex.json").is_file()
    assert "waived" in told[8]
    assert "on record: entry" in told[8]
    assert "CVE-2099-0001 in libssl3t64" in told[9]
    assert f"{desk.host}/team/trivy-db@sha256:" in told[10]
