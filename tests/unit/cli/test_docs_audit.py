"""The commands of docs/audit.md, run as they stand there over a small month; pages of what somebody hostile wrote."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from builder.audit.controls import read_controls
from builder.audit.model import Period
from builder.ledger.database import SqliteLedger
from builder.ledger.entry import Actor
from builder.ledger.events import Approved, Built, Event, Promoted, Pushed, Requested, Scanned, Seen, Tested
from builder.ledger.model import NewDocument, NewEntry
from builder.ledger.parts import SeenImage, TagMove
from builder.usecase.audit import AuditRequest
from builder.wiring.auditing import write_export
from tests.support.audited_month import KEY, write_month
from tests.support.ledgers import ORIGIN, Ticking, digest_of, make_build, make_ledger
from tests.support.tools import ROOT

PAGE = (ROOT / "docs/audit.md").read_text()
BLOCKS = re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL)
COMMANDS = [line.removeprefix("$ ") for block in BLOCKS for line in block.splitlines()]
HOSTILE = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>{{ 7 * 7 }}\u202e\x1b[2J</style>"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    (folder / "stacks").mkdir()
    write_month(folder, ("finance", "risk"))
    (folder / "ledger.key").write_text(f"{KEY}\n")
    (folder / "ledger.pub").write_text(f"{KEY.verifying}\n")
    return folder


def test_the_commands_work_in_their_order(project: Path) -> None:
    script = 'set -e\nairflow-kubler() { PYTHONPATH="$ROOT" "$PYTHON" -m builder "$@"; }\n' + "\n".join(COMMANDS)
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=project,
        env={"PATH": "/usr/bin:/bin", "HOME": str(project), "ROOT": str(ROOT), "PYTHON": sys.executable},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("the export holds\n") == 2
    assert "ok: october.txt: the first" in done.stdout
    assert (project / "verify.py").read_bytes() == (project / "november/verify.py").read_bytes()
    assert json.loads(re.findall(r"^\{.*?^\}", done.stdout, re.DOTALL | re.MULTILINE)[0])["signed_by"] == ORIGIN
    # Nothing lacks, so that there was nothing to fetch.
    changed = subprocess.run(["diff", "-r", "november", "november-3"], cwd=project, capture_output=True, check=False)
    assert changed.returncode == 0


def test_the_page_names_all_that_is_written(project: Path, tmp_path: Path) -> None:
    with SqliteLedger(project / "ledger.db", Ticking(), write=False) as ledger:
        write_export(ledger, AuditRequest(period=Period(begin=0, end=1 << 33)), tmp_path / "all")
    for path in (tmp_path / "all").iterdir():
        assert path.name in PAGE
        assert path.name == "README.txt" or path.name in (tmp_path / "all/README.txt").read_text()
    controls = (tmp_path / "all/controls.csv").read_text()
    for control in read_controls():
        assert control.id in controls
        for file in control.files:
            assert (tmp_path / "all" / file).exists(), file


class Page(HTMLParser):
    """Collects what a browser would make of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.links: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        assert not any(name.startswith("on") for name, _ in attrs)
        self.links += [value or "" for name, value in attrs if name in {"href", "src"}]


def test_what_others_wrote_stays_text_and_pages_need_nothing_from_outside(tmp_path: Path) -> None:
    evil = Actor(name=HOSTILE, method=HOSTILE, host=HOSTILE, run="javascript:alert(1)", program=HOSTILE)
    built: Built = make_build(HOSTILE)
    digest, rules = built.digest, digest_of("rules")
    vex = {"@context": "https://openvex.dev/ns", "statements": [{"vulnerability": HOSTILE, "status": HOSTILE}]}
    events: tuple[Event, ...] = (
        built,
        Tested(digest=digest, name=HOSTILE, passed=False, summary=HOSTILE),
        Scanned(digest=digest, result="waived", scanner=HOSTILE),
        Pushed(digest=digest, repository=HOSTILE, tags=(TagMove(tag=HOSTILE),)),
        Requested(stack=HOSTILE, channel=HOSTILE, digest=digest, reason=HOSTILE),
        Approved(stack=HOSTILE, channel=HOSTILE, digest=digest, rules=rules, comment=HOSTILE),
        Promoted(stack=HOSTILE, channel=HOSTILE, digest=digest, rules=rules, reason=f"=emergency {HOSTILE}"),
        Seen(cluster=HOSTILE, images=(SeenImage(digest=digest_of("unknown"), pods=1),)),
    )
    make_ledger(tmp_path / "ledger.db")
    with SqliteLedger(tmp_path / "ledger.db", Ticking(), write=True) as ledger:
        documents = [NewDocument(data=json.dumps(vex).encode())]
        ledger.append(
            [NewEntry(event=event, documents=documents if event is events[6] else ()) for event in events], evil
        )
        write_export(ledger, AuditRequest(period=Period(begin=0, end=1 << 33), key=KEY), tmp_path / "export")
    pages = list((tmp_path / "export").rglob("*.html"))
    assert len(pages) == 3
    for path in pages:
        page = Page(path.read_text())
        assert not page.tags & {"script", "img", "iframe", "object", "link"}
        assert "\u202e" not in path.read_text()
        for link in page.links:
            assert link.startswith("#") or (path.parent / link).resolve().is_relative_to(tmp_path / "export")
            assert link.startswith("#") or (path.parent / link).exists(), link
    assert ",'=emergency" in (tmp_path / "export/moves.csv").read_text().replace('"', "")
    verified = subprocess.run(
        [sys.executable, "-I", "-S", tmp_path / "export/verify.py", "--key", str(KEY.verifying)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert verified.returncode == 0, verified.stdout
