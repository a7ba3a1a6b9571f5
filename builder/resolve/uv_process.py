"""uv as a program: where it is, what environment it gets, and how it is run.

The environment is made from an allow list: nobody's index, override, prerelease rule or Python moves a lock, and no credential
reaches uv. The index goes by variables, never by arguments: its proxy holds a password, and arguments are seen by every
user of a machine.
"""

from __future__ import annotations

import functools
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from builder.errors import PackageIndexError, ToolError
from builder.resolve.model import IndexAddress

_PASSED = re.compile(r"HOME|PATH|TMPDIR|UV_CONCURRENT_\w+")
_PATIENCE_S = 600
"""The loopback index may have to ask a slow one, or to build a wheel, before it answers."""
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """What a run of uv left behind."""

    status: int
    stdout: str
    stderr: str


class Uv:
    """The uv that is pinned beside this program.

    Args:
        variables: the user's environment.
        cache: a folder for uv's own cache.
    """

    def __init__(self, variables: Mapping[str, str], *, cache: Path) -> None:
        self._variables = dict(variables)
        self._cache = cache
        # Found here, once: sysconfig, which uv's finder asks, is not safe to be first used by several threads.
        self._program = find_uv()

    def version(self) -> str:
        """Name the program and its version, as `uv 0.13.9`."""
        from importlib.metadata import version

        return f"uv {version('uv')}"

    def run(self, arguments: Sequence[str], *, folder: Path, index: IndexAddress) -> Finished:
        """Run uv in a folder, with one index.

        Raises:
            ToolError: it is missing or could not be started.
        """
        # uv wants some interpreter to start from, whatever version is resolved for: ours is there for certain.
        argv = [self._program, *arguments, "--python", sys.executable]
        try:
            done = subprocess.run(
                argv,
                cwd=folder,
                env=make_environment(self._variables, cache=self._cache, index=index),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                check=False,
                preexec_fn=_make_bound_to_parent(),
            )
        except OSError as error:
            raise ToolError(f"cannot be started: {error.strerror}", argv=argv) from error
        return Finished(status=done.returncode, stdout=done.stdout, stderr=done.stderr)


def make_environment(variables: Mapping[str, str], *, cache: Path, index: IndexAddress) -> dict[str, str]:
    """Make uv's environment: programs, a cache of its own, and one index behind a proxy of ours; nothing else gets in."""
    environment = {name: value for name, value in variables.items() if _PASSED.fullmatch(name)}
    return environment | {
        "UV_NO_CONFIG": "1",
        "NO_COLOR": "1",
        "UV_NO_PROGRESS": "1",
        "UV_PYTHON_DOWNLOADS": "never",
        "UV_CACHE_DIR": str(cache),
        "UV_DEFAULT_INDEX": index.url,
        "UV_KEYRING_PROVIDER": "disabled",
        # A failure on the loopback is ours, and asking again does not mend it.
        "UV_HTTP_RETRIES": "0",
        "UV_HTTP_TIMEOUT": str(_PATIENCE_S),
        "http_proxy": index.proxy,
    }


@functools.cache
def built_in_index() -> str:
    """Ask uv for the index that it uses where none is named, so that no host stands in this project; asks no network.

    Raises:
        PackageIndexError: uv did not say.
    """
    argv = [find_uv(), "pip", "compile", "--emit-index-url", "--no-header", "--quiet", "--offline"]
    argv += ["--python", sys.executable, "-"]
    environment = {"UV_NO_CONFIG": "1", "HOME": "/", "UV_NO_CACHE": "1"}
    try:
        done = subprocess.run(argv, env=environment, input="", capture_output=True, text=True, check=False, cwd="/")
    except OSError as error:
        raise ToolError(f"cannot be started: {error.strerror}", argv=argv) from error
    found = re.search(r"^--index-url (\S+)$", done.stdout, re.MULTILINE)
    if found is None:
        raise PackageIndexError(
            "uv does not say which index is its default", hint="name an index in uv's or pip's settings"
        )
    return found[1]


def _make_bound_to_parent() -> Callable[[], None] | None:
    """Make what lets a child end with us, even when we are killed: uv would wait for a silent index for minutes.

    NOTE: it runs between fork and exec, where other threads' locks may be held for ever: one call that is bound before.
    Source: prctl(2), PR_SET_PDEATHSIG; the thread that starts the child waits for it, so it outlives it.
    """
    import ctypes

    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    return None if prctl is None else functools.partial(prctl, _PR_SET_PDEATHSIG, int(signal.SIGKILL))


@functools.cache
def find_uv() -> str:
    """Name the uv that is installed beside this program.

    Raises:
        ToolError: there is none.
    """
    import uv

    try:
        return uv.find_uv_bin()
    except FileNotFoundError as error:
        raise ToolError("uv is not installed beside this program", hint="install airflow-kubler again") from error
