"""The real Trivy over the shipped stack `core`, without network: what it lists is the lock, what is planted is found, owned,
gated, waived and expires; what is done to it on the way is `not scanned`, and closes the gate.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from builder.digest import Digest
from builder.finding.document import parse_findings
from builder.finding.vex import dump_vex, parse_vex
from builder.image.layout_reader import FolderLayout
from builder.ledger.database import SqliteLedger
from builder.oci.index import Index, dump_index
from builder.oci.layout import INDEX_FILE, LAYOUT_BYTES, LAYOUT_FILE, blob_path, parse_layout
from builder.scan.canary import make_canary, put_on_top, shipped_canaries
from builder.scan.copying import hash_file
from tests.conftest import Built
from tests.support.advisories import CANARY, NOTHING, Advisories, Advisory, write_database
from tests.support.core_image import base_lock, stack_lock
from tests.support.hidden_system import hide_file
from tests.support.scan_world import make_scan_project, make_scan_world
from tests.support.tools import ROOT, Registry, require_tool, run_tool

pytestmark = [pytest.mark.network, pytest.mark.tools, pytest.mark.slow]

GATE = """
[[channels]]
name = "prod"
scan = [{ severity = "critical" }, { severity = "high", fix = "known" }]
"""
URLLIB3 = next(row.version for row in stack_lock("core").candidates if row.project == "urllib3")
PLANTED = Advisories(
    debian=(
        # Mended long ago: only the canary has it.
        Advisory(id="CVE-2099-0001", name="openssl", fixed=("1.0-1",)),
        Advisory(id="CVE-2099-0010", name="bash", fixed=("99-1",), severity="CRITICAL"),
    ),
    pip=(
        Advisory(id="CVE-2018-18074", name="requests", fixed=("2.20.0",), below="<=2.19.1"),
        Advisory(id="CVE-2099-0011", name="urllib3", fixed=("99.0",), below=f"<={URLLIB3}"),
    ),
)
"""Something about a deb of the base and a wheel of the stack, in the versions that are locked."""


@pytest.fixture(scope="module")
def trivy() -> Path:
    """The scanner, looked for before anything is built for it."""
    return Path(require_tool("trivy")).resolve()


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """A copy of this project's stacks and locks, with a ledger, a pinned scanner and the built image."""

    root: Path
    home: Path
    trivy: Path
    stack: str = "core"

    @property
    def layout(self) -> Path:
        return self.root / "build" / self.stack

    def start(self, *words: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "builder", "--project", str(self.root), *map(str, words)],
            env=dict(os.environ) | {"XDG_CONFIG_HOME": str(self.home)},
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def run(self, *words: str | Path, status: int = 0) -> str:
        done = self.start(*words)
        assert done.returncode == status, f"{words}: {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done.stdout or done.stderr

    def database(self, known: Advisories = PLANTED, *, age_s: int = 3600) -> Path:
        return write_database(self.home / f"db-{time.monotonic_ns()}", known, updated=int(time.time()) - age_s)

    def scan(self, *words: str | Path, status: int = 1) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(
            self.run("scan", "core", "--database", self.database(), "--record", "--json", *words, status=status)
        )
        return told

    def gate(self) -> tuple[bool, str]:
        """Whether `prod` may move, and what was found."""
        told = json.loads(self.start("promote", self.stack, "--to", "prod", "--dry-run", "--json").stdout)
        (check,) = told["checks"]
        return check["met"], check["found"]

    def waiver(self, name: str, *, product: str = "", expires: str = "2099-12-31") -> None:
        """Waive something, by the verb; for another package or with another end by hand."""
        path = self.root / f"stacks/core/vex/{name.lower()}.openvex.json"
        path.unlink(missing_ok=True)
        package = ("--package", product) if product else ()
        self.run(
            *("waive", "core", name, "--justification", "vulnerable_code_not_in_execute_path", "--reason", "planted"),
            *("--owner", "team:x", "--expires", "2099-12-31", *package),
        )
        path.write_text(path.read_text().replace("2099-12-31", expires))


