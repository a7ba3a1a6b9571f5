"""`locks/pylock.<stack>.toml`: a stack's lock as PEP 751, read by pip and uv, without the name of any host.

What installers need is the standard's; what images need besides stands under `[tool.airflow-kubler]` and
`[packages.tool.airflow-kubler]`, and changes no installation. Files lie at `files/<sha256>/<file name>` beside the lock,
where `airflow-kubler fetch` puts them.

- Bytes are stable: the same lock gives the same bytes, and reading them gives the same lock.
- Reading is strict: unknown keys, unknown formats and contradictions are refused, all of them at once.
- Reading needs the standard library only, since a build that has nothing to do starts with it.

Source: PEP 751 and the pylock.toml specification of packaging.python.org.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from builder.digest import Digest
from builder.lock.inline import dump_inline
from builder.lock.model import LockedCandidate, LockedFile, PlannedLayer, StackLock
from builder.platform import PLATFORMS, Platform
from builder.stack.stated import divergence_to_dict, index_rule_to_dict, resolution_to_dict

LOCK_VERSION = "1.0"
"""Of PEP 751."""
FORMAT = 1
"""Of our own tables; readers refuse every other one."""
TOOL = "airflow-kubler"
CREATED_BY = TOOL
_PACKAGE = "\n\n[[packages]]\n"
_TOOL = f"\n\n[tool.{TOOL}]\n"


def dump_stack_lock(lock: StackLock) -> bytes:
    """Dump a lock; bytes are stable."""
    return "\n".join((*_iter_head(lock), *_iter_packages(lock), *_iter_tool(lock), "")).encode()


def split_stack_lock(text: str) -> tuple[str, tuple[str, ...], str]:
    """Cut the text of a lock, as it is written here, into what is before its packages, each of these, and what is after.

    A text that is not written here may be cut in wrong places: each part is to be held against what would be written.
    """
    head, *packages = text.split(_PACKAGE)
    last, mark, tail = packages[-1].partition(_TOOL) if packages else ("", "", "")
    return head, (*packages[:-1], last), f"{mark}{tail}".lstrip("\n") if mark else ""


def dump_package(candidate: LockedCandidate, platforms: Sequence[Platform]) -> str:
    """Write a package of a lock that has one version of each project."""
    return "\n".join(_iter_package(candidate, platforms, {}))


def dump_frame(lock: StackLock) -> tuple[str, str]:
    """Write what is before a lock's packages, and what is after."""
    _, *tool = _iter_tool(lock)
    return "\n".join(_iter_head(lock)), "\n".join((*tool, ""))


def wheel_path(file: LockedFile) -> str:
    """Name a locked file's place relative to the lock."""
    return f"files/{file.sha256.hex}/{file.name}"


def platform_marker(platform: Platform) -> str:
    """Write the environment marker of a platform."""
    return f"sys_platform == 'linux' and platform_machine == '{platform.machine}'"


def python_specifier(python_version: str) -> str:
    """Write the `requires-python` of a lock: the minor version that its wheels are for."""
    major, minor = python_version.split(".")[:2]
    return f"=={major}.{minor}.*"


def _iter_head(lock: StackLock) -> Iterator[str]:
    yield f"# Made by `airflow-kubler lock {lock.stack}`; not to be edited. `airflow-kubler fetch` fills files/."
    yield _line("lock-version", LOCK_VERSION)
    yield _line("environments", [platform_marker(platform) for platform in lock.platforms])
    yield _line("requires-python", python_specifier(lock.python_version))
    yield _line("created-by", CREATED_BY)


def _iter_packages(lock: StackLock) -> Iterator[str]:
    versions: dict[str, list[str]] = {}
    for candidate in lock.candidates:
        versions.setdefault(candidate.project, []).append(candidate.version)
    for candidate in lock.candidates:
        yield ""
        yield "[[packages]]"
        yield from _iter_package(candidate, lock.platforms, versions)


