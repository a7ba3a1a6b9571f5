"""Resolution by `uv pip compile`, one platform at a time, wheels only.

uv sees the one index of the request, and of the user's environment nothing but where programs are. It resolves for the
base's exact Python and nearest glibc, and its annotations tell which project requires which. Which of a version's wheels
the base will use is not uv's business: tags.py knows the base better.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

from packaging.utils import canonicalize_name

from builder.errors import PackageIndexError, ResolutionError, ToolError
from builder.platform import Platform
from builder.resolve.model import Resolution, ResolutionRequest, ResolvedCandidate
from builder.resolve.uv_process import Finished, Uv

_UV_GLIBC = (17, 28, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40)
"""Minor versions of `--python-platform <machine>-manylinux_2_<minor>` that uv knows."""
_MESSAGE_LINES = 12
_INDEX_FAILED = re.compile(r"(?i)failed to fetch|error sending request|timed out|status code|network was disabled")
_REQUIREMENTS = "requirements.in"
_OUTPUT = "candidates.txt"
_HINT_INDEX = "try again; if it goes on, run with --debug and look at what the index answered"
_HINT_WHEEL = "ask for a version that has wheels, or put a wheel on an index of yours"
_HINT_CONFLICT = "relax one of the requirements named here, or move it into a stack of its own"
_NAMES_ADDRESS = re.compile(r" @ |://")


class UvResolver:
    """A Resolver that runs uv.

    Args:
        uv: the program.
        scratch: where its folders are made, so that `store gc` finds what a killed run left; None for the system's place.
    """

    def __init__(self, uv: Uv, *, scratch: Path | None = None) -> None:
        self._uv = uv
        self._scratch = scratch

    @property
    def name(self) -> str:
        """Program and version."""
        return self._uv.version()

    def resolve(self, request: ResolutionRequest) -> Resolution:
        """Resolve for one platform."""
        _refuse_addresses(request)
        if self._scratch is not None:
            self._scratch.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self._scratch, prefix="uv-") as name:
            folder = Path(name)
            _write_lines(folder / _REQUIREMENTS, request.requirements)
            _write_lines(folder / "pins.txt", _pins(request.pins))
            _write_lines(folder / "constraints.txt", request.constraints)
            if request.preferences:
                # NOTE: uv keeps the pins of the output file that is there, wherever it can.
                _write_lines(folder / _OUTPUT, _pins(request.preferences))
            arguments = _arguments(request)
            done = self._uv.run(arguments, folder=folder, index=request.index)
            if done.status:
                raise _translate(done, request, arguments)
            said = (folder / _OUTPUT).read_text(encoding="utf-8")
        return Resolution(platform=request.platform, candidates=parse_candidates(said))


def uv_platform(platform: Platform, glibc: str) -> str:
    """Name the platform for uv: the newest glibc that it knows and the base has."""
    minor = int(glibc.split(".")[1])
    return f"{platform.machine}-manylinux_2_{max(known for known in _UV_GLIBC if known <= minor)}"


def parse_candidates(text: str) -> tuple[ResolvedCandidate, ...]:
    """Read `project==1  # via a, b` lines into candidates by project; requirement files are left out of who requires.

    >>> [candidate.dependencies for candidate in parse_candidates("httpcore==2  # via -r x.in")]
    [()]
    """
    versions: dict[str, str] = {}
    requires: dict[str, set[str]] = {}
    for line in text.splitlines():
        pin, _, comment = line.partition("#")
        name, separator, version = pin.strip().partition("==")
        if not separator:
            continue
        project = canonicalize_name(name.partition("[")[0])
        versions[project] = version.strip()
        for parent in comment.strip().removeprefix("via ").split(", "):
            if parent and not parent.startswith("-"):
                requires.setdefault(canonicalize_name(parent.partition("[")[0].strip()), set()).add(project)
    return tuple(
        ResolvedCandidate(
            project=project, version=version, dependencies=tuple(sorted(requires.get(project, set()) - {project}))
        )
        for project, version in sorted(versions.items())
    )


def _refuse_addresses(request: ResolutionRequest) -> None:
    for text in (*request.requirements, *request.constraints):
        if _NAMES_ADDRESS.search(text):
            raise ResolutionError(
                f"{text.partition(' ')[0]} comes from a url, a folder or a repository, not from an index",
                context=request.label,
                hint="put a wheel on an index or into a find-links folder of yours, and ask for it by version",
            )


def _arguments(request: ResolutionRequest) -> list[str]:
    arguments = ["pip", "compile", _REQUIREMENTS, "--no-header", "--no-sources", "--quiet"]
    arguments += ["--annotation-style", "line", "--output-file", _OUTPUT]
    arguments += ["--only-binary", ":all:", "--python-version", request.python_version]
    arguments += ["--python-platform", uv_platform(request.platform, request.glibc)]
    arguments += ["--constraints", "pins.txt", "--constraints", "constraints.txt"]
    return [*arguments, "--resolution", "lowest-direct"] if request.lowest_direct else arguments


def _translate(done: Finished, request: ResolutionRequest, arguments: list[str]) -> ResolutionError | PackageIndexError:
    """Turn uv's message into ours, kept short; the whole of it is the cause, shown by --debug."""
    said = [line.rstrip() for line in done.stderr.strip().splitlines() if line.strip()]
    # uv's own hints speak of its options, which are not ours.
    lines = [line for line in said if not line.startswith(("warning:", "hint:"))]
    message = "\n".join(lines[:_MESSAGE_LINES]).removeprefix("error: ") or f"uv ended with status {done.status}"
    context = f"{request.label} on {request.platform.name}"
    error: ResolutionError | PackageIndexError
    if "No solution found" not in done.stderr and _INDEX_FAILED.search(done.stderr):
        error = PackageIndexError(message, context=context, hint=_HINT_INDEX)
    else:
        error = ResolutionError(message, context=context, hint=_HINT_WHEEL if "wheels" in message else _HINT_CONFLICT)
    error.__cause__ = ToolError("failed", argv=["uv", *arguments], exit_status=done.status, stderr=done.stderr)
    return error


def _pins(pins: Sequence[tuple[str, str]]) -> list[str]:
    return [f"{project}=={version}" for project, version in pins]


def _write_lines(path: Path, lines: Sequence[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