@pytest.fixture(scope="module")
def desk(trivy: Path, core: Built, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    del core  # It fills store and cache.
    folder = tmp_path_factory.mktemp("desk")
    made = Desk(root=folder / "project", home=folder / "home", trivy=trivy)
    shutil.copytree(ROOT / "stacks", made.root / "stacks")
    shutil.copytree(ROOT / "locks", made.root / "locks", ignore=shutil.ignore_patterns("files", ".*"))
    (made.root / "stacks/channels.toml").write_text(GATE)
    (made.home / "airflow-kubler").mkdir(parents=True)
    pin(made, trivy)
    made.run("ledger", "init", "--origin", "example.org/airflow")
    made.run("build", "core")
    return made


def pin(desk: Desk, program: Path, version: str = "") -> None:
    """Make this the scanner, and trust it."""
    version = version or json.loads(run_tool(program, "--version", "--format", "json"))["Version"]
    (desk.home / "airflow-kubler/config.toml").write_text(f'[scan]\ntrivy = "{program}"\n')
    text = f'[trivy]\nversion = "{version}"\nsha256 = ["{hash_file(program).hex}"]\n'
    (desk.root / "stacks/scan.toml").write_text(text)


@pytest.fixture
def trusted(desk: Desk) -> Desk:
    """The same with the real one pinned, and nothing waived."""
    pin(desk, desk.trivy)
    shutil.rmtree(desk.root / "stacks/core/vex", ignore_errors=True)
    return desk


def test_what_cannot_be_scanned_closes_the_gate(trusted: Desk, tmp_path: Path) -> None:
    """Before any scan that comes to an end, so that the gate has nothing else to go by."""
    desk = trusted

    def refused(told: str, *words: str | Path) -> None:
        done = desk.start("scan", "core", "--record", *words)
        assert done.returncode == 4, done.stdout + done.stderr
        assert told in done.stderr
        met, found = desk.gate()
        assert not met
        assert found.startswith("it could not be scanned: ")

    refused("found nothing wrong with the canary", "--database", desk.database(NOTHING))
    refused("older than 3 days", "--database", desk.database(age_s=4 * 86_400))
    empty = desk.database()
    (empty / "trivy.db").write_bytes(b"")
    # Trivy makes a new one of it, finds nothing, and ends with 0.
    refused("found nothing wrong with the canary", "--database", empty)
    (empty / "trivy.db").write_bytes(b"no database")
    refused("the scanner ended with status 1", "--database", empty)
    killed = killing_trivy(lambda: refused("by signal 9", "--database", desk.database()))
    assert killed
    for number, (body, told) in enumerate(
        (
            ("exit 0", "the scanner wrote no report"),
            ("echo '{}' > /scan/report.json", "the report cannot be read"),
            (f"cat > /scan/report.json <<'END'\n{whole_report(desk)[:-2000]}\nEND", "the report cannot be read"),
        )
    ):
        program = tmp_path / f"trivy-{number}"
        version = """if [ "$1" = --version ]; then echo '{"Version":"0.99.0"}'; exit; fi"""
        program.write_text(f"#!/bin/sh\n{version}\n{body}\n")
        program.chmod(0o755)
        pin(desk, program, "0.99.0")
        refused(told, "--database", desk.database())
    pin(desk, desk.trivy, "0.69.4")
    refused("trivy 0.69.4 is never run", "--database", desk.database())
    pin(desk, desk.trivy, "0.99.0")
    refused("says that it is", "--database", desk.database())


def test_an_image_whose_system_is_hidden_is_not_scanned(trusted: Desk, tmp_path: Path) -> None:
    """The shipped image with etc/debian_version taken away; and a small one that is on record, so that its gate can be asked."""
    hidden = hide_file(trusted.layout, "etc/debian_version", tmp_path / "hidden")
    done = trusted.start("scan", "core", "--layout", hidden, "--database", trusted.database())
    assert done.returncode == 4, done.stdout + done.stderr
    assert "did not recognise the operating system" in done.stderr

    made = make_scan_project(tmp_path, make_scan_world(tmp_path / "world", system=False))
    small = replace(trusted, root=made.project.root, stack="tiny")
    made.project.channels_path.write_text(GATE)
    pin(small, small.trivy)
    done = small.start("scan", "tiny", "--record", "--database", small.database(replace(PLANTED, debian=CANARY.debian)))
    assert done.returncode == 4, done.stdout + done.stderr
    met, found = small.gate()
    assert not met
    assert found.startswith("it could not be scanned: ")


def whole_report(desk: Desk) -> str:
    """What the real one writes of the image, by its own hand."""
    image = parse_layout(FolderLayout(desk.layout)).platforms[0]
    folder = desk.home / "seen"
    for path, data in put_on_top(image, make_canary(shipped_canaries())).files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    for layer in image.manifest.layers:
        (folder / blob_path(layer.digest)).symlink_to(desk.layout / blob_path(layer.digest))
    return by_hand(desk, folder)


def by_hand(desk: Desk, folder: Path, *words: str | Path) -> str:
    """Run the real one as its users do, without a network."""
    cache = desk.home / f"cache-{time.monotonic_ns()}"
    shutil.copytree(desk.database(), cache / "db")
    argv = (desk.trivy, "image", "--input", folder, "--scanners", "vuln", "--format", "json", "--cache-dir", cache)
    more = ("--skip-db-update", "--offline-scan", "--list-all-pkgs", "--quiet")
    return run_tool("unshare", "-rn", *argv, *more, *words)


def killing_trivy(work: Callable[[], None]) -> bool:
    """Kill the scanner as soon as it scans; tells whether it was."""
    done = threading.Event()
    killed: list[int] = []

    def kill() -> None:
        while not done.is_set() and not killed:
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    scans = path.read_bytes().startswith(b"/program\0image\0--input\0/scan/input\0")
                    if scans and str(os.getpid()) in ancestors(int(path.parent.name)):
                        os.kill(int(path.parent.name), 9)
                        killed.append(int(path.parent.name))
                        return
                except OSError:
                    continue

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        work()
    finally:
        done.set()
        killer.join()
    return bool(killed)


def ancestors(pid: int) -> list[str]:
    """List the processes above one."""
    found = []
    while pid > 1:
        pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        found.append(str(pid))
    return found


def test_what_it_lists_is_the_lock_and_what_is_planted_has_an_owner_a_gate_and_an_end(trusted: Desk) -> None:
    desk = trusted
    found = desk.scan()
    lock = stack_lock("core")
    assert [part["platform"] for part in found["parts"]] == ["linux/amd64", "linux/arm64"]
    for part in found["parts"]:
        wheels = [row for row in lock.candidates if part["platform"] in row.wheels]
        debs = [deb for deb in base_lock("trixie").debs if part["platform"] in [one.name for one in deb.platforms]]
        assert (part["distributions"], part["debs"]) == (len(wheels), len(debs))
    told = {
        (one["id"], one["subject"]["name"]): (one["belongs"]["part"], one["belongs"]["owners"], one["platforms"])
        for one in found["findings"]
    }
    both, team = ["linux/amd64", "linux/arm64"], ["team:airflow-platform"]
    assert told == {
        ("CVE-2099-0010", "bash"): ("base", team, both),
        ("CVE-2099-0011", "urllib3"): ("own", team, both),
    }
    met, why = desk.gate()
    assert (met, "CVE-2099-0010 in bash (critical)" in why) == (False, True)
    assert "CVE-2099-0011 in urllib3 (high, a fix is known)" in why

    desk.waiver("CVE-2099-0010")
    desk.waiver("CVE-2099-0011")
    met, why = desk.gate()
    assert (met, "2 waived" in why) == (True, True)
    assert desk.scan(status=0)["result"] == "waived"

    desk.waiver("CVE-2099-0010", expires="2026-01-31")
    met, why = desk.gate()
    assert (met, "1 by waivers that have expired" in why) == (False, True)
    assert [one["id"] for one in desk.scan(status=1)["expired"]] == ["CVE-2099-0010"]
    assert "expired" in desk.run("waivers", "core", status=1)
    assert desk.run("ledger", "verify")


def test_trivy_leaves_out_what_our_document_waives(trusted: Desk, tmp_path: Path) -> None:
    desk = trusted
    desk.scan()
    desk.waiver("CVE-2099-0011")
    desk.run("waivers", "core", "--export", tmp_path / "core.openvex.json")
    image = parse_layout(FolderLayout(desk.layout)).platforms[0]
    folder = tmp_path / "one"
    folder.mkdir()
    (folder / "blobs").symlink_to(desk.layout / "blobs")
    (folder / LAYOUT_FILE).write_bytes(LAYOUT_BYTES)
    (folder / INDEX_FILE).write_bytes(dump_index(Index(manifests=(image.descriptor,))))

    def ids(*words: str | Path) -> set[str]:
        report = json.loads(by_hand(desk, folder, *words))
        return {one["VulnerabilityID"] for row in report["Results"] for one in row.get("Vulnerabilities", ())}

    assert ids() == {"CVE-2099-0010", "CVE-2099-0011"}
    assert ids("--vex", tmp_path / "core.openvex.json") == {"CVE-2099-0010"}
    # It reads back as what it was made of.
    data = (tmp_path / "core.openvex.json").read_bytes()
    assert dump_vex(parse_vex(data, file="x"), author="team:x") == data


def test_an_unpinned_one_is_told_and_opens_nothing(trusted: Desk) -> None:
    desk = trusted
    (desk.root / "stacks/scan.toml").unlink()
    desk.waiver("CVE-2099-0010", product="pkg:deb/debian/bash")
    desk.waiver("CVE-2099-0011", product="pkg:pypi/urllib3")
    done = desk.start("scan", "core", "--database", desk.database(), "--record")
    assert done.returncode == 0
    assert f'sha256 = ["{hash_file(desk.trivy).hex}"]' in done.stderr
    assert desk.gate() == (False, desk.gate()[1])
    assert "by a scanner that stacks/scan.toml does not pin" in desk.gate()[1]


def test_trivy_takes_the_database_that_we_pushed(trusted: Desk, local_registry: Registry, tmp_path: Path) -> None:
    desk, place = trusted, f"{local_registry.host}/team/trivy-db:2"
    cache = tmp_path / "kubler"
    env = {"AIRFLOW_KUBLER_CACHE": str(cache)}
    database = desk.database()

    def kubler(*words: str | Path) -> str:
        return run_tool(sys.executable, "-m", "builder", "--project", desk.root, *words, env=env)

    kept = json.loads(kubler("scan", "db", "add", database, "--json"))
    assert kept["artifact"] in kubler("scan", "db", "push", place)
    run_tool(
        *(desk.trivy, "image", "--download-db-only", "--db-repository", place, "--insecure"),
        *("--cache-dir", tmp_path / "trivy", "--no-progress"),
    )
    assert (tmp_path / "trivy/db/trivy.db").read_bytes() == (database / "trivy.db").read_bytes()
    shutil.rmtree(cache)
    pulled = json.loads(kubler("scan", "db", "pull", place, "--json"))
    assert pulled == kept


def test_findings_and_reports_are_on_record(trusted: Desk) -> None:
    desk = trusted
    found = desk.scan()
    told = json.loads(desk.run("ledger", "export").strip().splitlines()[-1])
    assert (told["kind"], told["data"]["digest"]) == ("scan", found["digest"])
    with SqliteLedger(desk.root / "ledger.db", lambda: 0, write=False) as ledger:
        document = ledger.document(Digest.parse(told["data"]["findings"]))
        reports = {
            platform: ledger.document(Digest.parse(digest)) for platform, digest in told["data"]["reports"].items()
        }
    assert document is not None
    kept = parse_findings(document, context="x")
    assert [one.id for one in kept.findings] == ["CVE-2099-0010", "CVE-2099-0011"]
    assert kept.scanner.sha256 == hash_file(desk.trivy).hex
    for part in kept.parts:
        report = reports[part.platform]
        assert report is not None
        assert json.loads(report)["Metadata"]["DiffIDs"][-1] == kept.canary
