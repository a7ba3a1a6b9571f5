"""The files of a .dist-info folder, read strictly: METADATA, WHEEL, RECORD, entry_points.txt.

Source: packaging.python.org specifications: binary distribution format 1.0, recording installed projects, entry points.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from builder.wheel.refusal import Refusal, WheelRefusedError

_REFERENCE = re.compile(
    r"(?P<module>[^\W\d]\w*(?:\.[^\W\d]\w*)*)\s*:\s*(?P<attribute>[^\W\d]\w*(?:\.[^\W\d]\w*)*)\s*(?:\[[\w\s,.-]*\])?\Z"
)
_SCRIPT_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*\Z")
_SECTION = re.compile(r"\[(?P<name>[^\[\]]+)\]\Z")
_STRONG_HASHES = frozenset({"sha256", "sha384", "sha512"})


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryPoint:
    """A script that a wheel asks for."""

    name: str
    module: str
    attribute: str
    """Dotted: `main`, or `Class.method`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordRow:
    """What RECORD promises of one file."""

    path: str
    algorithm: str
    """Empty where nothing is promised, as for RECORD itself."""
    digest: str
    """urlsafe base64 without padding."""
    size: int | None


def parse_headers(data: bytes, *, wheel: str, entry: str, kind: Refusal) -> Mapping[str, tuple[str, ...]]:
    """Read the headers of METADATA or WHEEL: by lower-case name, the values in order; the body is left out."""
    headers: dict[str, list[str]] = {}
    last = ""
    for line in _decode(data, wheel=wheel, entry=entry, kind=kind).split("\n"):
        text = line.rstrip("\r")
        if not text:
            break
        if text[0] in " \t" and last:
            headers[last][-1] += "\n" + text.strip()
            continue
        name, colon, value = text.partition(":")
        if not colon or name != name.strip() or not name:
            raise WheelRefusedError(kind, f"not a header: {text[:80]!r}", wheel=wheel, entry=entry)
        last = name.lower()
        headers.setdefault(last, []).append(value.strip())
    return {name: tuple(values) for name, values in headers.items()}


def get_single(headers: Mapping[str, tuple[str, ...]], name: str, *, wheel: str, entry: str, kind: Refusal) -> str:
    """Return the value of a header that must be there exactly once: readers differ in which of two they take."""
    values = headers.get(name.lower(), ())
    if len(values) != 1 or not values[0]:
        found = "missing" if not values else f"there {len(values)} times" if len(values) > 1 else "empty"
        raise WheelRefusedError(kind, f"{name} is {found}", wheel=wheel, entry=entry)
    return values[0]


def parse_record(data: bytes, *, wheel: str, entry: str) -> tuple[RecordRow, ...]:
    """Read RECORD, in its order.

    Raises:
        WheelRefusedError: not a table of three columns, a weak or unknown hash, or a size that is no number.
    """
    text = _decode(data, wheel=wheel, entry=entry, kind=Refusal.RECORD_SYNTAX)
    try:
        return tuple(_make_row(row, wheel) for row in csv.reader(io.StringIO(text, newline=""), strict=True) if row)
    except csv.Error as error:
        raise WheelRefusedError(Refusal.RECORD_SYNTAX, f"not a CSV table: {error}", wheel=wheel, entry=entry) from error


def _make_row(row: list[str], wheel: str) -> RecordRow:
    if len(row) != 3:
        message = f"a RECORD line of {len(row)} columns, not three"
        raise WheelRefusedError(Refusal.RECORD_SYNTAX, message, wheel=wheel, entry=row[0])
    path, digest, size = row
    algorithm, _, value = digest.partition("=")
    if digest and algorithm not in _STRONG_HASHES:
        message = f"RECORD trusts {algorithm[:40]!r}, not sha256 or better"
        raise WheelRefusedError(Refusal.RECORD_WEAK_HASH, message, wheel=wheel, entry=path)
    if size and not (size.isascii() and size.isdigit() and len(size) < 19):
        raise WheelRefusedError(Refusal.RECORD_SYNTAX, f"not a size: {size[:40]!r}", wheel=wheel, entry=path)
    return RecordRow(path=path, algorithm=algorithm, digest=value, size=int(size) if size else None)


def parse_entry_points(data: bytes, *, wheel: str, entry: str) -> Mapping[str, tuple[EntryPoint, ...]]:
    """Read console_scripts and gui_scripts; other groups are not scripts and are not looked into.

    Raises:
        WheelRefusedError: a line is no entry point, a name is no plain file name, a reference is no import path,
            or a name is there twice.
    """
    groups: dict[str, list[EntryPoint]] = {"console_scripts": [], "gui_scripts": []}
    names: set[str] = set()
    text = _decode(data, wheel=wheel, entry=entry, kind=Refusal.ENTRY_POINTS)
    for group, line in _iter_ini(text, wheel, entry):
        if group not in groups:
            continue
        name, equals, reference = (part.strip() for part in line.partition("="))
        if not equals:
            raise WheelRefusedError(
                Refusal.ENTRY_POINTS, f"not an entry point: {line[:80]!r}", wheel=wheel, entry=entry
            )
        if not _SCRIPT_NAME.match(name):
            raise WheelRefusedError(
                Refusal.SCRIPT_NAME, f"not a plain script name: {name[:80]!r}", wheel=wheel, entry=entry
            )
        match = _REFERENCE.match(reference)
        if match is None:
            message = f"script {name!r} does not name an object to import: {reference[:80]!r}"
            raise WheelRefusedError(Refusal.ENTRY_POINTS, message, wheel=wheel, entry=entry)
        if name in names:
            raise WheelRefusedError(Refusal.ENTRY_POINTS, f"script {name!r} is there twice", wheel=wheel, entry=entry)
        names.add(name)
        groups[group].append(EntryPoint(name=name, module=match["module"], attribute=match["attribute"]))
    return {group: tuple(points) for group, points in groups.items()}


def _iter_ini(text: str, wheel: str, entry: str) -> Iterator[tuple[str, str]]:
    # Not configparser: it joins indented lines, which other installers read as lines of their own.
    group = ""
    for raw_line in text.split("\n"):
        line = raw_line.strip()
        if not line or line[0] in "#;":
            continue
        section = _SECTION.match(line)
        if section:
            group = section["name"].strip()
        elif group:
            yield group, line
        else:
            message = f"a line before any group: {line[:80]!r}"
            raise WheelRefusedError(Refusal.ENTRY_POINTS, message, wheel=wheel, entry=entry)


def _decode(data: bytes, *, wheel: str, entry: str, kind: Refusal) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise WheelRefusedError(
            kind, f"not UTF-8: {error.reason} at byte {error.start}", wheel=wheel, entry=entry
        ) from error
