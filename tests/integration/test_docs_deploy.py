"""The commands of docs/deploy and docs/deploy-check.md, run as they stand there, with a real helm and kubectl."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from builder.deploy.allowed import parse_deploy_rules
from tests.support.deployments import chart, make_project, render_chart
from tests.support.tools import ROOT, require_tool, run_tool

pytestmark = pytest.mark.tools

PAGES = sorted(path.relative_to(ROOT / "docs") for path in (ROOT / "docs/deploy").glob("*.md"))
PAGES.append(Path("deploy-check.md"))
COMMAND = re.compile(r"^\$ (?P<command>[^#\n]*?)(?:\s+# exit status (?P<status>\d+))?$", re.MULTILINE)
CHART = "apache-airflow/airflow --version 1.22.0"


@pytest.fixture
def team(tmp_path: Path) -> Path:
    """A team's folder: the project, values of its own, manifests for kustomize."""
    project = make_project(tmp_path / "team")
    served = chart(tmp_path, "1.22.0")
    (project / "values.yaml").write_text("executor: KubernetesExecutor\n")
    (project / "base").mkdir()
    quiet = ("statsd.enabled=false", "redis.enabled=false", "dags.gitSync.enabled=false")
    (project / "base/rendered.yaml").write_text(render_chart(served, sets=quiet))
    (project / "base/kustomization.yaml").write_text("resources: [rendered.yaml]\n")
    (project / "pinned").mkdir()
    (project / "overlay").mkdir()
    (project / "overlay/kustomization.yaml").write_text("resources: [../base]\ncomponents: [../pinned]\n")
    return project


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_the_commands_of_a_page_work_in_their_order(page: Path, team: Path) -> None:
    programs = {Path(require_tool(name)).parent for name in ("helm", "kubectl")}
    path = os.pathsep.join([str(Path(sys.executable).parent), *map(str, programs), os.environ["PATH"]])
    served = chart(team.parent, "1.22.0")
    commands = list(COMMAND.finditer((ROOT / "docs" / page).read_text()))
    assert commands
    for found in commands:
        done = subprocess.run(
            ["bash", "-c", f"set -o pipefail; {found['command'].replace(CHART, str(served))}"],
            cwd=team,
            env=dict(os.environ) | {"PATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == int(found["status"] or 0), f"{found[0]}\n{done.stdout}\n{done.stderr}"
    for written in team.glob("*.yaml"):
        assert list(yaml.safe_load_all(written.read_text()))


def test_the_list_of_the_page_is_one() -> None:
    (text,) = re.findall(r"```toml\n(.*?)```", (ROOT / "docs/deploy-check.md").read_text(), re.DOTALL)
    rules = parse_deploy_rules(text.encode(), file="stacks/deploy.toml")
    assert [entry.values for entry in rules.allowed] == ["statsd", ""]
    assert rules.repositories == {"mirror.example.org/team/airflow"}


@pytest.mark.parametrize("name", ["digest", "deploy-check"])
def test_what_is_printed_fits_its_schema(name: str, team: Path) -> None:
    """By a validator that is none of ours: kubernetes-validate brings one."""
    words = {
        "digest": ("digest", "core", "--channel", "prod", "--format", "json"),
        "deploy-check": ("deploy", "check", "--stack", "core", "--channel", "prod", "--json", "base"),
    }[name]
    printed = team / "printed.json"
    program = [sys.executable, "-m", "builder", "--project", str(team), *words]
    done = subprocess.run(program, cwd=team, capture_output=True, check=False)
    printed.write_bytes(done.stdout)
    validator = Path(require_tool("kubernetes-validate")).with_name("python")
    code = "import json, jsonschema, sys; jsonschema.validate(*(json.load(open(path)) for path in sys.argv[1:]))"
    run_tool(validator, "-c", code, printed, ROOT / "docs/schemas" / f"{name}.json")
    broken = team / "broken.json"
    broken.write_bytes(done.stdout.replace(b'"stack"', b'"stock"'))
    run_tool(validator, "-c", code, broken, ROOT / "docs/schemas" / f"{name}.json", status=1)


def test_the_cron_job_of_nights_is_valid() -> None:
    path = ROOT / "examples/nightly/cronjob.yaml"
    run_tool(require_tool("kubernetes-validate"), "--strict", "--kubernetes-version", "1.37", path)
