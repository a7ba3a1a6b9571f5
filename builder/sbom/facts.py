"""What files that a lock names tell of themselves, beyond the lock: licences, sources, what they carry of others.

Facts are functions of the file's bytes alone, so they are kept by its hash.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from builder.digest import Digest
from builder.licence.model import Licence, licence_from_dict, licence_to_dict


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """A package that stands inside a distribution: a vendored copy, or what its own bill of materials names."""

    purl: str
    """Canonical."""
    path: str
    """Where the wheel, or the base, says so."""
    licence: Licence = field(default_factory=Licence)


@dataclass(frozen=True, slots=True, kw_only=True)
class WheelFacts:
    """A wheel."""

    summary: str
    supplier: str
    """Author, else maintainer, as METADATA has it; empty where it says nobody."""
    licence: Licence
    carried: tuple[Carried, ...] = ()
    """By purl, each once."""
    sboms: tuple[tuple[str, Digest], ...] = ()
    """Bills of materials that it brings along, by path."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DebFacts:
    """A Debian package, from its own control data."""

    package: str
    version: str
    architecture: str
    source: str
    source_version: str
    depends: tuple[tuple[str, ...], ...]
    """Names of packages, of which one of each group must be there."""
    provides: tuple[str, ...]
    maintainer: str
    summary: str
    licence: Licence
    licence_of: str = ""
    """The package whose copyright file is this one's too; empty for none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemFacts:
    """The operating system, as its own files name it."""

    id: str
    """As `debian`."""
    version_id: str
    """As `13`: what purls name."""
    version: str
    """As `13.8`: etc/debian_version, else the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseFacts:
    """What a base that is an image holds."""

    debs: tuple[DebFacts, ...]
    """By package and architecture."""
    distributions: tuple[Carried, ...]
    """By purl, each once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All that is told of one platform."""

    system: SystemFacts | None
    """None where the base does not say."""
    wheels: Mapping[Digest, WheelFacts]
    debs: Mapping[Digest, DebFacts]
    base: BaseFacts | None = None
    """Where the base is an image."""
    from_files: bool = True
    """Whether the files were read; else it is what the locks alone say."""


def system_to_list(system: SystemFacts | None) -> list[str] | None:
    """Write how a system names itself as JSON values."""
    return [system.id, system.version_id, system.version] if system else None


def system_from_list(row: list[str] | None) -> SystemFacts | None:
    """Read it back."""
    return SystemFacts(id=row[0], version_id=row[1], version=row[2]) if row else None


def carried_to_list(carried: tuple[Carried, ...]) -> list[Any]:
    """Write packages as JSON values."""
    return [[one.purl, one.path, licence_to_dict(one.licence)] for one in carried]


def carried_from_list(rows: list[Any]) -> tuple[Carried, ...]:
    """Read them back."""
    return tuple(Carried(purl=purl, path=path, licence=licence_from_dict(licence)) for purl, path, licence in rows)


def wheel_to_dict(facts: WheelFacts) -> dict[str, Any]:
    """Write facts as JSON values."""
    return {
        "summary": facts.summary,
        "supplier": facts.supplier,
        "licence": licence_to_dict(facts.licence),
        "carried": carried_to_list(facts.carried),
        "sboms": [[path, digest.hex] for path, digest in facts.sboms],
    }


def wheel_from_dict(value: dict[str, Any]) -> WheelFacts:
    """Read them back."""
    return WheelFacts(
        summary=value["summary"],
        supplier=value["supplier"],
        licence=licence_from_dict(value["licence"]),
        carried=carried_from_list(value["carried"]),
        sboms=tuple((path, Digest(hexadecimal)) for path, hexadecimal in value["sboms"]),
    )


def deb_to_dict(facts: DebFacts) -> dict[str, Any]:
    """Write facts as JSON values."""
    return {
        "package": facts.package,
        "version": facts.version,
        "architecture": facts.architecture,
        "source": facts.source,
        "source_version": facts.source_version,
        "depends": [list(names) for names in facts.depends],
        "provides": list(facts.provides),
        "maintainer": facts.maintainer,
        "summary": facts.summary,
        "licence": licence_to_dict(facts.licence),
        "licence_of": facts.licence_of,
    }


def deb_from_dict(value: dict[str, Any]) -> DebFacts:
    """Read them back."""
    return DebFacts(
        package=value["package"],
        version=value["version"],
        architecture=value["architecture"],
        source=value["source"],
        source_version=value["source_version"],
        depends=tuple(tuple(names) for names in value["depends"]),
        provides=tuple(value["provides"]),
        maintainer=value["maintainer"],
        summary=value["summary"],
        licence=licence_from_dict(value["licence"]),
        licence_of=value["licence_of"],
    )
