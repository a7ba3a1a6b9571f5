"""Packages that stand inside a wheel: copies of other projects, of npm packages, of Java archives, of wheels.

What says so is what scanners go by too: a dist-info or egg-info folder below another folder, a package.json with name and version,
pom.properties in an archive, the name of a wheel. Whatever says less is no package. What a wheel's own bill of materials says ->
wheel_sboms.py.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from builder.licence.declared import Statements, conclude
from builder.sbom.facts import Carried
from builder.sbom.purls import outside_purl, pypi_purl

Files = Mapping[str, Callable[[], bytes]]
"""What reads each file, by path."""

_METADATA: Final = re.compile(r".+\.dist-info/METADATA\Z|.+\.egg-info/PKG-INFO\Z")
_POM: Final = re.compile(r"(?:.*/)?META-INF/maven/[^/]+/[^/]+/pom\.properties\Z")
_HEADER: Final = re.compile(r"^(Name|Version|License|License-Expression|Classifier)\s*:[ \t]*(.*)$")
_ARCHIVES: Final = (".jar", ".war", ".ear")
_MOST_ENTRIES: Final = 200_000
_LARGEST: Final = 1 << 20
"""Bytes of one file that names a package."""


def find_carried(files: Files, *, own: Iterable[str]) -> tuple[Carried, ...]:
    """Find the packages inside a wheel, or in a folder of a base.

    Args:
        files: by path; only those that may name a package are read.
        own: paths of METADATA that are not of something inside.

    Returns:
        By purl, each once, with the first path that names it.
    """
    left = set(own)
    found: dict[str, Carried] = {}
    for path in sorted(files):
        if path not in left:
            for one in _read(path, files[path]):
                found.setdefault(one.purl, one)
    return tuple(found[purl] for purl in sorted(found))


def names_package(path: str) -> bool:
    """Tell whether a file may name a package, by its name alone."""
    name = path.rpartition("/")[2]
    return bool(_METADATA.match(path)) or name == "package.json" or name.endswith((".whl", *_ARCHIVES))


def read_metadata(data: bytes, path: str) -> Carried | None:
    """Read METADATA or PKG-INFO leniently; None where it names nothing."""
    headers: dict[str, list[str]] = {}
    last: list[str] = []
    for line in data[:_LARGEST].decode("utf-8", "replace").split("\n"):
        if not line.strip("\r"):
            break
        if line[0] in " \t" and last:
            last[-1] += f"\n{line.strip()}"
        elif match := _HEADER.match(line):
            last = headers.setdefault(match[1], [])
            last.append(match[2].strip())
        else:
            last = []
    name, version = (headers.get(key, [""])[0] for key in ("Name", "Version"))
    purl = outside_purl("pypi", "", canonicalize_name(name), version)
    if not purl:
        return None
    statements = Statements(
        expression=headers.get("License-Expression", [""])[0],
        field=headers.get("License", [""])[0],
        classifiers=tuple(headers.get("Classifier", ())),
    )
    return Carried(purl=purl, path=path, licence=conclude(statements))


def _read(path: str, read: Callable[[], bytes]) -> Iterator[Carried]:
    name = path.rpartition("/")[2]
    if _METADATA.match(path):
        found = read_metadata(read(), path)
        yield from (found,) if found else ()
    elif name == "package.json":
        yield from _of_npm(read(), path)
    elif name.endswith(".whl"):
        yield from _of_wheel(name, path)
    elif name.endswith(_ARCHIVES):
        yield from _of_java(read(), path)


def _of_npm(data: bytes, path: str) -> Iterator[Carried]:
    try:
        value = json.loads(data) if len(data) <= _LARGEST else None
    except (ValueError, RecursionError):
        return
    name, version = (value.get(key) for key in ("name", "version")) if isinstance(value, dict) else (None, None)
    if not isinstance(name, str) or not isinstance(version, str) or not name or not version:
        return
    namespace, _, last = name.rpartition("/")
    yield from _carried("npm", namespace, last, version, path)


def _of_wheel(name: str, path: str) -> Iterator[Carried]:
    try:
        project, version, _, _ = parse_wheel_filename(name)
    except InvalidWheelFilename:
        return
    yield Carried(purl=pypi_purl(project, str(version)), path=path)


def _of_java(data: bytes, path: str) -> Iterator[Carried]:
    """Read the pom.properties of an archive; archives in it are not opened."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
            for entry in entries if len(entries) <= _MOST_ENTRIES else ():
                if _POM.match(entry.filename) and entry.file_size <= _LARGEST:
                    with archive.open(entry) as stream:
                        said = _properties(stream.read(_LARGEST))
                    yield from _carried(
                        "maven", said.get("groupId", ""), said.get("artifactId", ""), said.get("version", ""), path
                    )
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError, OSError, EOFError):
        # Damaged, encrypted, or packed in a way that nobody reads: it names nothing.
        return


def _properties(data: bytes) -> dict[str, str]:
    lines = (line.partition("=") for line in data.decode("latin-1").splitlines() if not line.startswith(("#", "!")))
    return {key.strip(): value.strip() for key, equals, value in lines if equals}


def _carried(kind: str, namespace: str, name: str, version: str, path: str) -> Iterator[Carried]:
    if purl := outside_purl(kind, namespace, name, version):
        yield Carried(purl=purl, path=path)
