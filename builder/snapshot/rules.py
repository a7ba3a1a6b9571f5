"""Which files of a page a stack may have: time, yanks, quarantine, reserved names, sdists. Pure.

Rules:
- A release uploaded after the cut-off is no candidate: `as-of`, or midnight (UTC) of the snapshot's day less the cool-down,
  whichever is earlier. An index's own cool-down holds for its projects in place of the stack's.
- A file without an upload time under a rule of time is an error, never a pass. No rule of time holds in a folder of the project.
- Yanked files are no candidates, and nothing of a quarantined project is.
- An exception names releases that time and yanks do not hold back; a quarantine holds them back all the same.
- A file that says that it is not for the base's very Python is none, where a resolver would not see it: uv reads lower bounds only.
- Of a version that has an sdist and no wheel for Linux a wheel can be built; such a version is offered where something names it
  exactly, or as the newest of a project that has no wheel for Linux at all: resolvers must not wander through old sdists.
"""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from builder.canonical import dump_json
from builder.digest import Digest
from builder.errors import PackageIndexError
from builder.snapshot.model import NamedIndex, OfferedFile, ProjectPage
from builder.snapshot.pages import parse_file_name

_FORMAT = 2
"""Of these rules: others make another page of the same files."""
_DAY = dt.timedelta(days=1)
_HINT_TIMES = "take the rule out, or use an index that gives upload times (PEP 700)"


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewRules:
    """What a stack and the project's indexes.toml allow."""

    as_of: dt.datetime | None = None
    """UTC."""
    cooldown_days: int = 0
    index_cooldowns: Mapping[str, int] = field(default_factory=dict)
    """Days, by index: in place of `cooldown_days` there."""
    timeless: frozenset[str] = frozenset()
    """Indexes that no rule of time holds for: folders of the project."""
    exceptions: tuple[tuple[str, str], ...] = ()
    """Project and specifier of releases that time and yanks do not hold back."""
    reserved: tuple[tuple[str, str], ...] = ()
    """Pattern of project names, and the one index that they may come from."""
    homes: Mapping[str, str] = field(default_factory=dict)
    """By project, the index that the lock before had it from."""
    sdists: bool = True
    named: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """By project, the versions that something names exactly."""
    builder_key: str = ""
    """Names the interpreter that builds sdists: another one may give other metadata."""
    python_version: str = ""
    """The base's, full; empty where files for any Python may be had."""

    def home_of(self, project: str) -> str | None:
        """Name the only index that a project may come from; None where the order of indexes decides."""
        for pattern, index in self.reserved:
            if fnmatchcase(project, pattern):
                return index
        return self.homes.get(project)

    def cutoff(self, index: str, day: str) -> dt.datetime | None:
        """Tell the moment after which releases of an index are no candidates; None for none."""
        if index in self.timeless:
            return None
        days = self.index_cooldowns.get(index, self.cooldown_days)
        cooled = dt.datetime.combine(dt.date.fromisoformat(day), dt.time(), dt.UTC) - days * _DAY if days else None
        return min((moment for moment in (self.as_of, cooled) if moment), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropped:
    """A file that the rules hold back."""

    file: OfferedFile
    version: str
    rule: str
    """`as-of`, `cooldown`, `yanked`, `quarantined`, `requires-python` or `sdist`."""
    detail: str
    """As the date of upload or the reason of the yank."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selected:
    """What of a page a stack may have."""

    index: str
    project: str
    wheels: tuple[OfferedFile, ...]
    sdists: tuple[OfferedFile, ...]
    """Of versions that may be built: each stands for a wheel."""
    dropped: tuple[Dropped, ...]


def select(page: ProjectPage, rules: ViewRules, day: str) -> Selected:
    """Apply the rules to a page.

    Raises:
        PackageIndexError: a rule of time is in force and the index gives no times.
    """
    judged = [(file, version, _judge(file, version, page, rules, day)) for file, version in _versions_of(page)]
    kept = [(file, version) for file, version, verdict in judged if verdict is None]
    wheels = tuple(file for file, _ in kept if file.name.endswith(".whl"))
    sdists = _buildable(page.project, kept, rules)
    dropped = tuple(
        Dropped(file=file, version=str(version), rule=verdict[0], detail=verdict[1])
        for file, version, verdict in judged
        if verdict is not None
    )
    if not rules.sdists:
        dropped += _unbuilt(kept)
    return Selected(index=page.index, project=page.project, wheels=wheels, sdists=sdists, dropped=dropped)


def rules_key(project: str, index: str, rules: ViewRules, day: str, named: Iterable[str] = ()) -> str:
    """Digest what of the rules bears on one project, for entity tags.

    Args:
        project: normalised.
        index: that its page is from.
        rules: of the view.
        day: of the snapshot.
        named: of the versions named for the project, those for which naming decides whether they are offered.
    """
    cutoff = rules.cutoff(index, day)
    value = [
        _FORMAT,
        cutoff.isoformat() if cutoff else "",
        [list(row) for row in rules.exceptions if row[0] == project],
        sorted(named) if rules.sdists else None,
        rules.builder_key,
        *([rules.python_version] if rules.python_version else []),
    ]
    return Digest.of(dump_json(value)).hex[:16]


def is_plain(file: OfferedFile, rules: ViewRules) -> bool:
    """Tell whether a file is offered whatever is named or excepted, where no rule of time is in force."""
    past = file.requires_python and rules.python_version and _is_past(file.requires_python, rules.python_version)
    return file.yanked is None and not past


def places_for(project: str, indexes: Sequence[NamedIndex], rules: ViewRules) -> tuple[NamedIndex, ...]:
    """List the indexes that may serve a project, in order.

    Raises:
        PackageIndexError: it may come from one index only, and the user's settings do not name that.
    """
    home = rules.home_of(project)
    if home is None:
        return tuple(indexes)
    found = tuple(index for index in indexes if index.name == home)
    if not found:
        known = ", ".join(repr(index.name) for index in indexes)
        raise PackageIndexError(
            f"{project} comes from index {home!r} alone, which your settings do not name (they name {known})",
            context=project,
            hint=f"name it in uv's settings, as UV_INDEX={home}=URL, or in [python.indexes] of our own",
        )
    return found


def file_version(name: str) -> Version | None:
    """Read the version from the name of a wheel or sdist; None where it has none."""
    found = parse_file_name(name)
    return found[1] if found else None


def virtual_wheel_name(project: str, version: Version | str) -> str:
    """Name the wheel that stands for an sdist."""
    return f"{project.replace('-', '_')}-{str(version).replace('-', '_')}-py3-none-any.whl"


def _versions_of(page: ProjectPage) -> Iterable[tuple[OfferedFile, Version]]:
    for file in page.files:
        version = file_version(file.name)
        if version is not None:
            yield file, version


def _judge(
    file: OfferedFile, version: Version, page: ProjectPage, rules: ViewRules, day: str
) -> tuple[str, str] | None:
    if page.status == "quarantined":
        return "quarantined", page.status_reason
    if file.requires_python and rules.python_version and _is_past(file.requires_python, rules.python_version):
        return "requires-python", file.requires_python
    excepted = any(
        project == page.project and SpecifierSet(specifier).contains(version, prereleases=True)
        for project, specifier in rules.exceptions
    )
    if file.yanked is not None and not excepted:
        return "yanked", file.yanked
    cutoff = rules.cutoff(page.index, day)
    if cutoff is None or excepted:
        return None
    if file.upload_time is None:
        raise PackageIndexError(
            f"index {page.index!r} gives no upload time of {file.name}, and a rule of time is in force",
            context=page.project,
            hint=_HINT_TIMES,
        )
    if dt.datetime.fromisoformat(file.upload_time) > cutoff:
        rule = "as-of" if cutoff == rules.as_of else "cooldown"
        return rule, f"uploaded {file.upload_time[:10]}"
    return None


@functools.lru_cache(maxsize=1 << 14)
def _is_past(requires_python: str, python_version: str) -> bool:
    """Tell whether a Python is refused, but by no lower bound; what cannot be read refuses nothing, as pip has it."""
    try:
        specifiers, python = SpecifierSet(requires_python), Version(python_version)
        if specifiers.contains(python, prereleases=True):
            return False
        lower = [part.version.removesuffix(".*") for part in specifiers if part.operator in {">=", ">", "~=", "=="}]
        return all(Version(text) <= python for text in lower)
    except (InvalidSpecifier, InvalidVersion):
        return False


def is_for_linux(name: str) -> bool:
    """Tell by its name whether a wheel may be for a base of ours: glibc or any system.

    >>> [is_for_linux(f"x-1-{tag}.whl") for tag in ("py3-none-any", "cp313-cp313-manylinux_2_28_x86_64")]
    [True, True]
    >>> [is_for_linux(f"x-1-{tag}.whl") for tag in ("cp313-cp313-win_amd64", "cp313-cp313-musllinux_1_2_x86_64")]
    [False, False]
    """
    if not name.endswith(".whl"):
        return False
    systems = name.removesuffix(".whl").rpartition("-")[2].split(".")
    return any(system == "any" or system.startswith(("linux_", "manylinux")) for system in systems)


def _unbuilt(kept: Sequence[tuple[OfferedFile, Version]]) -> tuple[Dropped, ...]:
    """List the versions that would have to be built, where nothing may be."""
    return tuple(
        Dropped(file=file, version=str(version), rule="sdist", detail="")
        for version, file in _sdists_alone(kept).items()
    )


def _sdists_alone(kept: Sequence[tuple[OfferedFile, Version]]) -> dict[Version, OfferedFile]:
    """List the sdists of versions without a wheel for Linux."""
    with_wheel = {version for file, version in kept if is_for_linux(file.name)}
    return {version: file for file, version in kept if version not in with_wheel and not file.name.endswith(".whl")}


def _buildable(project: str, kept: Sequence[tuple[OfferedFile, Version]], rules: ViewRules) -> tuple[OfferedFile, ...]:
    if not rules.sdists:
        return ()
    alone = _sdists_alone(kept)
    if not alone:
        return ()
    named = {version for text in rules.named.get(project, ()) if (version := _parse(text)) in alone}
    if not named and not any(is_for_linux(file.name) for file, _ in kept):
        named = {max(alone, key=lambda version: (not version.is_prerelease, version))}
    return tuple(alone[version] for version in sorted(named))


def _parse(text: str) -> Version | None:
    try:
        return Version(text)
    except InvalidVersion:
        return None
