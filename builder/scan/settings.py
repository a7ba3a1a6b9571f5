"""Read stacks/scan.toml: which scanner is trusted, how old its database may be, which lists there are. Strictly."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from builder.digest import Digest
from builder.errors import InvalidInputError
from builder.stack.table import Table, parse_table

FILE: Final = "stacks/scan.toml"
DEFAULT_AGE_S: Final = 3 * 86_400
PROGRAM_PATH: Final = "usr/local/bin/trivy"
_SPAN: Final = re.compile(r"([1-9][0-9]{0,3})(h|d)\Z")
_SECONDS: Final = {"h": 3600, "d": 86_400}
_HEX: Final = re.compile(r"[0-9a-f]{64}\Z")
_VERSION: Final = re.compile(r"[0-9][0-9A-Za-z.+-]{0,39}\Z")
_SOURCE: Final = re.compile(r"[a-z0-9][a-z0-9+.-]+\Z")
_PATH: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class ScannerPin:
    """Which program is trusted to scan."""

    version: str
    sha256: frozenset[str]
    """Of the program, hexadecimal: one for each platform that it runs on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Canaries:
    """What a scanner has to find in the layer that every image is scanned with on top."""

    deb: str
    """Name of a source package."""
    project: str
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanSettings:
    """What stacks/scan.toml says."""

    pin: ScannerPin | None = None
    image: str = ""
    """Reference of an image that the program is taken out of, by digest."""
    image_path: str = PROGRAM_PATH
    database: str = ""
    """The only database that may be used, by the sha256 of its file; empty for any that is young enough."""
    database_age_s: int = DEFAULT_AGE_S
    exploited: str = ""
    """Path of the list of what is exploited, relative to stacks/."""
    canaries: Canaries | None = None
    """In the place of those that come with this program."""


def parse_settings(data: bytes, *, file: str = FILE) -> ScanSettings:
    """Read the file.

    Raises:
        IssuesError: with everything that is wrong.
        StackError: it is not TOML at all.
    """
    top = parse_table(data, file=file)
    trivy, database, listed = top.table("trivy"), top.table("database"), top.table("exploited")
    found = ScanSettings(
        pin=_read_pin(trivy),
        image=_read_image(trivy),
        image_path=_matching(trivy, "image-path", _PATH, "as usr/local/bin/trivy") or PROGRAM_PATH,
        database=_matching(database, "sha256", _HEX, "64 hexadecimal characters, as `scan db ls` shows them") or "",
        database_age_s=_read_age(database),
        exploited=_matching(listed, "file", _PATH, "a file below stacks/, as known-exploited.json") or "",
        canaries=_read_canaries(top.table("canary")) if "canary" in top else None,
    )
    for table in (trivy, database, listed, top):
        table.close()
    top.issues.raise_any()
    return found


def parse_canaries(data: bytes, *, file: str) -> Canaries:
    """Read the canaries that come with this program."""
    top = parse_table(data, file=file)
    found = _read_canaries(top)
    top.issues.raise_any()
    if found is None:
        raise InvalidInputError("names no canaries", context=file)
    return found


def _read_pin(table: Table) -> ScannerPin | None:
    version = _matching(table, "version", _VERSION, "as 0.70.0")
    hashes = table.texts("sha256", hint="of the program, one for each platform that it runs on")
    for position, text in enumerate(hashes or ()):
        if not _HEX.match(text):
            table.wrong(f"sha256[{position}]", f"{text[:80]!r} is no sha256", hint="write 64 hexadecimal characters")
    if (version is None) != (hashes is None):
        missing = "sha256" if hashes is None else "version"
        table.wrong(missing, "is missing", hint="a scanner is pinned by both: `airflow-kubler scan` prints them")
    if hashes == ():
        table.wrong("sha256", "is empty", hint="leave both keys out to pin nothing")
    return ScannerPin(version=version, sha256=frozenset(hashes)) if version and hashes else None


def _read_image(table: Table) -> str:
    from builder.registry.model import parse_reference

    text = table.text("image")
    if text is None:
        return ""
    hint = "write it as registry.example.org/team/trivy@sha256:<64 hexadecimal characters>"
    try:
        reference = parse_reference(text)
    except InvalidInputError as error:
        table.wrong("image", error.message, hint=hint)
        return ""
    if reference.digest is None:
        table.wrong("image", "names no digest", hint=hint)
    return text


def _read_age(table: Table) -> int:
    hint = 'days or hours in quotes, as "3d" or "12h"'
    text = table.text("max-age", hint=hint)
    if text is None:
        return DEFAULT_AGE_S
    if not (found := _SPAN.match(text)):
        table.wrong("max-age", f"{text[:80]!r} is no span of time", hint=hint)
        return DEFAULT_AGE_S
    return int(found[1]) * _SECONDS[found[2]]


def _read_canaries(table: Table) -> Canaries | None:
    deb = _matching(table, "deb", _SOURCE, "the name of a source package", required=True)
    text = table.text("distribution", required=True, hint='as "requests==2.19.0"')
    table.close()
    try:
        wanted = Requirement(text) if text else None
    except InvalidRequirement:
        wanted = None
    pins = [one for one in wanted.specifier if one.operator == "=="] if wanted else []
    if text and (wanted is None or len(pins) != 1 or len(wanted.specifier) != 1):
        table.wrong("distribution", f"{text[:80]!r} names no version", hint='as "requests==2.19.0"')
    if deb is None or wanted is None or len(pins) != 1:
        return None
    return Canaries(deb=deb, project=canonicalize_name(wanted.name), version=pins[0].version)


def _matching(table: Table, key: str, pattern: re.Pattern[str], hint: str, *, required: bool = False) -> str | None:
    text = table.text(key, hint=hint, required=required)
    if text is None or pattern.match(text):
        return text
    table.wrong(key, f"{text[:80]!r} is not right", hint=f"write {hint}")
    return None


def pin_lines(version: str, sha256: Digest) -> str:
    """Write what would pin a program."""
    return f'[trivy]\nversion = "{version}"\nsha256 = ["{sha256.hex}"]'
