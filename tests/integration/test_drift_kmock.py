"""The official client against kmock, an emulator by other hands: what it makes of pods is what ours makes of them."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from kubernetes.client import ApiClient, Configuration, CoreV1Api

from builder.cluster.client import KubernetesCluster
from builder.drift.pods import sort_objects
from tests.support.pods import config_map, deployed, task
from tests.support.tools import ROOT, give_up, require_tool, said_port, started

pytestmark = pytest.mark.tools


def test_pods_of_another_emulator_are_read_alike(tmp_path: Path) -> None:
    python = Path(require_tool("kmock")).parent / "python"
    if subprocess.run([python, "-c", "import kmock"], capture_output=True, check=False).returncode:
        give_up("kmock is not in the environment of its command")
    items = [deployed("scheduler", number=number) for number in range(3)]
    items += [task("etl", "load"), deployed("scheduler", namespace="other"), config_map("[core]")]
    log = tmp_path / "kmock.log"
    with started([str(python), str(ROOT / "tests/support/kmock_server.py")], log) as process:
        port = said_port(process, log)
        with ApiClient(Configuration(host=f"http://127.0.0.1:{port}")) as api:
            core = CoreV1Api(api)
            for item in items:
                create: Any = core.create_namespaced_pod if item["kind"] == "Pod" else core.create_namespaced_config_map
                create(item["metadata"]["namespace"], item, _preload_content=False)
            cluster = KubernetesCluster(api, name="kmock", context="")
            for namespaces in ((), ("airflow",)):
                wanted = sort_objects(
                    one for one in items if not namespaces or one["metadata"]["namespace"] in namespaces
                )
                found = sort_objects(cluster.objects(namespaces))
                assert (found.pods, found.settings) == (wanted.pods, wanted.settings)
                assert json.dumps(found.problems) == "[]"
