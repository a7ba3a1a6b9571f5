"""Reading debs, strictly.

A deb is data here: nothing of it is run. What is refused, each by name:

- an ar archive that is not exactly `debian-binary`, `control.tar.*`, `data.tar.*`;
- inflated sizes and numbers of members above the limits, while the bytes come;
- paths that leave the image (absolute, `..`, through a link of the same deb), repeated paths, overlayfs whiteouts,
  control characters in names, links that climb out of the root;
- devices and fifos.

Source: deb(5), ar(5).
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable
from dataclasses import dataclass

from builder.debian.inflate import SUFFIXES, InflatingReader
from builder.debian.tar import Member, iter_members
from builder.entry import Entry, EntryKind
from builder.errors import IntegrityError
from builder.lock.model import LockedDeb

_AR_MAGIC = b"!<arch>\n"
_AR_HEADER = 60
_CONTROL_CHARACTER = re.compile(r"[\x00-\x1f\x7f]")
_FIELD = re.compile(r"([!-9;-~]+):[ \t]*(.*)\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class DebLimits:
    """Above these a deb is refused. The largest that images hold today unpack to 60 MB."""

    data_bytes: int = 1 << 30
    control_bytes: int = 16 << 20
    members: int = 50_000
    ratio: int = 100
    """Inflated bytes for one compressed, of the data; real debs have 40 at most, large ones 11."""
    ratio_free_bytes: int = 64 << 20
    """Inflated bytes below which the ratio does not matter."""

    def data_limit(self, packed: int) -> int:
        """Give the most bytes that data of a compressed size may inflate to."""
        return min(self.data_bytes, max(self.ratio_free_bytes, self.ratio * packed))


@dataclass(frozen=True, slots=True, kw_only=True)
class Deb:
    """One Debian package, read whole."""

    package: str
    version: str
    architecture: str
    control: str
    """The control paragraph as it stands, with a newline at its end."""
    md5sums: str
    """Lines of `<md5>  <path>`; empty where the package has none."""
    entries: tuple[Entry, ...]
    """In the order of the archive; hard links point at files of the same deb."""


def read_deb(data: bytes, *, file_name: str, limits: DebLimits | None = None) -> Deb:
    """Read a deb.

    Args:
        data: the file's bytes, hash already checked.
        file_name: names the deb in errors.
        limits: where other than the usual ones.

    Raises:
        IntegrityError: the deb breaks one of this page's rules; names the deb and the member.
    """
    limits = limits or DebLimits()
    control_name, control_bytes, data_name, data_bytes = _ar_members(data, file_name)
    control_files = _read_control(control_name, control_bytes, file_name=file_name, limits=limits)
    control = control_files.get("control", "")
    fields = control_fields(control, where=f"{file_name}: control")
    where = f"{file_name}: {data_name}"
    limit = limits.data_limit(len(data_bytes))
    reader = InflatingReader(data_bytes, suffix=data_name.rpartition(".")[2], limit=limit, where=where)
    members = iter_members(reader, where=where, max_members=limits.members)
    return Deb(
        package=fields["Package"],
        version=fields["Version"],
        architecture=fields["Architecture"],
        control=control.rstrip("\n") + "\n",
        md5sums=control_files.get("md5sums", ""),
        entries=_entries(members, where=where),
    )


def check_deb(deb: Deb, locked: LockedDeb) -> None:
    """Refuse a deb that is another package, version or architecture than the lock names.

    Raises:
        IntegrityError: names every field that differs.
    """
    pairs = (
        ("Package", deb.package, locked.package),
        ("Version", deb.version, locked.version),
        ("Architecture", deb.architecture, locked.architecture),
    )
    wrong = [f"{field} is {got!r}, locked {want!r}" for field, got, want in pairs if got != want]
    if wrong:
        raise IntegrityError("; ".join(wrong), context=locked.file.name)


def control_fields(text: str, *, where: str) -> dict[str, str]:
    """Read the first lines of one control paragraph's fields; Package, Version and Architecture must stand there.

    Raises:
        IntegrityError: more than one paragraph, a line that is no field, a field twice or missing.
    """
    fields: dict[str, str] = {}
    for line in text.rstrip("\n").split("\n"):
        if line[:1] in {" ", "\t"} and fields:
            continue
        match = _FIELD.match(line)
        if match is None:
            raise IntegrityError(f"not a control field: {line[:80]!r}", context=where)
        if match[1] in fields:
            raise IntegrityError(f"field {match[1]} stands twice", context=where)
        fields[match[1]] = match[2].strip()
    for name in ("Package", "Version", "Architecture"):
        if not fields.get(name):
            raise IntegrityError(f"field {name} is missing", context=where)
    return fields


def _ar_members(data: bytes, file_name: str) -> tuple[str, memoryview, str, memoryview]:
    """Split an ar archive into the three members of a deb, in their order."""
    if not data.startswith(_AR_MAGIC):
        raise IntegrityError("not a Debian package: no ar archive", context=file_name)
    view = memoryview(data)
    members: list[tuple[str, memoryview]] = []
    position = len(_AR_MAGIC)
    while position < len(data):
        name, size = _ar_header(bytes(view[position : position + _AR_HEADER]), file_name)
        position += _AR_HEADER
        if position + size > len(data):
            raise IntegrityError("the ar archive ends too early", context=f"{file_name}: {name}")
        members.append((name, view[position : position + size]))
        position += size
        if size % 2:
            if bytes(view[position : position + 1]) != b"\n":
                raise IntegrityError("no padding after a member of odd size", context=f"{file_name}: {name}")
            position += 1
    names = [name for name, _ in members]
    wanted = ("debian-binary", *(rf"{part}\.tar\.(?:{'|'.join(SUFFIXES)})" for part in ("control", "data")))
    if len(names) != len(wanted) or not all(map(re.fullmatch, wanted, names)):
        raise IntegrityError(f"not the three members of a Debian package: {', '.join(names)}", context=file_name)
    if bytes(members[0][1]) != b"2.0\n":
        raise IntegrityError("not of format 2.0", context=file_name)
    return (*members[1], *members[2])


def _ar_header(header: bytes, file_name: str) -> tuple[str, int]:
    if len(header) != _AR_HEADER or header[58:] != b"`\n":
        raise IntegrityError("a damaged ar header", context=file_name)
    name, size = header[:16].rstrip(b" "), header[48:58].rstrip(b" ")
    if not re.fullmatch(rb"[a-z0-9._-]+", name) or not re.fullmatch(rb"[0-9]+", size):
        raise IntegrityError(f"a damaged ar header: {header!r}", context=file_name)
    return name.decode(), int(size)


def _read_control(name: str, data: memoryview, *, file_name: str, limits: DebLimits) -> dict[str, str]:
    """Take control and md5sums out of control.tar; maintainer scripts are left where they are."""
    where = f"{file_name}: {name}"
    reader = InflatingReader(data, suffix=name.rpartition(".")[2], limit=limits.control_bytes, where=where)
    files: dict[str, str] = {}
    for entry in _entries(iter_members(reader, where=where, max_members=limits.members), where=where):
        if entry.path in {"control", "md5sums"} and entry.kind is EntryKind.FILE:
            try:
                files[entry.path] = entry.data.decode()
            except UnicodeDecodeError as exc:
                raise IntegrityError("not UTF-8", context=f"{where}: {entry.path}") from exc
    return files


def _entries(members: Iterable[Member], *, where: str) -> tuple[Entry, ...]:
    """Turn members into entries; the root itself is left out."""
    kinds: dict[str, EntryKind] = {}
    parents: set[str] = set()
    entries: list[Entry] = []
    for member in members:
        path = _clean_path(member.name, where=where)
        if not path:
            continue
        here = f"{where}: {path}"
        if path in kinds:
            raise IntegrityError("the path stands twice", context=here)
        if path in parents and member.kind is not EntryKind.DIRECTORY:
            raise IntegrityError(f"a {member.kind} with entries below it", context=here)
        parents |= _check_parents(path, kinds, where=here)
        target = _clean_target(member, path, kinds, where=here)
        kinds[path] = member.kind
        entries.append(
            Entry(
                path=path,
                kind=member.kind,
                data=member.data,
                target=target,
                mode=0o777 if member.kind is EntryKind.SYMLINK else member.mode,
                uid=member.uid,
                gid=member.gid,
            )
        )
    return tuple(entries)


def _clean_path(name: str, *, where: str) -> str:
    """Take the leading `./` and a directory's trailing slash away; the root becomes the empty string."""
    path = name.removeprefix("./").removesuffix("/")
    if path in {"", "."}:
        return ""
    parts = path.split("/")
    if name.startswith("/") or not {"", ".", ".."}.isdisjoint(parts):
        raise IntegrityError(f"a path that is not a plain relative one: {name!r}", context=where)
    if _CONTROL_CHARACTER.search(path):
        raise IntegrityError(f"a control character in a path: {name!r}", context=where)
    if any(part.startswith(".wh.") for part in parts):
        raise IntegrityError(f"a path that layers would read as a whiteout: {name!r}", context=where)
    return path


