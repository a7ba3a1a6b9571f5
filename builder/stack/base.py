"""Read and write base files: the Debian release, its packages, and the files that stand in for maintainer scripts.

A base that is an image, or is built by a Dockerfile, is read in origin.py.

`base_to_dict` and `base_from_dict` are inverses; the dict has the shape of the file, so a base lock embeds it as it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from builder.platform import PLATFORMS
from builder.stack.model import Base, BaseFile, Cut
from builder.stack.origin import PYTHON, PYTHON_HINT, image_base_to_dict, matching, read_image_base
from builder.stack.reader import read_platforms
from builder.stack.table import Issues, Table, one_of, parse_table

FILE_KINDS = ("file", "directory", "symlink", "ca-bundle")
_PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.-]+\Z")
_CODENAME = re.compile(r"[a-z][a-z0-9]*\Z")
_SUITE = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*\Z")
_MODE = re.compile(r"0?[0-7]{3,4}\Z")
_MAX_ID = (1 << 31) - 1


def parse_base(data: bytes, *, name: str, file: str) -> Base:
    """Read a base file.

    Raises:
        IssuesError: with everything that is wrong.
        StackError: the file is not TOML at all.
    """
    return _read_base(parse_table(data, file=file), name=name)


def base_from_dict(values: Mapping[str, Any], *, name: str, file: str, key: str = "") -> Base:
    """Read a base from a dict of the shape of its file.

    Args:
        values: what `base_to_dict` gave.
        name: the base's name.
        file: how errors name the file that the dict is from.
        key: the table's key in that file, as `base`; empty at the top.

    Raises:
        IssuesError: with everything that is wrong.
    """
    return _read_base(Table(values, Issues(file), f"{key}." if key else ""), name=name, locked=True)


def base_to_dict(base: Base) -> dict[str, Any]:
    """Make a dict of the shape of the base's file, defaults left out; the name is the file's, so it is not within."""
    if base.is_image:
        return image_base_to_dict(base)
    debian: dict[str, Any] = {
        "release": base.release,
        "suites": list(base.suites),
        "components": list(base.components),
        "platforms": [platform.name for platform in base.platforms],
        "roots": list(base.roots),
    }
    if base.exclude:
        debian["exclude"] = list(base.exclude)
    values: dict[str, Any] = {"description": base.description, "debian": debian, "python": {"version": base.python}}
    if base.compilers:
        debian["compilers"] = list(base.compilers)
    if base.cuts:
        values["cuts"] = [{"package": cut.package, "reason": cut.reason} for cut in base.cuts]
    if base.files:
        values["files"] = [_file_to_dict(file) for file in base.files]
    return values


def _file_to_dict(file: BaseFile) -> dict[str, Any]:
    values: dict[str, Any] = {"path": file.path}
    if file.kind != "file":
        values["kind"] = file.kind
    if file.content:
        values["content"] = file.content
    if file.target:
        values["target"] = file.target
    if file.mode is not None:
        values["mode"] = f"{file.mode:04o}"
    if file.uid:
        values["uid"] = file.uid
    if file.gid:
        values["gid"] = file.gid
    if file.instead_of:
        values["instead_of"] = file.instead_of
    return values


def _read_base(top: Table, *, name: str, locked: bool = False) -> Base:
    if top.has("image") or top.has("dockerfile"):
        return read_image_base(top, name=name, locked=locked)
    description = top.text("description", required=True)
    debian = top.table("debian", required=True)
    release = matching(debian, "release", _CODENAME, "a codename, as trixie")
    suites = _read_suites(debian, release)
    components = debian.texts("components") or ("main",)
    roots = _read_packages(debian, "roots")
    compilers = _read_packages(debian, "compilers") if debian.has("compilers") else ()
    platforms = read_platforms(debian) or tuple(sorted(PLATFORMS.values()))
    exclude = debian.texts("exclude") or ()
    debian.close()
    python = top.table("python", required=True)
    version = matching(python, "version", PYTHON, PYTHON_HINT)
    python.close()
    cuts = _read_cuts(top, roots)
    files = _read_files(top)
    top.close()
    top.issues.raise_any()
    return Base(
        name=name,
        description=description or "",
        release=release or "",
        suites=suites,
        components=components,
        python=version or "",
        platforms=platforms,
        roots=roots,
        cuts=cuts,
        files=files,
        exclude=exclude,
        compilers=compilers,
    )


def _read_suites(debian: Table, release: str | None) -> tuple[str, ...]:
    hint = "name the suites to take packages from, as trixie, trixie-updates, trixie-security"
    suites = debian.texts("suites", required=True, hint=hint)
    if suites is None:
        return ()
    if not suites:
        debian.wrong("suites", "is empty", hint=hint)
    for position, suite in enumerate(suites):
        if not _SUITE.match(suite):
            debian.wrong(f"suites[{position}]", f"{suite[:80]!r} is no name of a suite", hint=hint)
        elif release and suite.partition("-")[0] != release:
            debian.wrong(f"suites[{position}]", f"{suite!r} is not of release {release!r}", hint=hint)
    return suites


def _read_packages(table: Table, key: str) -> tuple[str, ...]:
    names = table.texts(key, required=True)
    if names is None:
        return ()
    if not names:
        table.wrong(key, "is empty", hint="name at least python and what Airflow needs")
    for position, name in enumerate(names):
        if not _PACKAGE.match(name):
            table.wrong(f"{key}[{position}]", f"{name[:80]!r} is no name of a Debian package")
    return names


def _read_cuts(top: Table, roots: Sequence[str]) -> tuple[Cut, ...]:
    found: dict[str, Cut] = {}
    for row in top.tables("cuts"):
        package = row.text("package", required=True)
        reason = row.text("reason", required=True, hint="say why images run without it")
        row.close()
        if package is None or reason is None:
            continue
        if not _PACKAGE.match(package):
            row.wrong("package", f"{package[:80]!r} is no name of a Debian package")
        elif package in roots:
            row.wrong("package", f"{package!r} is a root too", hint="take it out of debian.roots, or do not cut it")
        elif package in found:
            row.wrong("package", f"{package!r} is cut twice")
        found[package] = Cut(package=package, reason=reason)
    return tuple(found.values())


def _read_files(top: Table) -> tuple[BaseFile, ...]:
    found: dict[str, BaseFile] = {}
    for row in top.tables("files"):
        file = _read_file(row)
        if file is None:
            continue
        if file.path in found:
            row.wrong("path", f"{file.path!r} stands twice")
        found[file.path] = file
    return tuple(found.values())


def _read_file(row: Table) -> BaseFile | None:
    path = row.text("path", required=True)
    if path is not None and not _is_normal(path):
        hint = "write it relative to the image's root, as etc/passwd"
        row.wrong("path", f"{path[:80]!r} is not a normal relative path", hint=hint)
    kind = one_of(row, "kind", row.text("kind"), FILE_KINDS) or "file"
    content = row.block("content")
    target = row.text(
        "target", required=kind == "symlink", hint="say where the link leads" if kind == "symlink" else ""
    )
    mode = _read_mode(row)
    uid = row.integer("uid", least=0, most=_MAX_ID) or 0
    gid = row.integer("gid", least=0, most=_MAX_ID) or 0
    instead_of = row.text("instead_of") or ""
    row.close()
    if content and kind != "file":
        row.wrong("content", f"has no meaning for kind {kind!r}")
    if target and kind != "symlink":
        row.wrong("target", f"has no meaning for kind {kind!r}")
    if mode is not None and kind == "symlink":
        row.wrong("mode", "has no meaning for kind 'symlink'")
    if path is None:
        return None
    return BaseFile(
        path=path,
        kind=kind,
        content=content or "",
        target=target or "",
        mode=mode,
        uid=uid,
        gid=gid,
        instead_of=instead_of,
    )


def _read_mode(row: Table) -> int | None:
    hint = 'write permission bits in quotes, as "0644"'
    text = row.text("mode", hint=hint)
    if text is None:
        return None
    if not _MODE.match(text):
        row.wrong("mode", f"{text[:80]!r} is no mode", hint=hint)
        return None
    return int(text, 8)


def _is_normal(path: str) -> bool:
    return not path.startswith("/") and all(part not in {"", ".", ".."} for part in path.split("/"))
