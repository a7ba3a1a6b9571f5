"""Resolution by `uv pip compile`, one platform at a time, wheels only.

Steps:
1. uv resolves from requirements, the parent's pins and constraints, for the base's exact Python and nearest glibc.
2. Of each candidate's wheels the one is taken that the base will use (tags.py): uv lists several.
3. uv resolves the pins once more, from its cache alone, and its annotations tell which project requires which.
"""

from __future__ import annotations

import datetime as dt
import re
import tempfile
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from packaging.utils import canonicalize_name

from builder.errors import PackageIndexError, ResolutionError, ToolError
from builder.platform import Platform
from builder.resolve.model import OfferedWheel, Resolution, ResolutionRequest, ResolvedCandidate
from builder.resolve.tags import choose_wheel
from builder.resolve.uv_process import Finished, Uv

_UV_GLIBC = (17, 28, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40)
"""Minor versions of `--python-platform <machine>-manylinux_2_<minor>` that uv knows."""
_MESSAGE_LINES = 12
_NETWORK = re.compile(
    r"(?i)failed to fetch|error sending request|connect|timed out|dns error|status code|offline|certificate"
)
_REQUIREMENTS = "requirements.in"
_HINT_INDEX = "check the network and the index settings of uv or pip, and that neither is set to be offline"
_HINT_WHEEL = "ask for a version that has wheels, or put a wheel on an index of yours: images are made from wheels only"
_HINT_CONFLICT = "relax one of the requirements named here, or move it into a stack of its own"


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
        if self._scratch is not None:
            self._scratch.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self._scratch, prefix="uv-") as name:
            folder = Path(name)
            _write_lines(folder / _REQUIREMENTS, request.requirements)
            _write_lines(folder / "pins.txt", [f"{project}=={version}" for project, version in request.pins])
            _write_lines(folder / "constraints.txt", request.constraints)
            packages = self._compile(request, folder)
            requires = self._ask_who_requires(request, folder, packages)
        return Resolution(
            platform=request.platform,
            candidates=tuple(_make_candidate(package, request, requires) for package in packages),
        )

    def _compile(self, request: ResolutionRequest, folder: Path) -> list[dict[str, Any]]:
        """Step 1: the packages of uv's pylock, by name."""
        arguments = _arguments(request, "pylock.toml", "pins.txt", "constraints.txt")
        done = self._uv.run([*arguments, "--output-file", "pylock.toml"], folder=folder)
        if done.status:
            raise _translate(done, request, arguments)
        packages = tomllib.loads((folder / "pylock.toml").read_text(encoding="utf-8")).get("packages", [])
        return sorted(packages, key=lambda package: str(package["name"]))

    def _ask_who_requires(
        self, request: ResolutionRequest, folder: Path, packages: list[dict[str, Any]]
    ) -> dict[str, set[str]]:
        """Step 3: each project's requirements among the packages, by project."""
        # NOTE: a name here must not look like a project's, or annotations could not be told apart.
        _write_lines(folder / "chosen.txt", [f"{package['name']}=={package['version']}" for package in packages])
        arguments = _arguments(request, "requirements.txt", "chosen.txt")
        arguments += ["--annotation-style", "line", "--quiet"]
        done = self._uv.run([*arguments, "--offline"], folder=folder)
        if done.status:
            done = self._uv.run(arguments, folder=folder)
        if done.status:
            raise _translate(done, request, arguments)
        return parse_annotations(done.stdout)


def uv_platform(platform: Platform, glibc: str) -> str:
    """Name the platform for uv: the newest glibc that it knows and the base has."""
    minor = int(glibc.split(".")[1])
    return f"{platform.machine}-manylinux_2_{max(known for known in _UV_GLIBC if known <= minor)}"


