"""uv as a program: where it is, what environment it gets, and how it is run.

The environment is made from an allow list: of the user's `UV_*` variables only those that say how to reach and cache
things pass, so that nobody's override, prerelease rule or Python moves a lock. Indexes go by variables, never by
arguments: they may hold credentials, and arguments are seen by every user of a machine.
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
from builder.resolve.settings import IndexSettings

_PASSED = re.compile(
    r"HOME|PATH|TMPDIR|NETRC|XDG_(CACHE|DATA|CONFIG)_HOME|SSL_(CERT_FILE|CERT_DIR|CLIENT_CERT)"
    r"|(?i:(http|https|all|no)_proxy)"
    r"|UV_(CACHE_DIR|CONCURRENT_\w+|HTTP_\w+|REQUEST_TIMEOUT|NATIVE_TLS|SYSTEM_CERTS|EXCLUDE_NEWER|KEYRING_PROVIDER)"
)
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
        settings: where files come from.
        variables: the user's environment.
    """

    def __init__(self, settings: IndexSettings, variables: Mapping[str, str]) -> None:
        self._environment = make_environment(settings, variables)
        # Found here, once: sysconfig, which uv's finder asks, is not safe to be first used by several threads.
        self._program = _find_uv()

    def version(self) -> str:
        """Name the program and its version, as `uv 0.13.9`."""
        from importlib.metadata import version

        return f"uv {version('uv')}"

    def run(self, arguments: Sequence[str], *, folder: Path) -> Finished:
        """Run uv in a folder.

        Raises:
            ToolError: it is missing or could not be started.
        """
        # uv wants some interpreter to start from, whatever version is resolved for: ours is there for certain.
        argv = [self._program, *arguments, "--python", sys.executable]
        try:
            done = subprocess.run(
                argv,
                cwd=folder,
                env=self._environment,
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


def make_environment(settings: IndexSettings, variables: Mapping[str, str]) -> dict[str, str]:
    """Make uv's environment from the settings and the user's own."""
    environment = {name: value for name, value in variables.items() if _PASSED.fullmatch(name)}
    environment |= {"UV_NO_CONFIG": "1", "NO_COLOR": "1", "UV_NO_PROGRESS": "1", "UV_PYTHON_DOWNLOADS": "never"}
    environment["UV_INDEX_STRATEGY"] = settings.strategy
    if settings.default_index:
        environment["UV_DEFAULT_INDEX"] = settings.default_index
    if settings.extra_indexes:
        environment["UV_INDEX"] = " ".join(settings.extra_indexes)
    if settings.find_links:
        environment["UV_FIND_LINKS"] = ",".join(settings.find_links)
    if settings.no_index:
        environment["UV_NO_INDEX"] = "1"
    if settings.certificate:
        environment["SSL_CERT_FILE"] = str(settings.certificate)
    if settings.trusted_hosts:
        environment["UV_INSECURE_HOST"] = " ".join(settings.trusted_hosts)
    if settings.keyring:
        environment["UV_KEYRING_PROVIDER"] = "subprocess"
    if settings.offline:
        environment["UV_OFFLINE"] = "1"
    return environment


@functools.cache
def built_in_index() -> str:
    """Ask uv for the index that it uses where none is named, so that no host stands in this project; asks no network.

    Raises:
        PackageIndexError: uv did not say.
    """
    argv = [_find_uv(), "pip", "compile", "--emit-index-url", "--no-header", "--quiet", "--offline"]
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
def _find_uv() -> str:
    import uv

    try:
        return uv.find_uv_bin()
    except FileNotFoundError as error:
        raise ToolError("uv is not installed beside this program", hint="install airflow-kubler again") from error
