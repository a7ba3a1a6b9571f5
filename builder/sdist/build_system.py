"""What an sdist says of how it is built: the `[build-system]` table of its pyproject.toml. Pure.

Source: PEP 517 and PEP 518; pyproject.toml specification of packaging.python.org.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement

from builder.sdist.errors import Kind, SdistError
from builder.sdist.unpack import SourceFile

LEGACY_BACKEND = "setuptools.build_meta:__legacy__"
LEGACY_REQUIRES = ("setuptools>=40.8.0",)
_BACKEND = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*(?::[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)?\Z", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildSystem:
    """How an sdist is built."""

    requires: tuple[str, ...]
    """PEP 508."""
    backend: str
    """As `hatchling.build`, with `:object` where it is no module."""
    backend_path: tuple[str, ...] = ()
    """Folders of the sdist that the backend is imported from."""


def read_build_system(files: Sequence[SourceFile], *, sdist: str) -> BuildSystem:
    """Read how an sdist is built; without a word of its own, as setuptools builds a setup.py.

    Raises:
        SdistError: pyproject.toml is not as its specification says, or there is nothing to build.
    """
    by_path = {file.path: file.data for file in files}
    table = _table(by_path.get("pyproject.toml"), sdist)
    if table is None or "build-backend" not in table:
        if not {"setup.py", "setup.cfg", "pyproject.toml"} & by_path.keys():
            raise SdistError(Kind.BUILD_SYSTEM, "it has neither pyproject.toml nor setup.py", sdist=sdist)
        requires = check_requirements(table["requires"], sdist=sdist) if table else LEGACY_REQUIRES
        return BuildSystem(requires=requires, backend=LEGACY_BACKEND)
    backend = table["build-backend"]
    if not isinstance(backend, str) or not _BACKEND.match(backend):
        raise _wrong("build-backend is no name of an object", sdist)
    return BuildSystem(
        requires=check_requirements(table["requires"], sdist=sdist),
        backend=backend,
        backend_path=_backend_path(table.get("backend-path", []), sdist),
    )


def check_requirements(value: object, *, sdist: str) -> tuple[str, ...]:
    """Check a list of requirements from outside: PEP 508, without addresses."""
    if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
        raise _wrong("requires is no list of texts", sdist)
    try:
        requirements = [Requirement(text) for text in value]
    except InvalidRequirement as error:
        raise _wrong(f"requires: {str(error).splitlines()[0]}", sdist) from error
    if any(requirement.url for requirement in requirements):
        raise _wrong("requires names an address: build requirements come from the index alone", sdist)
    return tuple(sorted({str(requirement) for requirement in requirements}))


def _table(data: bytes | None, sdist: str) -> Mapping[str, Any] | None:
    if data is None:
        return None
    try:
        document = tomllib.loads(data.decode())
    except (ValueError, RecursionError) as error:
        raise _wrong(f"not TOML: {error}", sdist) from error
    table = document.get("build-system")
    if table is None:
        return None
    if not isinstance(table, dict) or "requires" not in table:
        raise _wrong("build-system has no requires", sdist)
    return table


def _backend_path(value: object, sdist: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(path, str) for path in value):
        raise _wrong("backend-path is no list of texts", sdist)
    for path in value:
        if path.startswith("/") or ".." in path.split("/") or not path.isprintable():
            raise _wrong(f"backend-path leads out of the sdist: {path[:80]!r}", sdist)
    return tuple(value)


def _wrong(message: str, sdist: str) -> SdistError:
    return SdistError(Kind.BUILD_SYSTEM, message, sdist=sdist, entry="pyproject.toml")
