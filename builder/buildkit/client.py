"""The docker client, run as a program: which one builds, by which builder, and what its daemon keeps.

- An old client (docker 20.10) builds by the BuildKit of its daemon; a newer one by the plugin buildx. With buildx the daemon's own
  builder is named, whichever one `docker buildx use` selected: no other sees the images that are loaded for a build.
- Names given to images are of one build alone, so that two builds at once do not take each other's away.
- Whatever ends a build (an error, Ctrl-C, SIGTERM) takes its names off the daemon.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from builder.errors import ToolError

NAMESPACE: Final = "airflow-kubler"
"""First part of every name that an image gets in a daemon: `docker image ls 'airflow-kubler/*'` lists what we left."""
HINT: Final = "look at the Dockerfile, and whether the daemon runs: `docker version`"
_BUILDKIT_WITHIN: Final = 23
"""Since this version the client builds by the plugin buildx only; before, by the daemon's own BuildKit."""
_TIMEOUT_S: Final = 3600
_SHOWN: Final = 4000
_CONTAINERD_STORE: Final = "io.containerd.snapshotter"


@dataclass(frozen=True, slots=True, kw_only=True)
class DockerClient:
    """A docker client and its daemon."""

    program: str
    environment: Mapping[str, str]
    buildx: str = ""
    """The builder that buildx is told to use; empty for a client that builds without it."""

    def build(
        self, words: Sequence[str], what: str, *, seconds: float = _TIMEOUT_S, hint: str = HINT, tag: str = ""
    ) -> None:
        """Build by BuildKit; with a tag, the daemon keeps the image under it. Raises ToolError."""
        start = ["buildx", "build", "--builder", self.buildx] if self.buildx else ["build"]
        keep = ["--tag", tag, *(["--load"] if self.buildx else [])] if tag else []
        self.run([*start, "--progress", "plain", *keep, *words], what, seconds=seconds, hint=hint)

    def run(self, words: Sequence[str], what: str, *, seconds: float = _TIMEOUT_S, hint: str = HINT) -> None:
        """Run the client to its end.

        Raises:
            ToolError: it fails, with the end of what it said.
        """
        argv = [self.program, *words]
        # Attestations hold times and places of the builder: an image would become an index, another one each time.
        environment = {**self.environment, "DOCKER_BUILDKIT": "1", "BUILDX_NO_DEFAULT_ATTESTATIONS": "1"}
        try:
            done = subprocess.run(
                argv,
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                check=False,
                timeout=seconds,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise ToolError(f"{what}: {error}", argv=argv, hint=hint) from error
        if done.returncode:
            said = (done.stderr.strip() or done.stdout.strip())[-_SHOWN:]
            raise ToolError(f"{what} failed:\n{said}", argv=argv, exit_status=done.returncode, stderr=said, hint=hint)

    def ask(self, *words: str) -> str:
        """Run the client where a failure is an answer; empty for one."""
        return _ask([self.program, *words], self.environment)

    def has(self, image: str) -> bool:
        """Tell whether the daemon holds an image."""
        return bool(self.ask("image", "inspect", "--format", "{{.Id}}", image))

    def exports(self) -> bool:
        """Tell whether its BuildKit writes OCI layouts: with docker's own store of images it does not."""
        return bool(self.buildx) and _CONTAINERD_STORE in self.ask("info", "--format", "{{json .DriverStatus}}")

    @contextlib.contextmanager
    def keeping(self, *names: str) -> Iterator[None]:
        """Take names off the daemon at the end, also those that were not given yet when it came."""
        try:
            with _ending_in_order():
                yield
        finally:
            for name in names:
                self.ask("image", "rm", name)


@contextlib.contextmanager
def _ending_in_order() -> Iterator[None]:
    """Have SIGTERM, as jobs that are cancelled get it, end this process as Ctrl-C does: by way of what cleans up."""

    def end(number: int, _frame: object) -> None:
        raise SystemExit(128 + number)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def make_name(what: str) -> str:
    """Make a name for an image in a daemon, that no other build has."""
    return f"{NAMESPACE}/{what}:{secrets.token_hex(12)}"


def find_docker(environment: Mapping[str, str]) -> DockerClient:
    """Find a docker client that builds by BuildKit: any with buildx, or an old one, which needs none.

    Raises:
        ToolError: there is none.
    """
    passed = []
    for folder in environment.get("PATH", os.defpath).split(os.pathsep):
        program = shutil.which("docker", path=folder) if folder else None
        if program is None:
            continue
        version = _ask([program, "version", "--format", "{{.Client.Version}}"], environment)
        major = re.match(r"[0-9]+", version)
        if major and int(major[0]) < _BUILDKIT_WITHIN:
            return DockerClient(program=program, environment=environment)
        if _ask([program, "buildx", "version"], environment):
            # Each context's daemon has a builder of the context's name.
            builder = _ask([program, "context", "show"], environment) or "default"
            return DockerClient(program=program, environment=environment, buildx=builder)
        passed.append(f"{program} {version}")
    what = f"has no buildx: {', '.join(passed)}" if passed else "is not installed"
    raise ToolError(
        f"docker {what}",
        argv=["docker"],
        hint="install docker and its plugin buildx (packages docker.io, docker-buildx)",
    )


def _ask(argv: Sequence[str], environment: Mapping[str, str]) -> str:
    """Run a program whose failure is an answer; empty for one."""
    try:
        done = subprocess.run(argv, env=dict(environment), capture_output=True, text=True, check=False, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip()
