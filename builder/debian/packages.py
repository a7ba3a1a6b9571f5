"""Packages indexes: from one suite's text to candidates, the newest of all suites first.

An index has about 70,000 paragraphs and a base needs about 50, so the text is only cut at its blank lines; a
paragraph is read when its package is asked for. What a paragraph says is checked then.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from debian.deb822 import Deb822
from debian.debian_support import NativeVersion, version_compare

from builder.digest import Digest
from builder.errors import InvalidInputError, MirrorError
from builder.lock.base import POOL_PATH
from builder.lock.model import LockedFile

_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]*\Z")
# Colons stand behind an epoch only; numbers too long to be read are no versions either.
_VERSION_FORM = r"[0-9]{1,9}:[A-Za-z0-9.+~:-]{1,200}|[A-Za-z0-9.+~-]{1,200}"
_VERSION = re.compile(rf"(?:{_VERSION_FORM})\Z")
_RELATION = re.compile(
    rf"\s*([a-z0-9][a-z0-9+.-]*)(?::([a-z0-9-]+))?\s*(?:\(\s*(<<|<=|=|>=|>>)\s*({_VERSION_FORM})\s*\)\s*)?\Z"
)
_SIZE = re.compile(r"[1-9][0-9]{0,9}\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Relation:
    """One alternative of a dependency, or one thing that is provided, broken or conflicted with."""

    package: str
    qualifier: str = ""
    """Architecture after the colon, as `any`."""
    operator: str = ""
    """`<<`, `<=`, `=`, `>=`, `>>`, or empty where every version will do."""
    version: str = ""

    def __str__(self) -> str:
        qualifier = f":{self.qualifier}" if self.qualifier else ""
        return f"{self.package}{qualifier}" + (f" ({self.operator} {self.version})" if self.operator else "")

    def admits(self, version: str) -> bool:
        """Tell whether a version satisfies this relation's operator."""
        if not self.operator:
            return True
        order = version_compare(version, self.version)
        return {"<<": order < 0, "<=": order <= 0, "=": order == 0, ">=": order >= 0, ">>": order > 0}[self.operator]


