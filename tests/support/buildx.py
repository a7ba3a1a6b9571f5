"""A docker with buildx, newer than the machine's: trixie's, unpacked by `make tools` and never installed.

Daemon and client see this machine with one difference, in a mount namespace of their own: /usr is trixie's. So folders have the
same names for both, and a wrapper called `docker` is all that a caller needs.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.tools import ROOT, docker_answers, give_up, require_root, require_tool, started

_FOLDER = ROOT / ".tools/trixie"
_INSIDE = 'mount --bind "$0/usr" /usr && exec "$@"'


@contextmanager
def buildx_daemon(folder: Path, *, containerd_store: bool) -> Iterator[dict[str, str]]:
    """Run trixie's docker daemon; gives the environment for its clients, with the wrapper first on PATH.

    Args:
        folder: with a short path, for sockets.
        containerd_store: keep images in containerd's store, as docker does by default since 29; its BuildKit then writes
            OCI layouts. Else in docker's own.
    """
    require_root("dockerd needs it")
    require_tool("unshare")
    if not (_FOLDER / "usr/bin/docker").is_file() or not Path("/bin").is_symlink():
        give_up("docker with buildx is not unpacked, or this machine's /bin is no link to /usr/bin: run `make tools`")
    bin_folder = folder / "bin"
    bin_folder.mkdir()
    start = f"#!/bin/sh\nexec unshare --mount --propagation private sh -c '{_INSIDE}' '{_FOLDER}'"
    for name, program in (("docker", "/usr/bin/docker"), ("dockerd", "/usr/sbin/dockerd")):
        (bin_folder / name).write_text(f'{start} {program} "$@"\n')
        (bin_folder / name).chmod(0o755)
    settings = folder / "daemon.json"
    settings.write_text(json.dumps({"features": {"containerd-snapshotter": containerd_store}}))
    argv = [
        str(bin_folder / "dockerd"),
        f"--config-file={settings}",
        *("--iptables=false", "--ip6tables=false", "--bridge=none"),
        *(f"--data-root={folder}/data", f"--exec-root={folder}/exec", f"--pidfile={folder}/pid"),
        f"--host=unix://{folder}/d.sock",
    ]
    env = {
        "DOCKER_HOST": f"unix://{folder}/d.sock",
        "DOCKER_CONFIG": str(folder / "client"),
        "PATH": f"{bin_folder}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
    }
    log = folder / "dockerd.log"
    with started(argv, log) as process:
        if not docker_answers(process, env):
            give_up(f"trixie's dockerd does not start: {log.read_text(errors='replace')[-1000:]}")
        yield env
