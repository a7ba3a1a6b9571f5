"""A wheel, read and believed: every file is in RECORD and true, every name agrees with the file name.

Source: packaging.python.org specifications: binary distribution format 1.0.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass

from builder.wheel.archive import DEFAULT_LIMITS, Limits, Member, read_archive
from builder.wheel.metadata import EntryPoint, RecordRow, get_single, parse_entry_points, parse_headers, parse_record
from builder.wheel.refusal import Refusal, WheelRefusedError
from builder.wheel.scheme import check_destinations

_LINUX_TAG = re.compile(r"-(?:many|musl)linux(?:1|2010|2014|_[0-9]+_[0-9]+)_([a-z0-9_]+)\Z")
_UNRECORDED = ("RECORD", "RECORD.jws", "RECORD.p7s")
"""Files that RECORD cannot vouch for: itself and its signatures."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wheel:
    """A wheel that passed every check; its content in memory."""

    file_name: str
    project: str
    """PEP 503 normalised."""
    name: str
    """As the file name spells it."""
    version: str
    """As METADATA spells it."""
    tags: tuple[str, ...]
    """Expanded and sorted, as `cp313-cp313-manylinux_2_28_x86_64`."""
    dist_info: str
    """Top folder of its metadata, as `Flask_Login-0.6.3.dist-info`."""
    purelib: bool
    """`Root-Is-Purelib`; both schemes are one folder in our images."""
    members: tuple[Member, ...]
    record: tuple[RecordRow, ...]
    """Checked against every member."""
    console_scripts: tuple[EntryPoint, ...]
    gui_scripts: tuple[EntryPoint, ...]
    pth_files: tuple[str, ...]
    """Names of entries that Python reads as lines of code or paths at each start; policy decides on them."""

    @property
    def data_dir(self) -> str:
        """Top folder of files for other schemes, as `dill-0.4.1.data`; it may be absent."""
        return self.dist_info.removesuffix(".dist-info") + ".data"


def read_wheel(data: bytes, *, file_name: str, limits: Limits = DEFAULT_LIMITS) -> Wheel:
    """Read a wheel and check all that it says of itself.

    Args:
        data: the wheel, whole; untrusted.
        file_name: as the index names it: name, version and tags are checked against it.
        limits: how much it may hold.

    Raises:
        WheelRefusedError: an IntegrityError whose context is `<wheel>: <entry>` and whose `kind` names the broken rule.
    """
    project, version, tags = _parse_file_name(file_name)
    members = read_archive(data, file_name=file_name, limits=limits)
    files = {member.name: member.data for member in members}
    dist_info = _find_dist_info(files, project, version, file_name)
    metadata_version = _check_metadata(files, dist_info, project, version, file_name)
    purelib = _check_wheel_file(files, dist_info, tags, file_name)
    record = _check_record(files, dist_info, file_name)
    points = _read_entry_points(files, dist_info, file_name)
    wheel = Wheel(
        file_name=file_name,
        project=project,
        name=file_name.partition("-")[0],
        version=metadata_version,
        tags=tags,
        dist_info=dist_info,
        purelib=purelib,
        members=members,
        record=record,
        console_scripts=points["console_scripts"],
        gui_scripts=points["gui_scripts"],
        pth_files=tuple(sorted(name for name in files if name.endswith(".pth"))),
    )
    check_destinations(
        tuple(files),
        data_dir=wheel.data_dir,
        scripts=tuple(point.name for point in (*wheel.console_scripts, *wheel.gui_scripts)),
        wheel=file_name,
    )
    return wheel


def _parse_file_name(file_name: str) -> tuple[str, str, tuple[str, ...]]:
    """Read project, version (both normalised) and expanded tags from a wheel's file name."""
    from packaging.utils import InvalidWheelFilename, parse_wheel_filename

    try:
        project, version, _, tags = parse_wheel_filename(file_name)
    except InvalidWheelFilename as error:
        raise WheelRefusedError(Refusal.FILE_NAME, f"not a wheel's file name: {error}", wheel=file_name) from error
    return project, str(version), tuple(sorted(map(str, tags)))


def _same_version(text: str, version: str) -> bool:
    from packaging.version import InvalidVersion, Version

    try:
        return Version(text) == Version(version)
    except InvalidVersion:
        return False


def _find_dist_info(files: Mapping[str, bytes], project: str, version: str, wheel: str) -> str:
    from packaging.utils import canonicalize_name

    folders = {name.partition("/")[0] for name in files if "/" in name}
    found = sorted(folder for folder in folders if folder.lower().endswith(".dist-info"))
    if not found:
        raise WheelRefusedError(Refusal.DIST_INFO_MISSING, "no .dist-info folder", wheel=wheel)
    if len(found) > 1:
        raise WheelRefusedError(
            Refusal.DIST_INFO_SEVERAL, f"several .dist-info folders: {', '.join(found)}", wheel=wheel, entry=found[1]
        )
    stem = found[0].removesuffix(".dist-info")
    name, _, found_version = stem.rpartition("-")
    if stem == found[0] or canonicalize_name(name) != project or not _same_version(found_version, version):
        message = f"the folder is not of {project} {version}, which the file name promises"
        raise WheelRefusedError(Refusal.DIST_INFO_NAME, message, wheel=wheel, entry=found[0])
    return found[0]


def _read_required(files: Mapping[str, bytes], entry: str, kind: Refusal, wheel: str) -> bytes:
    if entry not in files:
        raise WheelRefusedError(kind, "the file is missing", wheel=wheel, entry=entry)
    return files[entry]


