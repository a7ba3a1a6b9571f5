"""Resolution by pip-compile, one platform at a time, wheels only; the second resolver behind the same port as uv.

pip-compile is made to resolve for a base's Python by pip_shim.py, in a process of its own. It sees the one index of the request,
and nothing of the user's environment or pip settings. The shim reaches into pip and pip-tools, so versions that were not
tried are refused.

Where it differs from uv (tests/contract shows it; on core's requirements both found the same):
- pip is given the tags of the base's very glibc, uv knows platforms up to glibc 2.40 only;
- among equally good answers pip may find another: it looks at requirements in another order;
- `lowest_direct` is not known.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from packaging.requirements import Requirement

from builder.errors import PackageIndexError, ResolutionError, ToolError
from builder.resolve.model import Resolution, ResolutionRequest
from builder.resolve.tags import rank_tags
from builder.resolve.uv import parse_candidates

_KNOWN = {"pip-tools": ("7.6",), "pip": ("26.1", "26.2", "26.3")}
"""Major and minor versions that the contract tests passed with."""
_SHIM = Path(__file__).with_name("pip_shim.py")
_PATIENCE_S = 600
"""The loopback index may have to ask a slow one, or to build a wheel, before it answers."""
_MESSAGE_LINES = 12
_ADVICE = ("To fix this", "Additionally,")
_REQUIREMENTS, _OUTPUT, _PINS, _CONSTRAINTS = "requirements.in", "candidates.txt", "pins.txt", "constraints.txt"
_PASSED = ("LD_LIBRARY_PATH",)
_UNRESOLVED = frozenset({"DistributionNotFound", "ResolutionTooDeepError", "UnsupportedPythonVersion", "RuntimeError"})
"""Kinds of failure that say that what was asked for cannot be had; all others are the index's or pip's own."""
_INDEX_KINDS = re.compile(
    r"HTTPError|Connection|Timeout|Network|ProxyError|Retry|Hash|MetadataInvalid|InvalidWheel|SSL"
)
_EXTRA = "pip-tools comes with an extra: pip install 'airflow-kubler[pip-tools]'"
_HINT_INDEX = "try again; if it goes on, run with --debug and look at what the index answered"
_HINT_WHEEL = "ask for a version that has wheels, or put a wheel on an index of yours"
_HINT_CONFLICT = "relax one of the requirements named here, or move it into a stack of its own"


class PipToolsResolver:
    """A Resolver that runs pip-compile.

    Args:
        variables: the user's environment.
        cache: a folder for pip's own cache.
        scratch: where its folders are made, so that `store gc` finds what a killed run left; None for the system's place.

    Raises:
        ToolError: pip-tools or pip is missing, or not of a version that is known.
    """

    def __init__(self, variables: Mapping[str, str], *, cache: Path, scratch: Path | None = None) -> None:
        self._versions = installed_versions()
        check_versions(self._versions)
        self._variables = {name: variables[name] for name in _PASSED if name in variables}
        self._cache = cache
        self._scratch = scratch

    @property
    def name(self) -> str:
        """Programs and versions, as `pip-tools 7.6.2 (pip 26.3)`."""
        return f"pip-tools {self._versions['pip-tools']} (pip {self._versions['pip']})"

    def resolve(self, request: ResolutionRequest) -> Resolution:
        """Resolve for one platform."""
        if request.lowest_direct:
            raise ToolError("pip-tools does not know lowest versions", hint="take the resolver uv for this")
        _refuse_addresses(request)
        for folder in (self._cache, self._scratch):
            if folder is not None:
                folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self._scratch, prefix="pip-tools-") as name:
            folder = Path(name)
            _write_lines(folder / _REQUIREMENTS, request.requirements)
            _write_lines(folder / _PINS, _pins(request.pins))
            _write_lines(folder / _CONSTRAINTS, [_without_extras(line) for line in request.constraints])
            if request.preferences:
                _write_lines(folder / _OUTPUT, _pins(request.preferences))
            arguments = make_arguments(request, self._cache)
            answer, said = self._run(make_task(request, arguments), folder)
            if answer["failure"] or answer["unread"]:
                raise _translate(answer, said, request)
            text = (folder / _OUTPUT).read_text(encoding="utf-8")
        return Resolution(platform=request.platform, candidates=parse_candidates(_plain_pins(text, request)))

    def _run(self, task: Mapping[str, Any], folder: Path) -> tuple[dict[str, Any], str]:
        """Run the shim; returns its answer and what pip said."""
        # -P: the shim's own folder is not where modules are looked for.
        argv = [sys.executable, "-P", str(_SHIM)]
        try:
            done = subprocess.run(
                argv,
                cwd=folder,
                env=make_environment(self._variables, folder),
                input=json.dumps(task),
                capture_output=True,
                text=True,
                encoding="utf-8",
                errors="replace",
                check=False,
            )
        except OSError as error:
            raise ToolError(f"cannot be started: {error.strerror}", argv=argv) from error
        try:
            return json.loads(done.stdout), done.stderr
        except ValueError:
            raise ToolError(
                "failed inside pip-tools", argv=argv, exit_status=done.returncode, stderr=done.stderr
            ) from None


def installed_versions() -> dict[str, str]:
    """Find what of pip-tools and pip is beside this program."""
    found: dict[str, str] = {}
    for project in _KNOWN:
        with contextlib.suppress(PackageNotFoundError):
            found[project] = version(project)
    return found


def check_versions(found: Mapping[str, str]) -> None:
    """Refuse versions that were not tried.

    Args:
        found: versions by project; what is not installed is left out.

    Raises:
        ToolError: pip-tools or pip is missing, or not of a version that is known.
    """
    for project, known in _KNOWN.items():
        if project not in found:
            raise ToolError(f"{project} is not installed beside this program", hint=_EXTRA)
        if ".".join(found[project].split(".")[:2]) not in known:
            raise ToolError(
                f"{project} {found[project]} is not a version that is known here: {', '.join(known)}", hint=_EXTRA
            )


def make_arguments(request: ResolutionRequest, cache: Path) -> list[str]:
    """Make pip-compile's arguments. They go through a pipe: the proxy's address holds a password."""
    host = urlsplit(request.index.url).hostname or ""
    pip = ["--only-binary", ":all:", "--proxy", request.index.proxy, "--retries", "0", "--timeout", str(_PATIENCE_S)]
    pip += ["--no-input", "--keyring-provider", "disabled", "--disable-pip-version-check", "--progress-bar", "off"]
    return [
        *(_REQUIREMENTS, "--output-file", _OUTPUT, "--constraint", _PINS, "--constraint", _CONSTRAINTS),
        *("--index-url", request.index.url, "--trusted-host", host, "--cache-dir", str(cache.absolute())),
        *("--no-config", "--no-header", "--no-emit-options", "--no-emit-index-url", "--no-emit-trusted-host"),
        *("--annotation-style", "line", "--strip-extras", "--allow-unsafe", "--newline", "lf", "--no-color"),
        # A round is lost with each conflict of preferences, and there may be hundreds of them.
        *("--max-rounds", str(len(request.preferences) + 2), "--pip-args", shlex.join(pip)),
    ]


def make_task(request: ResolutionRequest, arguments: Sequence[str]) -> dict[str, Any]:
    """Make what the shim reads: the target is the base's Python, whatever runs here."""
    numbers = [int(part) for part in request.python_version.split(".")]
    ranked = rank_tags(request.python_version, request.platform, request.glibc)
    return {
        "arguments": list(arguments),
        "environment": marker_environment(request),
        "python": [*numbers, 0, 0][:3],
        "tags": [[tag.interpreter, tag.abi, tag.platform] for tag in sorted(ranked, key=ranked.__getitem__)],
        "parent": os.getpid(),
    }


