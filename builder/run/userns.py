"""The engine that needs nothing but the kernel: user namespaces, for any user. The work is done in namespaces.py."""

from __future__ import annotations

import json
import subprocess
import sys

from builder.errors import ToolError
from builder.run.foreground import Quiet, run_foreground
from builder.run.model import AIRFLOW_HOME, SCRATCH, SHARED_MEMORY, RunnableImage, RunWish
from builder.run.namespaces import Spec
from builder.run.process import make_process
from builder.run.rootfs import TreeStore, ensure_rootfs
from builder.run.sandbox import Sandbox, make_sandbox

_PROGRAM = (sys.executable, "-P", "-m", "builder.run.namespaces")


class UserNamespaceEngine:
    """Runs containers in user namespaces."""

    name = "userns"

    def __init__(self, store: TreeStore) -> None:
        self._store = store

    def unavailable(self) -> str | None:
        """Try the namespaces in a process of their own."""
        done = subprocess.run([*_PROGRAM, "--probe"], capture_output=True, text=True, check=False)
        reason = done.stderr.strip().rpartition("\n")[2]
        return f"the kernel does not allow user namespaces: {reason}" if done.returncode else None

    def run(self, image: RunnableImage, wish: RunWish) -> int:
        """Run to the end in the foreground."""
        rootfs = ensure_rootfs(self._store, image)
        with make_sandbox(rootfs, wish) as sandbox:
            spec = _make_spec(image, wish, sandbox)
            path = sandbox.write_private("spec.json", json.dumps(spec))
            status = run_foreground([*_PROGRAM, str(path)], quiet=Quiet(log=wish.log, timeout_s=wish.timeout_s))
            failure = sandbox.folder / "failure"
            if failure.exists() and (text := failure.read_text()):
                raise ToolError(f"the container could not be started: {text}", argv=["userns"], exit_status=status)
            return status


def _make_spec(image: RunnableImage, wish: RunWish, sandbox: Sandbox) -> Spec:
    process = make_process(image.image.config.run, wish)
    host_network = wish.network == "host"
    names = ("/etc/resolv.conf",) if host_network else ()
    return Spec(
        argv=list(process.argv),
        env=dict(process.env),
        workdir=process.workdir,
        uid=process.uid,
        gid=process.gid,
        root=str(sandbox.root),
        read_only=wish.read_only,
        network=host_network,
        scratch=[*SCRATCH, SHARED_MEMORY],
        binds=[
            (str(sandbox.home), AIRFLOW_HOME, False),
            (str(sandbox.hosts), "/etc/hosts", True),
            *((name, name, True) for name in names),
            *((str(volume.source), volume.target, volume.read_only) for volume in wish.volumes),
        ],
        failure=str(sandbox.folder / "failure"),
    )
