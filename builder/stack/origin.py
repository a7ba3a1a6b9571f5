"""Read and write bases that come as layers: `[image]` names an image by digest, `[dockerfile]` what BuildKit builds.

What is written into a lock names no host: of a reference only the digest counts, of a layout nothing.
"""

from __future__ import annotations

import re
from typing import Any, Final

from builder.platform import PLATFORMS
from builder.stack.model import Base, DockerfileOrigin, ImageOrigin
from builder.stack.names import check_name
from builder.stack.reader import read_platforms
from builder.stack.table import Table

PYTHON: Final = re.compile(r"3\.(0|[1-9][0-9]?)\Z")
PYTHON_HINT: Final = "major and minor, as 3.13; the lock says the patch version"
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}\Z")
_HEX: Final = re.compile(r"[0-9a-f]{64}\Z")
_FILE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\Z")
_ARGUMENT: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_PATH: Final = re.compile(r"(?:/[A-Za-z0-9+_-][A-Za-z0-9._+-]*)+\Z")
_REFERENCE_HINT: Final = "write it as registry.example.org/team/base@sha256:<64 hexadecimal characters>"


def matching(table: Table, key: str, pattern: re.Pattern[str], wanted: str) -> str | None:
    """Read a text that must be there and match; None, with an issue noted, where it does not."""
    value = table.text(key, required=True, hint=f"write {wanted}")
    if value is not None and not pattern.match(value):
        table.wrong(key, f"unknown value {value[:80]!r}", hint=f"write {wanted}")
        return None
    return value


def read_image_base(top: Table, *, name: str, locked: bool) -> Base:
    """Read a base that states `[image]` or `[dockerfile]`.

    Args:
        top: the file.
        name: of the base.
        locked: it is the copy in a lock, which says no place.

    Raises:
        IssuesError: with everything that is wrong.
    """
    description = top.text("description", required=True)
    both = top.has("image") and top.has("dockerfile")
    if both:
        top.wrong("dockerfile", "stands beside image", hint="a base has one origin: write [image] or [dockerfile]")
    why = "is for bases of Debian packages; what the image holds is its maker's business"
    for key in ("debian", "cuts", "files"):
        top.forbid(key, why, hint="take it out, or take [image] and [dockerfile] out")
    section = top.table("image" if top.has("image") else "dockerfile")
    platforms = read_platforms(section) or tuple(sorted(PLATFORMS.values()))
    image = _read_image(section, locked=locked) if top.has("image") else None
    dockerfile = _read_dockerfile(section, locked=locked) if image is None else None
    section.close()
    python = top.table("python", required=True)
    version = matching(python, "version", PYTHON, PYTHON_HINT)
    path = python.text("path") or ""
    if path and not _PATH.match(path):
        python.wrong("path", f"{path[:80]!r} is no absolute path", hint="write it as /usr/local/bin/python3.13")
    python.close()
    top.close()
    top.issues.raise_any()
    return Base(
        name=name,
        description=description or "",
        release="",
        suites=(),
        components=(),
        python=version or "",
        platforms=platforms,
        roots=(),
        cuts=(),
        files=(),
        image=image,
        dockerfile=dockerfile,
        python_path=path,
    )


def image_base_to_dict(base: Base) -> dict[str, Any]:
    """Make a dict of the shape of the base's file, without places."""
    section: dict[str, Any] = {"platforms": [platform.name for platform in base.platforms]}
    python: dict[str, Any] = {"version": base.python}
    if base.python_path:
        python["path"] = base.python_path
    values: dict[str, Any] = {"description": base.description, "python": python}
    if base.image is not None:
        if base.image.digest:
            section["digest"] = base.image.digest
        return values | {"image": section}
    origin = base.dockerfile
    assert origin is not None  # noqa: S101  internal impossibility
    section |= {"file": origin.file, "base": origin.base}
    if origin.stages:
        section["stages"] = list(origin.stages)
    if origin.args:
        section["args"] = dict(origin.args)
    if origin.secrets:
        section["secrets"] = list(origin.secrets)
    # They stand in locks only; a base file that says them is refused.
    section |= {key: value for key, value in (("sha256", origin.sha256), ("parent", origin.parent)) if value}
    return values | {"dockerfile": section}


def _read_image(section: Table, *, locked: bool) -> ImageOrigin:
    digest = section.text("digest") or ""
    if digest and not _DIGEST.match(digest):
        section.wrong("digest", f"{digest[:80]!r} is no digest", hint="write it as sha256:<64 hexadecimal characters>")
    if locked:
        return ImageOrigin(digest=digest)
    reference, layout = section.text("reference") or "", section.text("layout") or ""
    if bool(reference) == bool(layout):
        section.wrong("reference", "must be there, or layout in its place: one of them", hint=_REFERENCE_HINT)
    if reference:
        if digest:
            section.wrong("digest", "is said by the reference already", hint="take it out")
        digest = reference.partition("@")[2]
        if not _DIGEST.match(digest):
            section.wrong("reference", "has no digest, so it is another image tomorrow", hint=_REFERENCE_HINT)
    return ImageOrigin(digest=digest, reference=reference, layout=layout)


def _read_dockerfile(section: Table, *, locked: bool) -> DockerfileOrigin:
    file = matching(section, "file", _FILE, "the name of a file at the top of the project, as Dockerfile.base")
    base = section.text("base", required=True, hint="name the base that it is built over") or ""
    if base and (problem := check_name(base, context="base")):
        section.wrong("base", problem.message, hint=problem.hint)
    stages = section.texts("stages") or ()
    for position, stage in enumerate(stages):
        if problem := check_name(stage, context="stages"):
            section.wrong(f"stages[{position}]", problem.message, hint=problem.hint)
    arguments = section.table("args")
    args: dict[str, str] = {}
    for key in sorted(arguments.keys()):
        if not _ARGUMENT.match(key):
            arguments.wrong(key, "is no name of a build argument")
        args[key] = arguments.text(key) or ""
    arguments.close()
    secrets = section.texts("secrets") or ()
    for position, secret in enumerate(secrets):
        if not _FILE.match(secret):
            section.wrong(f"secrets[{position}]", f"{secret[:80]!r} is no name of a secret")
    found = {key: section.text(key) or "" for key in ("sha256", "parent")} if locked else {}
    for key, value in found.items():
        if value and not _HEX.match(value):
            section.wrong(key, f"{value[:80]!r} is no sha256")
    return DockerfileOrigin(
        file=file or "", base=base, stages=stages, args=tuple(args.items()), secrets=secrets, **found
    )