def marker_environment(request: ResolutionRequest) -> dict[str, str]:
    """Make the environment that markers are judged by: the base's; what only a running kernel knows is empty.

    Source: the dependency specifiers specification, environment markers.
    """
    return {
        "implementation_name": "cpython",
        "implementation_version": request.python_version,
        "os_name": "posix",
        "platform_machine": request.platform.machine,
        "platform_python_implementation": "CPython",
        "platform_release": "",
        "platform_system": "Linux",
        "platform_version": "",
        "python_full_version": request.python_version,
        "python_version": ".".join(request.python_version.split(".")[:2]),
        "sys_platform": "linux",
    }


def make_environment(variables: Mapping[str, str], folder: Path) -> dict[str, str]:
    """Make the shim's environment: no settings of pip, no home, and no program that a requirement could make pip start."""
    return dict(variables) | {
        "HOME": str(folder),
        "PATH": str(folder / "no-programs"),
        # What a killed pip leaves behind goes with the folder.
        "TMPDIR": str(folder),
        "PIP_CONFIG_FILE": os.devnull,
        "PYTHONUTF8": "1",
        "NO_COLOR": "1",
    }


def _translate(
    answer: Mapping[str, Any], said: str, request: ResolutionRequest
) -> ResolutionError | PackageIndexError | ToolError:
    """Turn pip's message into ours, kept short; the whole of it is the cause, shown by --debug."""
    failure = answer["failure"] or {"kind": "", "message": ""}
    kind, message = str(failure["kind"]), str(failure["message"])
    context = f"{request.label} on {request.platform.name}"
    said = said.replace(request.index.proxy, "http://loopback")
    error: ResolutionError | PackageIndexError | ToolError
    if answer["unread"]:
        error = PackageIndexError(_short(answer["unread"][0]), context=context, hint=_HINT_INDEX)
    elif kind in _UNRESOLVED:
        said = "\n".join([*answer["conflict"], message])
        hint = _HINT_WHEEL if message.startswith("No matching distribution") else _HINT_CONFLICT
        error = ResolutionError(_short(_conflict(answer["conflict"]) or message), context=context, hint=hint)
    elif _INDEX_KINDS.search(kind):
        error = PackageIndexError(_short(message), context=context, hint=_HINT_INDEX)
    else:
        error = ToolError(_short(f"{kind}: {message}"), argv=["pip-compile"], stderr=said)
    error.__cause__ = ToolError("failed", argv=["pip-compile"], exit_status=1, stderr=said)
    return error