def parse_annotations(text: str) -> dict[str, set[str]]:
    """Read `project==1  # via a, b` lines: what each project requires; requirement files are left out.

    >>> parse_annotations("h11==1  # via httpcore, -r requirements.in")
    {'httpcore': {'h11'}}
    """
    requires: dict[str, set[str]] = {}
    for line in text.splitlines():
        pin, _, comment = line.partition("#")
        project = canonicalize_name(pin.partition("==")[0].strip())
        for name in comment.strip().removeprefix("via ").split(", "):
            if name and not name.startswith("-"):
                requires.setdefault(canonicalize_name(name.partition("[")[0].strip()), set()).add(project)
    return requires


def _arguments(request: ResolutionRequest, form: str, *constraints: str) -> list[str]:
    arguments = ["pip", "compile", _REQUIREMENTS, "--format", form, "--no-header", "--no-sources"]
    arguments += ["--only-binary", ":all:", "--python-version", request.python_version]
    arguments += ["--python-platform", uv_platform(request.platform, request.glibc)]
    for name in constraints:
        arguments += ["--constraints", name]
    return arguments


def _make_candidate(
    package: Mapping[str, Any], request: ResolutionRequest, requires: Mapping[str, set[str]]
) -> ResolvedCandidate:
    """Step 2."""
    project, version = canonicalize_name(package["name"]), str(package.get("version", ""))
    wheels = list(_iter_wheels(package))
    wheel = choose_wheel(
        wheels,
        [wheel.name for wheel in wheels],
        python_version=request.python_version,
        platform=request.platform,
        glibc=request.glibc,
    )
    if wheel is None:
        raise ResolutionError(
            f"{project} {version} has no wheel for Python {request.python_version} with glibc {request.glibc}",
            context=f"{request.label} on {request.platform.name}",
            hint=_HINT_WHEEL,
        )
    dependencies = tuple(sorted(requires.get(project, set()) - {project}))
    return ResolvedCandidate(project=project, version=version, wheel=wheel, dependencies=dependencies)


def _iter_wheels(package: Mapping[str, Any]) -> Iterator[OfferedWheel]:
    """Read uv's wheels; an `archive` is one where a requirement names a url, which locks cannot hold."""
    if "wheels" not in package and "sdist" not in package:
        raise ResolutionError(
            f"{package['name']} comes from a url, a folder or a repository, not from an index",
            hint="put a wheel on an index or into a find-links folder of yours, and ask for it by version",
        )
    for wheel in package.get("wheels", []):
        url = wheel.get("url") or Path(wheel["path"]).absolute().as_uri()
        yield OfferedWheel(
            name=wheel.get("name") or unquote(urlsplit(url).path.rpartition("/")[2]),
            url=url,
            size=wheel.get("size"),
            sha256=(wheel.get("hashes") or {}).get("sha256"),
            upload_time=_upload_time(wheel.get("upload-time")),
        )


def _upload_time(value: object) -> str | None:
    if not isinstance(value, dt.datetime):
        return None
    utc = value.replace(tzinfo=value.tzinfo or dt.UTC).astimezone(dt.UTC)
    return utc.replace(microsecond=0).isoformat().replace("+00:00", "Z")


def _translate(done: Finished, request: ResolutionRequest, arguments: list[str]) -> ResolutionError | PackageIndexError:
    """Turn uv's message into ours, kept short; the whole of it is the cause, shown by --debug."""
    said = [line.rstrip() for line in done.stderr.strip().splitlines() if line.strip()]
    # uv's own hints speak of its options, which are not ours.
    lines = [line for line in said if not line.startswith(("warning:", "hint:"))]
    message = "\n".join(lines[:_MESSAGE_LINES]).removeprefix("error: ") or f"uv ended with status {done.status}"
    context = f"{request.label} on {request.platform.name}"
    error: ResolutionError | PackageIndexError
    if "network was disabled" in done.stderr or ("No solution found" not in message and _NETWORK.search(message)):
        error = PackageIndexError(message, context=context, hint=_HINT_INDEX)
    else:
        error = ResolutionError(message, context=context, hint=_HINT_WHEEL if "wheels" in message else _HINT_CONFLICT)
    error.__cause__ = ToolError("failed", argv=["uv", *arguments], exit_status=done.status, stderr=done.stderr)
    return error


def _write_lines(path: Path, lines: Sequence[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
