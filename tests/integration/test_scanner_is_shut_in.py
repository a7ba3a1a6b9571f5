"""A scanner in its cell: what it sees and may do, and what comes of one that dies, lies, floods or hangs.

Stand-ins are shell scripts, which run in the same cell as the real program, with this machine's own shell bound in.
"""

from __future__ import annotations

import json
import os
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from builder.digest import Digest
from builder.errors import ScanError
from builder.scan.canary import make_canary, put_on_top, shipped_canaries
from builder.scan.confinement import Cell, Confinement, ScanLimits, Unconfined, find_confinement, is_whole
from builder.scan.copying import hash_file
from builder.scan.program import check_hash
from builder.scan.settings import ScannerPin
from builder.scan.trivy import Trivy, open_trivy
from builder.usecase.scan import Scan, scan_image
from tests.support.advisories import CANARY, write_database
from tests.support.fake_scanner import FakeScanner
from tests.support.scan_world import PLANTED, ScanProject, make_scan_project, tools_of
from tests.support.tools import give_up, require_tool

VERSION = 'if [ "$1" = --version ]; then echo \'{"Version":"0.99.0"}\'; exit; fi\n'
SMALL = ScanLimits(wall_s=20, cpu_s=10, memory=1 << 30, file_size=1 << 20, processes=64, scratch=16 << 20)


@pytest.fixture(scope="module")
def cell() -> Confinement:
    found, why = find_confinement()
    if not found.isolated:
        give_up(f"no namespaces here: {why}")
    return found


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> ScanProject:
    return make_scan_project(tmp_path_factory.mktemp("project"))


@contextmanager
def opened(program: Path, confinement: Confinement, folder: Path, limits: ScanLimits = SMALL) -> Iterator[Trivy]:
    database = write_database(folder / "db", CANARY)
    with open_trivy(
        program, database, hash_file(database / "trivy.db"), confinement, scratch=folder / "scratch", limits=limits
    ) as scanner:
        yield scanner


def script(folder: Path, body: str) -> Path:
    path = folder / "trivy"
    path.write_text(f"#!/bin/sh\n{VERSION}{body}\n")
    path.chmod(0o755)
    return path


def run(body: str, project: ScanProject, confinement: Confinement, folder: Path, limits: ScanLimits = SMALL) -> Scan:
    """Scan the project's image by a script."""
    with opened(script(folder, body), confinement, folder, limits) as scanner:
        return scan_image(project.target(), tools_of(scanner), platforms=[project.target().platforms[0].platform])


def said(body: str, project: ScanProject, confinement: Confinement, folder: Path) -> str:
    """Run a script that ends badly; gives what it said."""
    with pytest.raises(ScanError, match="ended with status 3") as caught:
        run(f"{body}\nexit 3", project, confinement, folder)
    return caught.value.message


def test_it_sees_what_it_scans_and_nothing_of_this_machine(
    cell: Confinement, project: ScanProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "planted-secret")
    (tmp_path / "secret").write_text("planted-secret")
    look = f"env; ls -a / /scan /scan/input; id -u; cat {tmp_path}/secret; cat /etc/passwd; cat /proc/1/environ"
    told = said(look, project, cell, tmp_path)
    assert "planted-secret" not in told
    assert "root:x" not in told
    seen = set(re.findall(r"^[a-z0-9]+$", told, re.MULTILINE))
    assert {"image", "input", "program", "scan"} <= seen
    assert not seen & {"etc", "home", "root", "var", "work", "srv", "opt"}
    names = dict(line.split("=", 1) for line in re.findall(r"^[A-Z_]+=.*$", told, re.MULTILINE))
    assert set(names) <= {"HOME", "TMPDIR", "PATH", "LC_ALL", "TZ", "XDG_CACHE_HOME", "PWD", "OLDPWD", "SHLVL", "_"}
    assert re.search(r"^61184$", told, re.MULTILINE)


