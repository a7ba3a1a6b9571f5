"""Facts of a Debian package: its control data and its copyright file, read once and kept by the deb's hash."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from builder.debian.deb import Deb, check_deb, control_fields, read_deb
from builder.entry import EntryKind
from builder.licence.debian import parse_copyright
from builder.licence.model import Licence
from builder.lock.model import LockedDeb
from builder.sbom.facts import DebFacts, SystemFacts, deb_from_dict, deb_to_dict, system_from_list, system_to_list
from builder.sbom.kept import keep
from builder.store.model import ArtefactStore, FileStore

DOCS: Final = "usr/share/doc"
OS_RELEASE: Final = ("usr/lib/os-release", "etc/os-release")
DEBIAN_VERSION: Final = "etc/debian_version"
_SOURCE: Final = re.compile(r"(\S+)(?:\s+\(([^)]+)\))?\Z")
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9+.-]*")
_SETTING: Final = re.compile(r"""^([A-Z_]+)=["']?([^"'\n]*)["']?$""", re.MULTILINE)
_LONGEST: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadDeb:
    """A deb, with what it says of the system where it is the one that names it."""

    facts: DebFacts
    system: SystemFacts | None = None


def deb_facts(deb: LockedDeb, files: FileStore, artefacts: ArtefactStore) -> ReadDeb:
    """Read what a deb tells of itself, or recall it.

    Raises:
        MissingBlobError: the store does not hold it.
        IntegrityError: it is refused.
    """

    def read() -> ReadDeb:
        found = read_deb(files.read(deb.file), file_name=deb.file.name)
        check_deb(found, deb)
        return _read(found, deb)

    return keep(f"deb-{deb.file.sha256.hex}", artefacts, read, _to_dict, _from_dict)


def control_facts(fields: Mapping[str, str], licence: Licence, licence_of: str = "") -> DebFacts:
    """Read control fields; Package, Version and Architecture must stand there."""
    package, version = fields["Package"], fields["Version"]
    match = _SOURCE.match(fields.get("Source", ""))
    source, source_version = (match[1], match[2] or version) if match else (package, version)
    clauses = ", ".join(text for key in ("Pre-Depends", "Depends") if (text := fields.get(key, "")))
    return DebFacts(
        package=package,
        version=version,
        architecture=fields["Architecture"],
        source=source,
        source_version=source_version,
        depends=tuple(names for clause in clauses.split(",") if (names := _names(clause.split("|")))),
        provides=_names(fields.get("Provides", "").split(",")),
        maintainer=" ".join(fields.get("Maintainer", "").partition("<")[0].split())[:_LONGEST],
        summary=fields.get("Description", "")[:_LONGEST],
        licence=licence,
        licence_of=licence_of,
    )


def system_facts(read_text: Callable[[str], str]) -> SystemFacts | None:
    """Read how the system names itself; None where it does not.

    Args:
        read_text: gives the content of a path, empty where there is none.
    """
    text = next((text for path in OS_RELEASE if (text := read_text(path))), "")
    values: dict[str, str] = dict(_SETTING.findall(text))
    if not values.get("ID") or not values.get("VERSION_ID"):
        return None
    version = read_text(DEBIAN_VERSION).strip()
    numbered = version if re.match(r"[0-9]+(?:\.[0-9]+)*\Z", version) else values["VERSION_ID"]
    return SystemFacts(id=values["ID"], version_id=values["VERSION_ID"], version=numbered)


def _read(deb: Deb, locked: LockedDeb) -> ReadDeb:
    entries = {entry.path: entry for entry in deb.entries}
    fields = control_fields(deb.control, where=locked.file.name)
    folder = f"{DOCS}/{deb.package}"
    document = entries.get(f"{folder}/copyright")
    linked = [entries[path] for path in (folder, f"{folder}/copyright") if path in entries]
    other = next((_package_of(one.path, one.target) for one in linked if one.kind is EntryKind.SYMLINK), "")
    licence = Licence()
    if document is not None and document.kind is EntryKind.FILE:
        licence = parse_copyright(document.data, source=locked.source)

    def read_text(path: str) -> str:
        entry = entries.get(path)
        return entry.data.decode("utf-8", "replace") if entry and entry.kind is EntryKind.FILE else ""

    return ReadDeb(facts=control_facts(fields, licence, other), system=system_facts(read_text))


def _package_of(path: str, target: str) -> str:
    """Name the package whose folder of documents a link leads to; empty where it leads elsewhere."""
    leads_to = posixpath.normpath(posixpath.join("/", posixpath.dirname(path), target)).lstrip("/")
    below = leads_to.removeprefix(f"{DOCS}/") if leads_to.startswith(f"{DOCS}/") else ""
    return below.partition("/")[0]


def _names(relations: Iterable[str]) -> tuple[str, ...]:
    """Take the names out of relations; versions and architectures have been decided by the lock."""
    found = (_NAME.match(relation.strip()) for relation in relations)
    return tuple(match[0] for match in found if match)


def _to_dict(read: ReadDeb) -> dict[str, Any]:
    return {"deb": deb_to_dict(read.facts), "system": system_to_list(read.system)}


def _from_dict(value: dict[str, Any]) -> ReadDeb:
    return ReadDeb(facts=deb_from_dict(value["deb"]), system=system_from_list(value["system"]))