def _check_metadata(files: Mapping[str, bytes], dist_info: str, project: str, version: str, wheel: str) -> str:
    """Compare METADATA with the file name; returns the version as METADATA spells it."""
    from packaging.utils import canonicalize_name

    entry = f"{dist_info}/METADATA"
    kind = Refusal.METADATA
    headers = parse_headers(_read_required(files, entry, kind, wheel), wheel=wheel, entry=entry, kind=kind)
    get_single(headers, "Metadata-Version", wheel=wheel, entry=entry, kind=kind)
    found_name = get_single(headers, "Name", wheel=wheel, entry=entry, kind=kind)
    found_version = get_single(headers, "Version", wheel=wheel, entry=entry, kind=kind)
    if canonicalize_name(found_name) != project:
        message = f"METADATA says {found_name[:80]!r}, the file name {project!r}"
        raise WheelRefusedError(Refusal.NAME_LIE, message, wheel=wheel, entry=entry)
    if not _same_version(found_version, version):
        message = f"METADATA says version {found_version[:80]!r}, the file name {version!r}"
        raise WheelRefusedError(Refusal.VERSION_LIE, message, wheel=wheel, entry=entry)
    return found_version


def _check_wheel_file(files: Mapping[str, bytes], dist_info: str, tags: tuple[str, ...], wheel: str) -> bool:
    """Compare the WHEEL file with the file name; returns Root-Is-Purelib."""
    from packaging.tags import parse_tag

    entry = f"{dist_info}/WHEEL"
    kind = Refusal.WHEEL_FILE
    headers = parse_headers(_read_required(files, entry, kind, wheel), wheel=wheel, entry=entry, kind=kind)
    version = get_single(headers, "Wheel-Version", wheel=wheel, entry=entry, kind=kind)
    if version.partition(".")[0] != "1":
        raise WheelRefusedError(
            Refusal.WHEEL_VERSION, f"wheel format {version[:40]!r}, not 1.x", wheel=wheel, entry=entry
        )
    purelib = get_single(headers, "Root-Is-Purelib", wheel=wheel, entry=entry, kind=kind).lower()
    if purelib not in {"true", "false"}:
        raise WheelRefusedError(kind, f"Root-Is-Purelib is {purelib[:40]!r}", wheel=wheel, entry=entry)
    try:
        said = {str(tag) for text in headers.get("tag", ()) for tag in parse_tag(text)}
    except ValueError as error:
        raise WheelRefusedError(kind, f"not a tag: {error}", wheel=wheel, entry=entry) from error
    if not _agree(said, set(tags)):
        odd = ", ".join(sorted(said.symmetric_difference(tags)))
        raise WheelRefusedError(
            Refusal.TAGS_LIE, f"tags differ from those of the file name: {odd[:200]}", wheel=wheel, entry=entry
        )
    return purelib == "true"


def _agree(said: set[str], tags: set[str]) -> bool:
    """Compare WHEEL's tags with the file name's.

    NOTE: wheels renamed by hand after the build (ray) have manylinux2014 in the file name and still plain linux in WHEEL.
    The lock chose by the file name; Python, ABI and machine must agree all the same.
    """
    renamed = {_LINUX_TAG.sub(r"-linux_\1", tag): tag for tag in tags}
    return _without_python_2({renamed.get(tag, tag) for tag in said}) == _without_python_2(tags)


def _without_python_2(tags: set[str]) -> set[str]:
    """Leave out py2 tags beside the same tag for py3: no base has a Python 2, and some wheels (py-spy) forget it in WHEEL."""
    return {tag for tag in tags if not (tag.startswith("py2-") and f"py3-{tag.removeprefix('py2-')}" in tags)}


def _check_record(files: Mapping[str, bytes], dist_info: str, wheel: str) -> tuple[RecordRow, ...]:
    """Check RECORD both ways: it lists every file, every file it lists is there and as it says."""
    entry = f"{dist_info}/RECORD"
    rows = parse_record(_read_required(files, entry, Refusal.RECORD_MISSING, wheel), wheel=wheel, entry=entry)
    unrecorded = {f"{dist_info}/{name}" for name in _UNRECORDED}
    seen = set()
    for row in rows:
        if row.path in seen:
            raise WheelRefusedError(Refusal.RECORD_DUPLICATE, "RECORD lists it twice", wheel=wheel, entry=row.path)
        seen.add(row.path)
        content = files.get(row.path)
        if row.path in unrecorded and not row.algorithm:
            continue
        if content is None:
            raise WheelRefusedError(
                Refusal.RECORD_ABSENT_FILE, "RECORD lists it, the archive has no such file", wheel=wheel, entry=row.path
            )
        if not row.algorithm:
            raise WheelRefusedError(Refusal.RECORD_HASH, "RECORD gives no hash", wheel=wheel, entry=row.path)
        if row.size is None or row.size != len(content):
            raise WheelRefusedError(
                Refusal.RECORD_SIZE, f"{len(content)} bytes, RECORD says {row.size}", wheel=wheel, entry=row.path
            )
        if _encode_hash(row.algorithm, content) != row.digest:
            raise WheelRefusedError(
                Refusal.RECORD_HASH, f"its {row.algorithm} is not the one in RECORD", wheel=wheel, entry=row.path
            )
    unlisted = sorted(files.keys() - seen - unrecorded)
    if unlisted:
        raise WheelRefusedError(Refusal.RECORD_UNLISTED_FILE, "RECORD does not list it", wheel=wheel, entry=unlisted[0])
    return rows


def _encode_hash(algorithm: str, content: bytes) -> str:
    digest = hashlib.new(algorithm, content, usedforsecurity=True).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _read_entry_points(files: Mapping[str, bytes], dist_info: str, wheel: str) -> Mapping[str, tuple[EntryPoint, ...]]:
    entry = f"{dist_info}/entry_points.txt"
    return parse_entry_points(files.get(entry, b""), wheel=wheel, entry=entry)
