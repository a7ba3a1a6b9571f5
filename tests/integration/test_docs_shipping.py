"""The commands of docs/shipping.md, run as they stand there, against a real registry."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from tests.conftest import Kubler, fetch_files
from tests.support.tools import ROOT, registry

PAGE = ROOT / "docs/shipping.md"
EXAMPLE = "registry.example.org"

pytestmark = [pytest.mark.tools, pytest.mark.network]


def test_the_commands_of_the_page_work_in_their_order(kubler: Kubler, tmp_path: Path) -> None:
    fetch_files(kubler, "core")
    commands = re.findall(r"^\$ airflow-kubler (.*)$", PAGE.read_text(), re.MULTILINE)
    assert len(commands) == 7
    said = {}
    with registry(tmp_path) as served:
        for command in commands:
            words = shlex.split(command.replace(EXAMPLE, served.host).replace("pulled", str(tmp_path / "pulled")))
            said[words[0]] = kubler(*words).stdout
        listed = json.loads(kubler("ls", f"{served.host}/team/airflow", "--json").stdout)
        again = json.loads(kubler("push", f"{served.host}/team/airflow", "core", "--json").stdout)
    (dated, dev, staging) = listed
    assert dated["immutable"]
    assert dated["same_as"] == ["dev", "staging"]
    assert [dev["tag"], staging["tag"]] == ["dev", "staging"]
    assert said["push"].splitlines()[-1] == f"{served.host}/team/airflow@{dated['digest']}"
    assert again["digest"] == dated["digest"]
    assert (again["tags"], again["sent_bytes"], again["blobs_sent"]) == ([dated["tag"]], 0, 0)
