"""Read which releases are candidates: `[resolution]` of stack.toml, and `stacks/indexes.toml` for all stacks."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name, is_normalized_name

from builder.stack.model import IndexRule, ReleaseException, ResolutionRules
from builder.stack.names import is_path_below
from builder.stack.table import Table, one_of, parse_table

RESOLVERS = ("uv", "pip-tools")
_FIRST_YEAR, _LAST_YEAR = 2000, 2999
_DAYS = re.compile(r"(0|[1-9][0-9]{0,3})d\Z")
_PATTERN = re.compile(r"[a-z0-9*]+(-[a-z0-9*]+)*(-\*)?\Z")
_INDEX_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")
_URL_KEYS = ("url", "index-url", "address", "host")
_TAKEN = ("default", "find-links")
"""Names of places of the user's settings, which no folder of a project can be."""


def read_resolution(top: Table) -> ResolutionRules:
    """Read `[resolution]`; what is absent there is None."""
    table = top.table("resolution")
    rules = ResolutionRules(
        as_of=_read_as_of(table),
        cooldown_days=_read_days(table, "cooldown"),
        resolver=one_of(table, "resolver", table.text("resolver"), RESOLVERS),
        sdists=table.truth("sdists"),
        exceptions=_read_exceptions(table),
    )
    table.close()
    return rules


def apply_rules(line: Iterable[ResolutionRules]) -> ResolutionRules:
    """Join the rules of a line of stacks, the farthest parent first: the nearest key wins, exceptions add up."""
    joined = ResolutionRules()
    for rules in line:
        joined = ResolutionRules(
            as_of=joined.as_of if rules.as_of is None else rules.as_of,
            cooldown_days=joined.cooldown_days if rules.cooldown_days is None else rules.cooldown_days,
            resolver=joined.resolver if rules.resolver is None else rules.resolver,
            sdists=joined.sdists if rules.sdists is None else rules.sdists,
            exceptions=tuple(dict.fromkeys((*joined.exceptions, *rules.exceptions))),
        )
    return joined


def parse_index_rules(data: bytes, *, file: str) -> tuple[IndexRule, ...]:
    """Read `stacks/indexes.toml`.

    Raises:
        IssuesError: with everything that is wrong.
        StackError: the file is not TOML at all.
    """
    top = parse_table(data, file=file)
    found: dict[str, IndexRule] = {}
    owners: dict[str, str] = {}
    for row in top.tables("indexes"):
        name = row.text("name", required=True, hint='the name that the user\'s settings give it, or "default"')
        reserved = _read_patterns(row)
        cooldown = _read_days(row, "cooldown")
        folder = _read_folder(row, name or "")
        for key in _URL_KEYS:
            row.forbid(key, "is an address, and none stands here", hint="put it into the user's settings of uv or pip")
        row.close()
        if name is None:
            continue
        if not _INDEX_NAME.match(name):
            hint = "only its name stands here; the address belongs into the user's settings of uv or pip"
            row.wrong("name", f"{name[:80]!r} is no name of an index", hint=hint)
        if name in found:
            row.wrong("name", f"{name!r} stands twice", hint="join both tables")
        for pattern in reserved:
            if owners.setdefault(pattern, name) != name:
                row.wrong("reserved", f"{pattern!r} is reserved for {owners[pattern]!r} already")
        found[name] = IndexRule(name=name, folder=folder, reserved=reserved, cooldown_days=cooldown)
    top.close()
    top.issues.raise_any()
    return tuple(sorted(found.values(), key=lambda rule: rule.name))


def read_project(row: Table) -> str | None:
    """Read the key `project`: a name of a project, normalised."""
    text = row.text("project", required=True)
    if text is None:
        return None
    project = str(canonicalize_name(text))
    if not is_normalized_name(project):
        row.wrong("project", f"{text[:80]!r} is no name of a project")
        return None
    return project


def read_specifier(row: Table) -> str | None:
    """Read the key `specifier`: which versions, as PEP 440 writes it."""
    specifier = row.text("specifier", required=True, hint='write the versions allowed, as "<25"')
    if specifier is not None:
        try:
            SpecifierSet(specifier)
        except (InvalidSpecifier, ValueError):
            hint = 'write it as "<25" or ">=2,<3"'
            row.wrong("specifier", f"{specifier[:80]!r} is no version specifier", hint=hint)
    return specifier


def _read_as_of(table: Table) -> dt.datetime | None:
    """Read `as-of`; a date is that whole day in UTC: a release of that day is a candidate."""
    moment = table.moment("as-of")
    if moment is None:
        return None
    if not _FIRST_YEAR <= moment.year <= _LAST_YEAR:
        table.wrong("as-of", f"is in the year {moment.year}", hint="write a day on which there were releases")
        return None
    if isinstance(moment, dt.datetime):
        return moment.astimezone(dt.UTC).replace(microsecond=0)
    return dt.datetime.combine(moment, dt.time(23, 59, 59), dt.UTC)


def _read_days(table: Table, key: str) -> int | None:
    hint = 'write days in quotes, as "7d"; "0d" for none'
    text = table.text(key, hint=hint)
    if text is None:
        return None
    if not _DAYS.match(text):
        table.wrong(key, f"{text[:80]!r} is no number of days", hint=hint)
        return None
    return int(text[:-1])


def _read_exceptions(table: Table) -> tuple[ReleaseException, ...]:
    found: dict[str, ReleaseException] = {}
    for row in table.tables("exceptions"):
        project, specifier = read_project(row), read_specifier(row)
        reason = row.text("reason", required=True, hint="say why it cannot wait, as the vulnerability that it mends")
        row.close()
        if project in found:
            row.wrong("project", f"{project!r} is excepted twice", hint="join both specifiers")
        if project and specifier and reason:
            found[project] = ReleaseException(project=project, specifier=specifier, reason=reason)
    return tuple(found.values())


def _read_folder(row: Table, name: str) -> str:
    """Read the key `folder`: where in the project wheels and sdists lie; empty where the index is the user's own."""
    text = row.text("folder")
    if text is None:
        return ""
    if not is_path_below(text):
        hint = "write it relative to the project's top, as wheels"
        row.wrong("folder", f"{text[:80]!r} is no folder of this project", hint=hint)
    if name in _TAKEN:
        row.wrong("name", f"{name!r} is a place of the user's settings", hint="give the folder a name of its own")
    hint = "take it out: what lies in the project's own folder was chosen by who put it there"
    row.forbid("cooldown", "means nothing for a folder, whose files have no upload times", hint=hint)
    return text


def _read_patterns(row: Table) -> tuple[str, ...]:
    good: list[str] = []
    for position, text in enumerate(row.texts("reserved") or ()):
        pattern = re.sub(r"[-_.]+", "-", text).lower()
        if _PATTERN.match(pattern) and pattern.strip("*-"):
            good.append(pattern)
        else:
            hint = "write a project's name, or its beginning and a star, as acme-*"
            row.wrong(f"reserved[{position}]", f"{text[:80]!r} is no pattern of projects", hint=hint)
    return tuple(sorted(set(good)))