def test_it_writes_to_its_report_and_nowhere_else(cell: Confinement, project: ScanProject, tmp_path: Path) -> None:
    tries = [
        "echo x > /scan/input/index.json",
        "echo x > /scan/image/index.json",
        "echo x > /scan/new",
        "echo x > /program",
        "echo x > /usr/new",
        "echo x > /scan/cache/db/metadata.json",
        "mkdir /scan/image/blobs/new",
        "rm /scan/image/index.json",
    ]
    # So that nothing but how it is bound stands in the way.
    for path in (project.layout, *project.layout.rglob("*")):
        path.chmod(0o777)
    before = {path: path.stat().st_mtime_ns for path in project.layout.rglob("*")}
    told = said("\n".join(f"({one}) 2>/dev/null && echo DONE: '{one}'" for one in tries), project, cell, tmp_path)
    assert "DONE" not in told
    assert {path: path.stat().st_mtime_ns for path in project.layout.rglob("*")} == before


def test_it_reaches_no_network(cell: Confinement, project: ScanProject, tmp_path: Path) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.settimeout(0.5)
        port = listener.getsockname()[1]
        bash = "command -v bash >/dev/null && bash -c"
        told = said(
            f"{bash} 'echo x > /dev/tcp/127.0.0.1/{port} && echo CONNECTED'; cat /proc/net/route",
            project,
            cell,
            tmp_path,
        )
        with pytest.raises(TimeoutError):
            listener.accept()
    assert "CONNECTED" not in told
    assert "eth" not in told


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("sh -c 'kill -KILL $$'; exit $?", r"status 137, by signal 9"),
        ("exit 1", r"ended with status 1: no word"),
        ("exit 0", r"the scanner wrote no report"),
        ("echo '{}' > /scan/report.json", r"the report cannot be read"),
        ("""echo '{"SchemaVersion":2,"ArtifactType":"container_image","Metadata":{"ImageID":"x","DiffIDs":[]}}' > /scan/report.json""",
         r"the report is of the image x"),
        ("exec sleep 60", r"came to no end in its time"),
        ("head -c 2000000 /dev/zero > /scan/report.json", r"ended with status 1|by signal 25|cannot be read"),
    ],
    ids=["killed", "failed", "silent", "empty", "of-another-image", "hangs", "floods"],
)  # fmt: skip
def test_whatever_else_it_does_is_not_scanned(
    cell: Confinement, project: ScanProject, tmp_path: Path, body: str, told: str
) -> None:
    limits = ScanLimits(wall_s=2, cpu_s=2, memory=1 << 30, file_size=1 << 20, processes=64, scratch=16 << 20)
    with pytest.raises(ScanError, match=told):
        run(body, project, cell, tmp_path, limits)


def test_a_report_of_before_is_not_taken_for_that_of_now(
    cell: Confinement, project: ScanProject, tmp_path: Path
) -> None:
    """An empty report with all the right names: it was written without looking."""
    seen = put_on_top(project.target().platforms[0], make_canary(shipped_canaries()))
    report = FakeScanner(known=PLANTED).report(seen, project.layout)
    for row in report["Results"]:
        row.pop("Vulnerabilities", None)

    with pytest.raises(ScanError, match="found nothing wrong with the canary"):
        run(f"cat > /scan/report.json <<'END'\n{json.dumps(report)}\nEND", project, cell, tmp_path)


def test_a_program_that_does_not_say_its_version_is_not_trivy(cell: Confinement, tmp_path: Path) -> None:
    path = tmp_path / "trivy"
    path.write_text("#!/bin/sh\necho hello\n")
    path.chmod(0o755)
    with pytest.raises(ScanError, match="does not say its version"), opened(path, cell, tmp_path):
        pass


