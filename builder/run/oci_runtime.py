"""The engines runc and crun: OCI runtimes on an unpacked root folder. As root; others have userns."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
from pathlib import Path

from builder.errors import ToolError
from builder.run.bundle import runtime_config
from builder.run.foreground import Quiet, capture, run_foreground
from builder.run.model import RunnableImage, RunWish
from builder.run.process import make_process
from builder.run.rootfs import TreeStore, ensure_rootfs
from builder.run.sandbox import make_sandbox

_HYBRID = Path("/sys/fs/cgroup/unified")


class OciRuntimeEngine:
    """Runs containers with an OCI runtime.

    Args:
        name: `runc` or `crun`.
        store: where unpacked root folders are kept.
    """

    def __init__(self, name: str, store: TreeStore) -> None:
        self.name = name
        self._store = store

    def unavailable(self) -> str | None:
        """Look for the program, and for what it is known to need."""
        if shutil.which(self.name) is None:
            return "is not installed"
        if os.geteuid() != 0:
            return "needs root; userns does not"
        if self.name == "crun" and _HYBRID.is_dir():
            return "refuses this machine's hybrid cgroups"
        return None

    def run(self, image: RunnableImage, wish: RunWish) -> int:
        """Run to the end in the foreground."""
        rootfs = ensure_rootfs(self._store, image)
        name = f"airflow-kubler-{secrets.token_hex(8)}"
        with make_sandbox(rootfs, wish) as sandbox:
            config = runtime_config(
                make_process(image.image.config.run, wish),
                wish,
                root=sandbox.root,
                home=sandbox.home,
                hosts=sandbox.hosts,
            )
            sandbox.write_private("config.json", json.dumps(config))
            runtime = [self.name, "--root", str(sandbox.folder / "state")]
            argv = [*runtime, "run", "--bundle", str(sandbox.folder), name]
            try:
                return run_foreground(argv, quiet=Quiet(log=wish.log, timeout_s=wish.timeout_s))
            except ToolError:
                # A runtime that was killed leaves its container running.
                with contextlib.suppress(ToolError):
                    capture([*runtime, "delete", "--force", name], "ending the container")
                raise
