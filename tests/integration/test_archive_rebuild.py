"""Nothing but a registry: an image rebuilt from its archive by another user, without any index, mirror, project or cache."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Built
from tests.support.tools import ROOT, give_up, require_root, require_tool

pytestmark = [pytest.mark.tools, pytest.mark.network, pytest.mark.slow]

# Runs in a network namespace that has a loopback and nothing else.
ALONE = """
import json, os, subprocess, sys
from pathlib import Path
from tests.support.tools import registry

folder, layout, root = map(Path, sys.argv[1:4])
kubler = [sys.executable, "-m", "builder"]

def run(argv, **more):
    done = subprocess.run(argv, capture_output=True, text=True, stdin=subprocess.DEVNULL, **more)
    if done.returncode:
        sys.exit(f"{argv}: {done.returncode}: {done.stdout[-2000:]}{done.stderr[-4000:]}")
    return json.loads(done.stdout)

with registry(folder) as served:
    repository = f"{served.host}/team/airflow"
    own = [*kubler, "--project", str(root)]
    pushed = run([*own, "push", repository, "core", "--layout", str(layout), "--json"])
    archived = run([*own, "archive", "push", pushed["reference"], "--json"])
    other = folder / "other"
    other.mkdir()
    os.chown(other, 65534, 65534)
    user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs",
            "--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
    clean = {"PATH": os.environ["PATH"], "PYTHONPATH": str(root), "HOME": str(other), "TZ": "Asia/Tokyo", "LC_ALL": "C"}
    argv = [*user, *kubler, "verify", pushed["reference"], "--rebuild", "--attest", str(other / "statement"), "--json"]
    rebuilt = run(argv, cwd=other, env=clean, umask=0o077)
    statement = json.loads((other / "statement").read_text())
print(json.dumps({"pushed": pushed, "archived": archived, "rebuilt": rebuilt, "statement": statement}))
"""


def test_core_is_rebuilt_with_nothing_reachable_but_the_registry(core: Built, tmp_path: Path) -> None:
    require_root("a network namespace, and another user")
    for tool in ("unshare", "ip", "setpriv", "docker-registry"):
        require_tool(tool)
    if subprocess.run(["unshare", "-n", "true"], capture_output=True, check=False).returncode:
        give_up("this machine lets nobody make a network namespace")
    script = 'ip link set lo up && exec "$@"'
    tmp_path.chmod(0o755)
    done = subprocess.run(
        [
            "unshare",
            "-n",
            "sh",
            "-c",
            script,
            "sh",
            sys.executable,
            "-c",
            ALONE,
            *map(str, (tmp_path, core.folder, ROOT)),
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr[-6000:]
    told = json.loads(done.stdout)
    assert told["pushed"]["digest"] == core.summary["index_digest"]
    assert told["rebuilt"]["reproduced"]
    assert told["rebuilt"]["index_digest"] == core.summary["index_digest"]
    assert told["rebuilt"]["archive"] in told["archived"]["archive"]
    assert told["statement"]["predicate"]["verdict"] == "same"
    assert told["statement"]["subject"][0]["digest"]["sha256"] == core.summary["index_digest"].removeprefix("sha256:")