def _iter_package(
    candidate: LockedCandidate, platforms: Sequence[Platform], versions: Mapping[str, Sequence[str]]
) -> Iterator[str]:
    yield _line("name", candidate.project)
    yield _line("version", candidate.version)
    lacking = [platform for platform in platforms if platform.name not in candidate.wheels]
    if lacking:
        held = [platform for platform in platforms if platform.name in candidate.wheels]
        yield _line("marker", " or ".join(f"platform_machine == '{platform.machine}'" for platform in held))
    if candidate.dependencies:
        yield _line("dependencies", list(_iter_dependencies(candidate, versions)))
    files = distinct_wheels(candidate, platforms)
    yield "wheels = ["
    for file in files:
        yield f"    {dump_inline(_wheel_to_dict(file))},"
    yield "]"
    yield f"[packages.tool.{TOOL}]"
    yield _line("wanted-by", list(candidate.wanted_by))
    if candidate.upload_time is not None:
        yield _line("upload-time", candidate.upload_time)
    yield from _iter_origin(candidate)
    if len(files) > 1 or lacking:
        positions = {
            platform.name: files.index(candidate.wheels[platform.name])
            for platform in platforms
            if platform.name in candidate.wheels
        }
        yield _line("wheels", positions)


def _iter_origin(candidate: LockedCandidate) -> Iterator[str]:
    if candidate.tested is not None:
        yield _line("tested", candidate.tested)
    if candidate.index is not None:
        yield _line("index", candidate.index)
    if candidate.built is not None:
        requires = [
            {"project": project, "version": version, **_file_to_dict(file)}
            for project, version, file in candidate.built.requires
        ]
        built: dict[str, Any] = {"sdist": _file_to_dict(candidate.built.sdist), "requires": requires}
        if candidate.built.compilers is not None:
            built["compilers"] = candidate.built.compilers.hex
        yield _line("built", built)


def distinct_wheels(candidate: LockedCandidate, platforms: Sequence[Platform]) -> list[LockedFile]:
    """List a candidate's wheels once each, in the order of the platforms that use them."""
    held = (candidate.wheels[platform.name] for platform in platforms if platform.name in candidate.wheels)
    return list(dict.fromkeys(held))


def _iter_dependencies(candidate: LockedCandidate, versions: Mapping[str, Sequence[str]]) -> Iterator[dict[str, str]]:
    for project in candidate.dependencies:
        several = versions.get(project, ())
        if len(several) > 1:
            yield from ({"name": project, "version": version} for version in several)
        else:
            yield {"name": project}


def _wheel_to_dict(file: LockedFile) -> dict[str, Any]:
    return {
        "name": file.name,
        "path": wheel_path(file),
        "size": file.size,
        "hashes": {"sha256": file.sha256.hex},
    }


def _iter_tool(lock: StackLock) -> Iterator[str]:
    yield ""
    yield f"[tool.{TOOL}]"
    yield _line("format", FORMAT)
    yield _line("stack", lock.stack)
    yield _line("description", lock.description)
    yield _line("parents", list(lock.parents))
    yield _line("inputs", str(lock.inputs))
    yield _line("airflow-version", lock.airflow_version)
    yield _line("python-version", lock.python_version)
    yield _line("base", lock.base)
    yield _line("base-lock", str(lock.base_lock))
    yield from _iter_digest("parent-lock", lock.parent_lock)
    yield from _iter_digest("constraints", lock.constraints)
    yield _line("resolver", lock.resolver)
    yield _line("created", lock.created)
    yield _line("platforms", [platform.name for platform in lock.platforms])
    yield _line("compression", lock.compression)
    if lock.divergences:
        yield from _iter_rows("divergences", [divergence_to_dict(one) for one in lock.divergences])
    if rules := resolution_to_dict(lock.resolution):
        yield _line("resolution", rules)
    if lock.index_rules:
        yield from _iter_rows("indexes", [index_rule_to_dict(rule) for rule in lock.index_rules])
    yield from _iter_rows("files", [{"path": path, **_file_to_dict(file)} for path, file in lock.files])
    yield from _iter_rows("plan", [_layer_to_dict(layer) for layer in lock.plan])


def _iter_digest(key: str, digest: Digest | None) -> Iterator[str]:
    if digest is not None:
        yield _line(key, str(digest))


def _iter_rows(key: str, rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield f"{key} = ["
    for row in rows:
        yield f"    {dump_inline(row)},"
    yield "]"


def _file_to_dict(file: LockedFile) -> dict[str, Any]:
    return {"name": file.name, "size": file.size, "sha256": file.sha256.hex}


def _layer_to_dict(layer: PlannedLayer) -> dict[str, Any]:
    return {"name": layer.name, "stack": layer.stack, "projects": list(layer.projects)}


def _line(key: str, value: object) -> str:
    return f"{key} = {dump_inline(value)}"


def known_platforms(names: Sequence[str]) -> tuple[Platform, ...]:
    """Find platforms by name, leaving unknown ones out."""
    return tuple(PLATFORMS[name] for name in names if name in PLATFORMS)
