"""The commands of docs/shipping.md and docs/archive.md, run as they stand there, against a real registry."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from tests.conftest import Kubler, fetch_files
from tests.support.tools import ROOT, registry

EXAMPLE = "registry.example.org"

pytestmark = [pytest.mark.tools, pytest.mark.network]


def run_page(page: str, kubler: Kubler, host: str, folder: Path) -> dict[str, str]:
    """Run a page's commands in their order; gives what each verb said last."""
    said = {}
    commands = re.findall(r"^\$ airflow-kubler (.*)$", (ROOT / "docs" / page).read_text(), re.MULTILINE)
    for command in commands:
        words = shlex.split(command.replace(EXAMPLE, host))
        words = [str(folder / word) if word in {"pulled", "rebuild.json"} else word for word in words]
        said[words[0]] = kubler(*words).stdout
    return said


def test_the_commands_of_shipping_work_in_their_order(kubler: Kubler, tmp_path: Path) -> None:
    fetch_files(kubler, "core")
    with registry(tmp_path) as served:
        said = run_page("shipping.md", kubler, served.host, tmp_path)
        assert sorted(said) == ["build", "gc", "ls", "pull", "push", "tag", "verify"]
        listed = json.loads(kubler("ls", f"{served.host}/team/airflow", "--json").stdout)
        again = json.loads(kubler("push", f"{served.host}/team/airflow", "core", "--json").stdout)
    (dated, dev, staging) = listed
    assert dated["immutable"]
    assert dated["same_as"] == ["dev", "staging"]
    assert [dev["tag"], staging["tag"]] == ["dev", "staging"]
    assert said["push"].splitlines()[-1] == f"{served.host}/team/airflow@{dated['digest']}"
    assert again["digest"] == dated["digest"]
    assert (again["tags"], again["sent_bytes"], again["blobs_sent"]) == ([dated["tag"]], 0, 0)


@pytest.mark.slow
def test_the_commands_of_archives_work_in_their_order(kubler: Kubler, tmp_path: Path) -> None:
    fetch_files(kubler, "core")
    kubler("build", "core")
    with registry(tmp_path) as served:
        said = run_page("archive.md", kubler, served.host, tmp_path)
    assert sorted(said) == ["archive", "fetch", "push", "verify"]
    assert "was rebuilt to the same digest" in said["verify"]
    assert json.loads((tmp_path / "rebuild.json").read_text())["predicate"]["verdict"] == "same"
