"""The commands of docs/testing.md on the shipped `core`, with a ledger that knows its build; and tests that fail in it."""

from __future__ import annotations

import json
import os
import re
import shlex
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from builder.digest import Digest
from builder.errors import ToolError
from builder.ledger.database import SqliteLedger
from builder.ledger.events import Tested
from builder.ledger.queries import event_of
from builder.run.model import RunWish
from builder.run.oci_runtime import OciRuntimeEngine
from builder.store.artefacts import DirectoryArtefactStore
from builder.testing.settings import parse_settings
from builder.wiring.ledgers import clock
from tests.conftest import Built, Kubler
from tests.support.tiny_image import write_tiny_image
from tests.support.tools import ROOT, require_root, require_tool

PAGE = (ROOT / "docs/testing.md").read_text()
(COMMAND,) = re.findall(r"^\$ airflow-kubler (.*)$", PAGE, re.MULTILINE)
BAD = """
import sys

def test_good():
    # What the image has comes before what pytest brought.
    import packaging
    assert packaging.__file__.startswith("/home/airflow/.local/")
    assert "_pytest" in sys.modules

def test_bad():
    assert 1 == 2
"""
SETTINGS = 'timeout = "20s"\nmemory = "512MiB"\n[[files]]\nname = "slow.sh"\ntimeout = "1s"\n'

pytestmark = [pytest.mark.network, pytest.mark.tools, pytest.mark.slow]


@pytest.fixture(scope="module", autouse=True)
def _runc() -> None:
    require_root("runc needs it")
    require_tool("runc")


def test_the_pages_command_passes_on_core_and_is_recorded(core: Built, kubler: Kubler, tmp_path: Path) -> None:
    ledger = ("--ledger", tmp_path / "ledger.db")
    kubler(*ledger, "ledger", "init")
    kubler(*ledger, "build", "core", "--output", core.folder, "--compression", "zstd")
    words = shlex.split(COMMAND.replace("core.xml", f"{tmp_path}/core.xml"))
    told = kubler(*ledger, *words, "--layout", core.folder, "--engine", "runc").stdout
    assert "failed" not in told
    assert re.search(r"passed .* start version .*; the budget is 30 s", told)
    assert re.search(r"passed .* provider cncf-kubernetes  \d+ imported", told)
    for name in ("database", "requirements", "modes", "service api-server", "core/contract.sh"):
        assert re.search(rf"passed .* {name}$", told, re.MULTILINE), told
    found = ET.parse(tmp_path / "core.xml").findall(".//testcase")  # noqa: S314 - our own
    assert len(found) == len(re.findall(r"^  passed ", told, re.MULTILINE))

    with SqliteLedger(tmp_path / "ledger.db", clock, write=False) as opened:
        events = [event_of(entry, Tested) for entry in opened.find("stack", "core", kinds=(Tested.kind,))]
        reports = [json.loads(opened.document(Digest.parse(event.report)) or b"") for event in events]
    assert [(event.name, event.passed) for event in events] == [("stack", True), ("smoke", True)]
    assert {event.digest for event in events} == {core.summary["index_digest"]}
    assert sum(len(report["cases"]) for report in reports) == len(found)


def test_what_fails_in_an_image_is_told_and_ends_with_1(core: Built, kubler: Kubler, tmp_path: Path) -> None:
    tests = tmp_path / "stacks/core/tests"
    tests.mkdir(parents=True)
    (tests.parent / "stack.toml").write_bytes((ROOT / "stacks/core/stack.toml").read_bytes())
    (tests / "tests.toml").write_text(SETTINGS)
    (tests / "test_it.py").write_text(BAD)
    (tests / "slow.sh").write_text("echo so slow; sleep 30")
    (tests / "memory.sh").write_text("python -c 'x = bytearray(1 << 30)'")
    (tests / "network.sh").write_text("python -c 'import socket; socket.create_connection((\"192.0.2.1\", 80), 5)'")
    command = ("--project", tmp_path, "test", "core", "--suite", "stack", "--layout", core.folder, "--json")
    (suite,) = json.loads(kubler(*command, "--engine", "userns", status=1).stdout)
    assert (suite["suite"], suite["engine"], suite["passed"]) == ("stack", "userns", False)
    found = {case["name"]: (case["status"], case.get("reason", "")) for case in suite["cases"]}
    assert found["core/test_it.py::test_good"] == ("passed", "")
    assert found["core/test_it.py::test_bad"][0] == "failed"
    assert "E       assert 1 == 2" in found["core/test_it.py::test_bad"][1]
    assert found["core/slow.sh"] == ("timed out", "so slow\nnot done within 1 s")
    assert "MemoryError" in found["core/memory.sh"][1]
    assert "Network is unreachable" in found["core/network.sh"][1]


def test_a_container_that_does_not_end_is_ended(tmp_path: Path) -> None:
    engine = OciRuntimeEngine("runc", DirectoryArtefactStore(tmp_path / "cache", durable=False))
    image = write_tiny_image(tmp_path / "image", os.uname().machine)
    wish = RunWish(command=("-c", "echo up; sleep 600"), network="none", log=tmp_path / "log", timeout_s=2)
    with pytest.raises(ToolError, match="did not end within 2 s"):
        engine.run(image, wish)
    assert (tmp_path / "log").read_text() == "up\n"


def test_the_pages_settings_are_read() -> None:
    (text,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    settings = parse_settings(text.encode(), file="docs/testing.md")
    assert (settings.services[0].name, settings.memory_bytes) == ("api-server", 2 << 30)
