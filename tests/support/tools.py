"""Real peers: finding them, starting their daemons on the loopback, and ending what was started, by process."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import pytest

ROOT = Path(__file__).parents[2]
_PATH = os.pathsep.join((str(ROOT / ".tools/bin"), os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"))

_LISTENING = re.compile(r"listening on 127\.0\.0\.1:(\d+)\D|serving on port (\d+)\D")
"""As docker-registry and crane say it."""


def require_tool(name: str) -> str:
    """Find a program; without it skip the test by name, or fail where CI=true."""
    found = shutil.which(name, path=_PATH)
    if found is None:
        give_up(f"{name} is not installed: run `make tools`")
    return found


def require_root(why: str) -> None:
    """Skip the test where this is not root, or fail where CI=true."""
    if os.geteuid() != 0:
        give_up(f"not root: {why}")


def give_up(reason: str) -> NoReturn:
    """Skip, or fail in continuous integration, where everything is to be there."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def run_tool(*argv: str | Path, env: Mapping[str, str] | None = None, timeout_s: float = 600, status: int = 0) -> str:
    """Run a program to its end and give its standard output; any other exit status fails the test with what it said."""
    done = subprocess.run(
        [str(word) for word in argv],
        env=dict(os.environ) | {"PATH": _PATH} | dict(env or {}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    assert done.returncode == status, (
        f"{argv}: exit status {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    )
    return done.stdout


def wait_until(condition: Callable[[], bool], *, timeout_s: float, what: str) -> None:
    """Ask again and again."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {timeout_s:.0f} s"
        time.sleep(0.02)


@contextmanager
def started(argv: Sequence[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a daemon for a while."""
    with (
        log.open("wb") as sink,
        subprocess.Popen(
            list(argv), stdin=subprocess.DEVNULL, stdout=sink, stderr=sink, env=dict(os.environ) | {"PATH": _PATH}
        ) as process,
    ):
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


def said_port(process: subprocess.Popen[bytes], log: Path, *, timeout_s: float = 60) -> int:
    """Wait until a registry says which port the kernel gave it: a port chosen here could be another process's by then."""

    def found() -> re.Match[str] | None:
        return _LISTENING.search(log.read_text(errors="replace"))

    wait_until(lambda: found() is not None or process.poll() is not None, timeout_s=timeout_s, what="a port")
    said = found()
    assert said is not None, f"{process.args!r} does not start:\n{log.read_text(errors='replace')[-2000:]}"
    return int(said[1] or said[2])


@dataclass(frozen=True, slots=True, kw_only=True)
class Registry:
    """A registry on the loopback, without TLS."""

    host: str
    """As `127.0.0.1:5001`."""


@contextmanager
def registry(folder: Path) -> Iterator[Registry]:
    """Serve a registry from a folder."""
    program = require_tool("docker-registry")
    config, log = folder / "registry.yml", folder / "registry.log"
    config.write_text(
        f"version: 0.1\nstorage: {{filesystem: {{rootdirectory: {folder}/data}}, delete: {{enabled: true}}}}\n"
        f"http: {{addr: '127.0.0.1:0'}}\nlog: {{level: info}}\n"
    )
    with started([program, "serve", str(config)], log) as process:
        yield Registry(host=f"127.0.0.1:{said_port(process, log)}")


@contextmanager
def docker_daemon(folder: Path, insecure: Sequence[str] = ()) -> Iterator[dict[str, str]]:
    """Run a docker daemon of its own; gives the environment for its clients."""
    require_root("dockerd needs it")
    program = require_tool("dockerd")
    require_tool("docker")
    # Paths of sockets are short: pytest's folders are not.
    sock = folder / "d.sock"
    problems = []
    for driver in ("overlay2", "vfs"):
        argv = [
            program,
            *("--iptables=false", "--ip6tables=false", "--bridge=none", f"--storage-driver={driver}"),
            *(f"--data-root={folder}/data-{driver}", f"--exec-root={folder}/exec-{driver}"),
            *(f"--pidfile={folder}/{driver}.pid", f"--host=unix://{sock}"),
            *(f"--insecure-registry={host}" for host in insecure),
        ]
        log = folder / f"{driver}.log"
        with started(argv, log) as process:
            env = {"DOCKER_HOST": f"unix://{sock}", "DOCKER_CONFIG": str(folder / "client")}
            if docker_answers(process, env):
                yield env
                return
        problems.append(log.read_text(errors="replace")[-1000:])
    give_up("dockerd does not start: " + "\n".join(problems))


def docker_answers(process: subprocess.Popen[bytes], env: Mapping[str, str]) -> bool:
    """Wait until a daemon answers its client; false where it ends before."""
    for _ in range(300):
        if process.poll() is not None:
            return False
        asked = subprocess.run(
            ["docker", "version"], env=dict(os.environ) | dict(env), capture_output=True, check=False
        )
        if asked.returncode == 0:
            return True
        time.sleep(0.1)
    return False