def _check_parents(path: str, kinds: dict[str, EntryKind], *, where: str) -> set[str]:
    """Give the folders above a path; refuse one that the same deb made a file or a link."""
    parents = set()
    parent = posixpath.dirname(path)
    while parent:
        kind = kinds.get(parent, EntryKind.DIRECTORY)
        if kind is not EntryKind.DIRECTORY:
            raise IntegrityError(f"lies below {parent}, a {kind}", context=where)
        parents.add(parent)
        parent = posixpath.dirname(parent)
    return parents


def _clean_target(member: Member, path: str, kinds: dict[str, EntryKind], *, where: str) -> str:
    """Check a link's target: hard links name an earlier file of the deb, symbolic ones stay below the root."""
    if member.kind is EntryKind.HARDLINK:
        target = _clean_path(member.link, where=where)
        if kinds.get(target) is not EntryKind.FILE:
            raise IntegrityError(f"a hard link to {member.link!r}, no earlier file of this deb", context=where)
        return target
    if member.kind is not EntryKind.SYMLINK:
        return ""
    if not member.link or _CONTROL_CHARACTER.search(member.link):
        raise IntegrityError(f"a symbolic link to {member.link!r}", context=where)
    if _climbs_out(path, member.link):
        raise IntegrityError(f"a symbolic link that climbs out of the root: {member.link!r}", context=where)
    return member.link


def _climbs_out(path: str, target: str) -> bool:
    """Tell whether a symbolic link's text leads above the root when followed step by step from its place."""
    depth = 0 if target.startswith("/") else path.count("/")
    for part in target.split("/"):
        if part not in {"", "."}:
            depth += -1 if part == ".." else 1
        if depth < 0:
            return True
    return False
