"""The commands of docs/drift.md, run as they stand there: a small API, a real kubectl, and a really built image behind it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from builder.ledger.database import SqliteLedger
from builder.ledger.events import Promoted
from builder.ledger.model import NewEntry
from builder.wiring.ledgers import clock
from tests.conftest import Built, Kubler
from tests.support.kube_api import Said, SmallKubeApi
from tests.support.ledgers import ALICE, digest_of
from tests.support.pods import REPOSITORY, config_map, container, pod
from tests.support.tools import ROOT, require_root, require_tool

pytestmark = [pytest.mark.network, pytest.mark.tools, pytest.mark.slow]


def run_core(stdin: bytes, command: Sequence[str]) -> Said:
    """Run a command in the built image, as a node would."""
    done = subprocess.run(
        [sys.executable, "-m", "builder", "--project", str(ROOT), "run", "core", "--", *command],
        input=stdin,
        capture_output=True,
        check=False,
    )
    return Said(stdout=done.stdout, stderr=done.stderr, code=done.returncode)


def test_the_commands_of_drift_work_as_they_stand(core: Built, kubler: Kubler, tmp_path: Path) -> None:
    require_root("runc needs it")
    kubectl, page = Path(require_tool("kubectl")), (ROOT / "docs/drift.md").read_text()
    digest, ledger = core.summary["index_digest"], tmp_path / "ledger.db"
    (tmp_path / "stacks").mkdir()
    (tmp_path / "stacks/deploy.toml").write_text(page.partition("```toml\n")[2].partition("```")[0])
    kubler("--ledger", ledger, "ledger", "init", "--origin", "example.org/airflow")
    kubler("--ledger", ledger, "build", "core", "--output", tmp_path / "core")
    with SqliteLedger(ledger, clock, write=True) as opened:
        move = Promoted(stack="core", channel="prod", digest=digest, rules=digest_of("rules"))
        opened.append([NewEntry(event=move)], ALICE)

    image = f"{REPOSITORY}@{digest}"
    labels = {"tier": "airflow", "component": "scheduler", "release": "airflow"}
    here = core.platform("amd64" if os.uname().machine == "x86_64" else "arm64")
    scheduler = container(image=image, image_id=f"{REPOSITORY}@{here.descriptor.digest}")
    objects = [
        pod("airflow-scheduler-0", scheduler, owner=("StatefulSet", "airflow-scheduler"), labels=labels),
        config_map("[core]\nexecutor = CeleryExecutor\n"),
        pod("dns", container("dns", image="dns", image_id=digest_of("dns")), namespace="kube-system"),
    ]
    with SmallKubeApi(objects) as api:
        api.anonymous = True
        api.exec = lambda _pod, _container, command: run_core(api.stdin, command)
        path = os.pathsep.join((str(Path(sys.executable).parent), str(kubectl.parent), os.environ["PATH"]))
        env = os.environ | {"PATH": path, "KUBECONFIG": str(api.kubeconfig(tmp_path)), "HOME": str(tmp_path)}
        commands = re.findall(r"^\$ (.*)$", page, re.MULTILINE)
        assert len(commands) == 7
        for command in commands:
            done = subprocess.run(
                ["bash", "-o", "pipefail", "-c", command],
                cwd=tmp_path,
                env=env,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        assert len(json.loads((tmp_path / "listing.json").read_text())["distributions"]) > 100
        assert done.stdout.endswith(": as its lock says\n")
        with SqliteLedger(ledger, clock, write=False) as opened:
            # Once for each way of naming what was looked at: all, the targets' and one namespace.
            (first, *_) = opened.find("digest", digest, kinds=("deployment",))
        assert first.data["images"][0]["workloads"] == ["airflow/statefulset/airflow-scheduler"]