def _conflict(said: Sequence[str]) -> str:
    """Take the conflict out of what pip said, without its advice; its first line names requirements by numbers of lines."""
    lines = "\n".join(said).partition("The conflict is caused by:")[2].splitlines()
    found = [line.strip() for line in itertools.takewhile(lambda line: not line.startswith(_ADVICE), lines)]
    if found:
        return "\n".join(["these do not go together:", *(f"    {line}" for line in dict.fromkeys(found) if line)])
    return "\n".join(said)


def _short(message: str) -> str:
    return "\n".join(message.strip().splitlines()[:_MESSAGE_LINES])


def _plain_pins(text: str, request: ResolutionRequest) -> str:
    """Bring pip-compile's lines into the form that uv has: no markers, `==` alone.

    Raises:
        ResolutionError: something comes from a url.
    """
    lines = []
    for line in text.splitlines():
        pin, _, comment = line.partition("  # ")
        pin = pin.partition(";")[0].strip().replace("===", "==")
        if " @ " in pin or pin.startswith("-e"):
            raise _address_error(pin.partition(" ")[0], request)
        lines.append(f"{pin}  # {comment.strip()}")
    return "\n".join(lines)


def _refuse_addresses(request: ResolutionRequest) -> None:
    for text in (*request.requirements, *request.constraints):
        if Requirement(text).url:
            raise _address_error(text.partition(" ")[0], request)


def _address_error(name: str, request: ResolutionRequest) -> ResolutionError:
    return ResolutionError(
        f"{name} comes from a url, a folder or a repository, not from an index",
        context=request.label,
        hint="put a wheel on an index or into a find-links folder of yours, and ask for it by version",
    )


def _without_extras(line: str) -> str:
    """Take extras off a constraint: pip refuses them there."""
    return re.sub(r"^([\w.-]+)\s*\[[^]]*\]", r"\1", line)


def _pins(pins: Sequence[tuple[str, str]]) -> list[str]:
    return [f"{project}=={release}" for project, release in pins]


def _write_lines(path: Path, lines: Sequence[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