def test_a_program_that_is_not_let_in_is_not_even_asked_for_its_version(tmp_path: Path) -> None:
    path = tmp_path / "trivy"
    path.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n{VERSION}")
    path.chmod(0o755)
    database = write_database(tmp_path / "db", CANARY)

    def start(admit: Callable[[Digest], None]) -> None:
        sha256 = hash_file(database / "trivy.db")
        with open_trivy(path, database, sha256, Unconfined(), scratch=tmp_path / "scratch", admit=admit):
            pass

    with pytest.raises(ScanError, match="which is not pinned: it was not run"):
        start(partial(check_hash, ScannerPin(version="0.99.0", sha256=frozenset({"ab" * 32}))))
    assert not (tmp_path / "ran").exists()
    start(partial(check_hash, ScannerPin(version="0.99.0", sha256=frozenset({hash_file(path).hex}))))
    assert (tmp_path / "ran").exists()


def test_a_database_that_was_changed_is_not_used(cell: Confinement, tmp_path: Path) -> None:
    database = write_database(tmp_path / "db", CANARY)
    with (
        pytest.raises(ScanError, match="the database has been changed"),
        open_trivy(script(tmp_path, ""), database, Digest.of(b"other"), cell, scratch=tmp_path / "scratch"),
    ):
        pass
    assert list((tmp_path / "scratch").iterdir()) == []


def test_nothing_is_left_behind(cell: Confinement, project: ScanProject, tmp_path: Path) -> None:
    with pytest.raises(ScanError):
        run("exit 1", project, cell, tmp_path)
    assert list((tmp_path / "scratch").iterdir()) == []


def ways() -> list[Confinement]:
    found: list[Confinement] = [Cell(as_root=False), Unconfined()]
    return [Cell(as_root=True), *found] if os.geteuid() == 0 else found


@pytest.mark.tools
@pytest.mark.parametrize("way", ways(), ids=lambda way: f"{type(way).__name__}-{getattr(way, '_as_root', '')}")
def test_the_real_one_scans_in_every_way(way: Confinement, project: ScanProject, tmp_path: Path) -> None:
    with opened(Path(require_tool("trivy")).resolve(), way, tmp_path, ScanLimits()) as scanner:
        scan = scan_image(project.target(), tools_of(scanner))
    assert [one.id for one in scan.found.findings] == ["CVE-2099-0001", "CVE-2018-18074"]
    assert scan.found.scanner.isolated is way.isolated


@pytest.mark.tools
def test_the_real_one_killed_amid_its_work_is_not_scanned(
    cell: Confinement, project: ScanProject, tmp_path: Path
) -> None:
    ended = threading.Event()
    killed: list[int] = []

    def kill() -> None:
        while not ended.is_set():
            for pid in _below(os.getpid()):
                with_arguments = _arguments(pid)
                if with_arguments[:2] == ["/program", "image"]:
                    os.kill(pid, 9)
                    killed.append(pid)
                    return

    with opened(Path(require_tool("trivy")).resolve(), cell, tmp_path, ScanLimits()) as scanner:
        killer = threading.Thread(target=kill)
        killer.start()
        try:
            with pytest.raises(ScanError, match="by signal 9"):
                scan_image(project.target(), tools_of(scanner))
        finally:
            ended.set()
            killer.join()
    assert len(killed) == 1


def _below(pid: int) -> Iterator[int]:
    """List the processes below one."""
    for task in _tasks(pid):
        try:
            children = Path(f"/proc/{pid}/task/{task}/children").read_text().split()
        except OSError:
            continue
        for child in map(int, children):
            yield child
            yield from _below(child)


def _tasks(pid: int) -> list[str]:
    try:
        return [path.name for path in Path(f"/proc/{pid}/task").iterdir()]
    except OSError:
        return []


def _arguments(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
    except OSError:
        return []


def test_a_program_that_is_whole_is_told_from_others(tmp_path: Path) -> None:
    assert not is_whole(script(tmp_path, ""))
    assert not is_whole(Path("/bin/sh").resolve())
