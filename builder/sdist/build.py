"""Builds a wheel of an sdist twice and compares: the same bytes, or none.

1. Read the sdist strictly (unpack.py) and what it says of its build (build_system.py).
2. Its static requirements are resolved and had, as wheels for any machine; in a cell with these the backend names further
   ones, which are resolved together with the first.
3. In two cells, one after the other, the backend builds a wheel. Each is read strictly and brought to one form.
4. The wheel must be of the project and version asked for, and for any machine; both must be the same bytes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn, Protocol

from packaging.utils import InvalidWheelFilename, parse_wheel_filename
from packaging.version import Version

from builder.entry import Entry, file_entry
from builder.errors import IntegrityError
from builder.sdist.build_system import BuildSystem, check_requirements, read_build_system
from builder.sdist.canonical import canonical_wheel, differing
from builder.sdist.cell import EPOCH, REQUIRES, CellAnswer, CellLimits, CellTask
from builder.sdist.driver import Request
from builder.sdist.errors import Kind, SdistError
from builder.sdist.unpack import read_sdist
from builder.wheel.archive import Member, read_archive
from builder.wheel.install import install_entries
from builder.wheel.wheel import read_wheel

_NEEDS_COMPILER = re.compile(
    r"(?i)command '[^'\n]*(?:gcc|g\+\+|cc|c\+\+|clang|gfortran)[^'\n]*' failed"
    r"|no such file or directory: '[^'\n]*(?:gcc|g\+\+|\bcc|c\+\+|clang|gfortran|rustc|cargo|cmake|make|ninja)'"
    r"|\b(?:gcc|g\+\+|cc|c\+\+|clang|rustc|cargo|cmake|make|ninja)'?: (?:command )?not found"
    r"|unknown compiler|can't find (?:a )?(?:rust|c\+*) compiler|no acceptable C compiler|unable to find .*compiler"
    r"|problem with the CMake installation|cargo, the rust package manager, is not installed"
)

_LONGEST_LINE = 500


class Runner(Protocol):
    """What runs hooks; `Cell` is one."""

    def run(self, task: CellTask) -> CellAnswer:
        """Run one hook to its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """A build requirement that was had."""

    file_name: str
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildTask:
    """An sdist to be built."""

    project: str
    """PEP 503 normalised."""
    version: str
    file_name: str
    data: bytes
    """Untrusted, but of the hash that it should have."""
    root: Path
    """From ensure_root."""
    python: str
    """Major and minor of the base."""
    limits: CellLimits = field(default_factory=CellLimits)
    machine: str = ""
    """As `x86_64`: native code may be built, for this machine; empty where none may."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltBytes:
    """A wheel that was built, in its one form."""

    file_name: str
    data: bytes
    metadata: bytes


class SdistBuild:
    """One sdist on its way to a wheel.

    Raises:
        SdistError: when made: the sdist is refused.
    """

    def __init__(self, task: BuildTask, runner: Runner) -> None:
        self._task = task
        self._runner = runner
        files = read_sdist(task.data, file_name=task.file_name)
        self._source = tuple(file_entry(file.path, file.data, executable=file.executable) for file in files)
        self.system: BuildSystem = read_build_system(files, sdist=task.file_name)

    def ask_requirements(self, requires: Sequence[Requirement]) -> tuple[str, ...]:
        """Ask the backend what it needs besides what pyproject.toml says (step 2)."""
        answer = self._run("requires", _installed(requires, self._task.python))
        told, _ = self._parse(answer)
        return check_requirements(told.get("requires"), sdist=self._task.file_name)

    def build_twice(self, requires: Sequence[Requirement]) -> BuiltBytes:
        """Build (steps 3 and 4).

        Raises:
            SdistError: the build fails, needs a compiler, or gives another wheel each time.
        """
        installed = _installed(requires, self._task.python)
        (name, first), (again, second) = self._build(installed), self._build(installed)
        if name != again:
            self._refuse(Kind.NOT_REPRODUCIBLE, f"two builds gave {name} and {again}")
        if odd := differing(first, second):
            self._refuse(Kind.NOT_REPRODUCIBLE, f"two builds differ in {', '.join(odd[:5])}")
        data = canonical_wheel(first)
        try:
            wheel = read_wheel(data, file_name=name)
        except IntegrityError as error:
            raise SdistError(Kind.WHEEL, f"its wheel is refused: {error.message}", sdist=error.context) from error
        metadata = next(item.data for item in wheel.members if item.name == f"{wheel.dist_info}/METADATA")
        return BuiltBytes(file_name=name, data=data, metadata=metadata)

    def _build(self, installed: Sequence[Entry]) -> tuple[str, tuple[Member, ...]]:
        told, body = self._parse(self._run("wheel", installed))
        name = str(told.get("name"))
        self._check_name(name)
        try:
            members = read_archive(body, file_name=name)
        except IntegrityError as error:
            raise SdistError(Kind.WHEEL, f"its wheel is refused: {error.message}", sdist=error.context) from error
        if not any(member.name.endswith(".dist-info/METADATA") for member in members):
            self._refuse(Kind.WHEEL, f"{name} has no METADATA")
        return name, members

    def _check_name(self, name: str) -> None:
        task = self._task
        try:
            project, version, build, tags = parse_wheel_filename(name)
        except InvalidWheelFilename:
            self._refuse(Kind.WHEEL, f"its wheel has no wheel's name: {name[:120]!r}")
        if project != task.project or version != Version(task.version) or build:
            self._refuse(Kind.WHEEL, f"its wheel is {name}, not of {task.project} {task.version}")
        ours = f"linux_{task.machine}" if task.machine else "any"
        if wrong := sorted(str(tag) for tag in tags if task.machine and tag.platform not in {ours, "any"}):
            self._refuse(Kind.WHEEL, f"its wheel is for {wrong[0]}, not for {ours}")
        native = sorted(str(tag) for tag in tags if not task.machine and (tag.platform != "any" or tag.abi != "none"))
        if native:
            self._refuse(
                Kind.COMPILER, f"{task.project} {task.version} builds native code: its wheel is for {native[0]}"
            )

    def _run(self, hook: str, installed: Sequence[Entry]) -> CellAnswer:
        task = self._task
        answer = self._runner.run(
            CellTask(
                root=task.root,
                source=self._source,
                requires=installed,
                python=task.python,
                request=Request(
                    hook=hook, backend=self.system.backend, backend_path=list(self.system.backend_path), epoch=EPOCH
                ),
                limits=task.limits,
            )
        )
        what = f"{task.project} {task.version}"
        if answer.timed_out:
            self._refuse(Kind.TIME, f"the build of {what} took more than {task.limits.wall_s:.0f} s", answer.output)
        if answer.status:
            if _needs_compiler(answer.output):
                self._refuse(Kind.COMPILER, f"{what} needs a compiler, which no base has", answer.output)
            self._refuse(Kind.FAILED, f"the build of {what} failed ({_status(answer.status)})", answer.output)
        return answer

    def _parse(self, answer: CellAnswer) -> tuple[dict[str, Any], bytes]:
        line, _, body = answer.result.partition(b"\n")
        try:
            told = json.loads(line)
        except (ValueError, RecursionError):
            told = None
        if not isinstance(told, dict):
            self._refuse(Kind.FAILED, "the build ended without an answer", answer.output)
        return told, body

    def _refuse(self, kind: Kind, message: str, output: str = "") -> NoReturn:
        raise SdistError(kind, message, sdist=self._task.file_name, output=output)


def _needs_compiler(output: str) -> bool:
    """Look for a missing compiler, line by line and not far into a line: the output is untrusted, and patterns backtrack."""
    return any(_NEEDS_COMPILER.search(line[:_LONGEST_LINE]) for line in output.splitlines())


def _installed(requires: Sequence[Requirement], python: str) -> tuple[Entry, ...]:
    """Install build requirements into the cell's virtual environment."""
    return tuple(
        entry
        for item in requires
        for entry in install_entries(read_wheel(item.data, file_name=item.file_name), python=python, prefix=REQUIRES)
    )


def _status(status: int) -> str:
    named: dict[int, str] = {137: "killed", 152: "it used up its processor time", 153: "it wrote too large a file"}
    return named.get(status, f"exit status {status}")