Clause = tuple[Relation, ...]
"""Alternatives, of which one must hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A package that a mirror offers."""

    package: str
    version: str
    architecture: str
    source: str
    source_version: str
    """Of the source package, which security trackers speak of: a binary package may have another one."""
    suite: str
    pool_path: str
    file: LockedFile
    multi_arch: str
    depends: tuple[Clause, ...]
    """Pre-Depends, then Depends."""
    provides: tuple[Relation, ...]
    conflicts: tuple[Relation, ...]
    """Conflicts, then Breaks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PackagesIndex:
    """One Packages file, cut into paragraphs."""

    suite: str
    paragraphs: Mapping[str, tuple[bytes, ...]]
    """By package."""
    provided: Mapping[str, tuple[str, ...]]
    """Names that are provided, to the packages that say so."""


def index_packages(data: bytes, *, suite: str) -> PackagesIndex:
    """Cut a Packages file at its blank lines.

    Raises:
        MirrorError: a paragraph does not begin with its Package field, or its names are not UTF-8.
    """
    # NOTE: bytes, not text: one emoji in 57 MB of descriptions makes a str of four bytes a character.
    paragraphs: dict[str, tuple[bytes, ...]] = {}
    provided: dict[str, list[str]] = {}
    for paragraph in data.split(b"\n\n"):
        first = paragraph.lstrip(b"\n")
        if not first:
            continue
        if not first.startswith(b"Package: "):
            raise MirrorError(f"a paragraph that does not begin with Package: {first[:80]!r}", context=suite)
        name = _decoded(first[9:].partition(b"\n")[0], suite)
        paragraphs[name] = (*paragraphs.get(name, ()), first)
        if (start := first.find(b"\nProvides:")) >= 0:
            for part in _decoded(first[start + 10 :].partition(b"\n")[0], suite).split(","):
                provided.setdefault(part.split()[0] if part.strip() else "", []).append(name)
    return PackagesIndex(
        suite=suite, paragraphs=paragraphs, provided={name: tuple(names) for name, names in provided.items()}
    )


class Universe:
    """Everything that the suites of a base offer for one architecture; what is asked for is read and kept."""

    def __init__(self, indexes: Sequence[PackagesIndex], *, architecture: str) -> None:
        self.architecture = architecture
        self._indexes = tuple(indexes)
        self._known: dict[str, Candidate | None] = {}

    def candidate(self, package: str) -> Candidate | None:
        """Find the newest version of a package; of equal versions the one of the suite that comes first.

        Raises:
            MirrorError: its paragraph is not sound.
        """
        if package not in self._known:
            found = [
                parse_candidate(_decoded(paragraph, index.suite), suite=index.suite)
                for index in self._indexes
                for paragraph in index.paragraphs.get(package, ())
            ]
            fitting = [one for one in found if one.architecture in {self.architecture, "all"}]
            self._known[package] = max(fitting, key=_version_key, default=None)
        return self._known[package]

    def providers(self, package: str) -> tuple[Candidate, ...]:
        """List candidates that provide a name, by package."""
        names = {name for index in self._indexes for name in index.provided.get(package, ())}
        found = (self.candidate(name) for name in sorted(names))
        return tuple(one for one in found if one and any(provided.package == package for provided in one.provides))


def parse_candidate(paragraph: str, *, suite: str) -> Candidate:
    """Read one paragraph of a Packages file.

    Raises:
        MirrorError: a field is missing or not what it should be; a path that leaves the archive among them.
    """
    fields = Deb822(paragraph)
    where = f"{suite}: {fields.get('Package', '')[:80]}"
    try:
        pool_path = _matching(POOL_PATH, fields, "Filename")
        package = _matching(_NAME, fields, "Package")
        size = int(_matching(_SIZE, fields, "Size"))
        source, source_version = _source(fields.get("Source") or package)
        return Candidate(
            package=package,
            version=_matching(_VERSION, fields, "Version"),
            architecture=fields["Architecture"],
            source=source,
            source_version=source_version or fields["Version"],
            suite=suite,
            pool_path=pool_path,
            file=LockedFile(name=pool_path.rpartition("/")[2], size=size, sha256=Digest(fields["SHA256"])),
            multi_arch=fields.get("Multi-Arch", ""),
            depends=(*_clauses(fields, "Pre-Depends"), *_clauses(fields, "Depends")),
            provides=_flat(_clauses(fields, "Provides")),
            conflicts=(*_flat(_clauses(fields, "Conflicts")), *_flat(_clauses(fields, "Breaks"))),
        )
    except KeyError as exc:
        raise MirrorError(f"field {exc.args[0]} is missing", context=where) from exc
    except (ValueError, InvalidInputError) as exc:
        raise MirrorError(f"unsound field: {exc}", context=where) from exc


def _decoded(data: bytes, suite: str) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as exc:
        raise MirrorError(f"not UTF-8: {data[:80]!r}", context=suite) from exc


def _version_key(candidate: Candidate) -> NativeVersion:
    return NativeVersion(candidate.version)


def _source(text: str) -> tuple[str, str]:
    """Part `openssl (3.5.1-1)`; without a version the source has the package's."""
    name, _, rest = text.partition(" ")
    return name, rest.strip().removeprefix("(").removesuffix(")")


def _matching(pattern: re.Pattern[str], fields: Mapping[str, str], name: str) -> str:
    value = fields[name]
    if not pattern.match(value):
        raise ValueError(f"{name} {value[:120]!r}")
    return value


def _clauses(fields: Mapping[str, str], name: str) -> tuple[Clause, ...]:
    text = fields.get(name, "").strip()
    return tuple(tuple(map(_relation, clause.split("|"))) for clause in text.split(",") if text)


def _relation(text: str) -> Relation:
    # NOTE: not python-debian's reader: it gives what it cannot read back as a name, with a warning.
    match = _RELATION.match(text)
    if match is None:
        raise ValueError(f"relation {text[:120]!r}")
    package, qualifier, operator, version = match.groups(default="")
    return Relation(package=package, qualifier=qualifier, operator=operator, version=version)


def _flat(clauses: Iterable[Clause]) -> tuple[Relation, ...]:
    return tuple(relation for clause in clauses for relation in clause)
