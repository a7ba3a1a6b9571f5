"""Read what a lock says of how it was made: divergences, rules of resolution and of indexes, wheels built from sdists."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from typing import Any

from builder.lock.fields import Fields
from builder.lock.model import BuiltWheel, LockedFile
from builder.stack.model import Divergence, IndexRule, ReleaseException, ResolutionRules

_DAYS = re.compile(r"[0-9]{1,4}d\Z")
_FILE_KEYS = {"name", "size", "sha256"}


def read_divergences(read: Fields, ours: Mapping[str, Any], where: str) -> tuple[Divergence, ...]:
    """Read the steps away from the constraints."""
    found = []
    for row, key in read.tables(ours, "divergences", where):
        read.known(row, {"project", "specifier", "reason", "owner", "expires"}, key)
        found.append(
            Divergence(
                project=read.text(row, "project", key),
                specifier=read.text(row, "specifier", key),
                reason=read.text(row, "reason", key),
                owner=read.text(row, "owner", key),
                expires=_date(read, row, key),
            )
        )
    if [one.project for one in found] != sorted({one.project for one in found}):
        read.wrong(f"{where}divergences", "must be sorted by project, none twice")
    return tuple(found)


def read_resolution(read: Fields, ours: Mapping[str, Any], where: str) -> ResolutionRules:
    """Read the rules of `[resolution]`; none where the lock was made without."""
    table = read.table(ours, "resolution", where)
    where = f"{where}resolution."
    read.known(table, {"as-of", "cooldown", "resolver", "sdists", "exceptions"}, where)
    return ResolutionRules(
        as_of=_moment(read, table, where) if "as-of" in table else None,
        cooldown_days=_days(read, table, where),
        resolver=read.optional_text(table, "resolver", where),
        sdists=_truth(read, table, "sdists", where),
        exceptions=tuple(
            ReleaseException(
                project=read.text(row, "project", key),
                specifier=read.text(row, "specifier", key),
                reason=read.text(row, "reason", key),
            )
            for row, key in read.tables(table, "exceptions", where)
        ),
    )


def read_index_rules(read: Fields, ours: Mapping[str, Any], where: str) -> tuple[IndexRule, ...]:
    """Read the rules of indexes."""
    return tuple(
        IndexRule(
            name=read.text(row, "name", key),
            folder=read.optional_text(row, "folder", key) or "",
            reserved=read.texts(row, "reserved", key) if "reserved" in row else (),
            cooldown_days=_days(read, row, key),
        )
        for row, key in read.tables(ours, "indexes", where)
    )


def read_built(read: Fields, ours: Mapping[str, Any], where: str) -> BuiltWheel:
    """Read how a wheel came out of an sdist."""
    table = read.table(ours, "built", where)
    where = f"{where}built."
    read.known(table, {"sdist", "requires", "compilers"}, where)
    requires = []
    for row, key in read.tables(table, "requires", where):
        read.known(row, {"project", "version", *_FILE_KEYS}, key)
        requires.append((read.text(row, "project", key), read.text(row, "version", key), _file(read, row, key)))
    sdist = read.table(table, "sdist", where)
    read.known(sdist, _FILE_KEYS, f"{where}sdist.")
    compilers = read.hex(table, "compilers", where) if "compilers" in table else None
    return BuiltWheel(sdist=_file(read, sdist, f"{where}sdist."), requires=tuple(requires), compilers=compilers)


def _file(read: Fields, row: Mapping[str, Any], key: str) -> LockedFile:
    name = read.text(row, "name", key)
    if "/" in name or not name.isprintable() or name in {".", ".."}:
        read.wrong(f"{key}name", f"is no name of a file: {name[:80]!r}")
    return LockedFile(name=name, size=read.number(row, "size", key), sha256=read.hex(row, "sha256", key))


def _date(read: Fields, row: Mapping[str, Any], key: str) -> dt.date:
    try:
        return dt.date.fromisoformat(read.text(row, "expires", key))
    except ValueError:
        read.wrong(f"{key}expires", "must be a date, as 2027-03-31")
        return dt.date.min


def _moment(read: Fields, table: Mapping[str, Any], where: str) -> dt.datetime | None:
    try:
        return dt.datetime.fromisoformat(read.text(table, "as-of", where)).astimezone(dt.UTC)
    except (ValueError, OverflowError):
        read.wrong(f"{where}as-of", "must be a time in UTC, as 2026-11-01T06:00:00Z")
        return None


def _days(read: Fields, table: Mapping[str, Any], where: str) -> int | None:
    if "cooldown" not in table:
        return None
    text = read.text(table, "cooldown", where)
    if _DAYS.match(text):
        return int(text[:-1])
    read.wrong(f"{where}cooldown", "must be days, as 7d")
    return None


def _truth(read: Fields, table: Mapping[str, Any], key: str, where: str) -> bool | None:
    value = table.get(key)
    if value is None or isinstance(value, bool):
        return value
    read.wrong(f"{where}{key}", "must be true or false")
    return None
