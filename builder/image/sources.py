"""What segments are made from, and the key that names everything which decides about a segment's bytes.

A key holds no platform: a pure wheel, and a deb of architecture `all`, are one segment for every platform.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, assert_never

from builder.canonical import dump_json
from builder.debian.deb import check_deb, read_deb
from builder.debian.rootfs import base_file_entries, deb_entries
from builder.digest import Digest
from builder.entry import Entry, EntryKind, file_entry
from builder.image.formats import SEGMENT_FORMAT
from builder.lock.model import LockedDeb, LockedFile
from builder.stack.model import Base
from builder.store.model import FileStore
from builder.wheel.install import DEFAULT_PREFIX, install_entries
from builder.wheel.target import check_python
from builder.wheel.wheel import read_wheel


@dataclass(frozen=True, slots=True, kw_only=True)
class WheelSource:
    """A distribution, with its bytecode."""

    project: str
    version: str
    wheel: LockedFile
    without: tuple[str, ...] = ()
    """Paths that an earlier distribution installs alike, sorted; see shared.py."""

    @property
    def name(self) -> str:
        """As `botocore==1.40.1`."""
        return f"{self.project}=={self.version}"

    @property
    def size(self) -> int:
        """Bytes to read: what comes first when several wait."""
        return self.wheel.size


@dataclass(frozen=True, slots=True, kw_only=True)
class DebSource:
    """A Debian package; Python's own with the bytecode that its maintainer script would have made."""

    deb: LockedDeb
    bytecode: bool = False

    @property
    def name(self) -> str:
        """As `libc6=2.41-12`."""
        return f"{self.deb.package}={self.deb.version}"

    @property
    def size(self) -> int:
        """Bytes to read."""
        return self.deb.file.size


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredSource:
    """The files that a base declares in the place of maintainer scripts."""

    base: Base
    ca_certificates: LockedDeb | None

    @property
    def name(self) -> str:
        """As `base:trixie`."""
        return f"base:{self.base.name}"

    @property
    def size(self) -> int:
        """Bytes to read."""
        return self.ca_certificates.file.size if self.ca_certificates else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class EntriesSource:
    """Entries that are at hand, as the run contract's."""

    name: str
    entries: tuple[Entry, ...]

    @property
    def size(self) -> int:
        """Bytes of content."""
        return sum(len(entry.data) for entry in self.entries)


@dataclass(frozen=True, slots=True, kw_only=True)
class FilesSource:
    """Files of the stack's own, by path in the image."""

    files: tuple[tuple[str, LockedFile], ...]

    @property
    def name(self) -> str:
        """Always `files`."""
        return "files"

    @property
    def size(self) -> int:
        """Bytes to read."""
        return sum(file.size for _, file in self.files)


Source = WheelSource | DebSource | DeclaredSource | EntriesSource | FilesSource


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """What all sources are read with.

    Args:
        files: the store.
        base: of the base lock: exclusions.
        python: major and minor, as `3.13`.
        interpreter: key of the interpreter that compiles.
        bytecode: gives the compiled files of entries.
        compressor: name of the compressor.
    """

    files: FileStore
    base: Base
    python: str
    interpreter: str
    bytecode: Callable[[Sequence[Entry]], Sequence[Entry]]
    compressor: str
    python_version: str = ""
    """The base's, full, which wheels must be for; `interpreter` changes with it, so segments are made anew."""


def source_key(source: Source, intake: Intake) -> str:
    """Name the segment of a source by everything that decides about its bytes."""
    parts: dict[str, Any] = {"compressor": intake.compressor, "format": SEGMENT_FORMAT, **_parts(source, intake)}
    return Digest.of(dump_json(parts)).hex


def _parts(source: Source, intake: Intake) -> Mapping[str, Any]:
    match source:
        case WheelSource():
            without = {"without": list(source.without)} if source.without else {}
            return {
                "interpreter": intake.interpreter,
                "prefix": DEFAULT_PREFIX,
                "python": intake.python,
                "wheel": [source.wheel.name, source.wheel.sha256.hex],
                **without,
            }
        case DebSource():
            interpreter = intake.interpreter if source.bytecode else ""
            return {
                "deb": source.deb.file.sha256.hex,
                "exclude": list(intake.base.exclude),
                "interpreter": interpreter,
            }
        case DeclaredSource():
            certificates = source.ca_certificates.file.sha256.hex if source.ca_certificates else ""
            return {"ca": certificates, "declared": [asdict(file) for file in source.base.files]}
        case EntriesSource():
            return {"entries": [_entry_parts(entry) for entry in source.entries]}
        case FilesSource():
            return {"files": [[path, file.sha256.hex] for path, file in source.files]}
    assert_never(source)


def _entry_parts(entry: Entry) -> list[Any]:
    return [entry.path, entry.kind, entry.mode, entry.uid, entry.gid, entry.target, Digest.of(entry.data).hex]


def read_source(source: Source, intake: Intake) -> tuple[Entry, ...]:
    """Read a source from the store, check it, and give its entries.

    Raises:
        IntegrityError: it is refused at intake.
        MissingBlobError: the store does not hold a file.
    """
    match source:
        case WheelSource():
            installed = read_installed(source, intake)
            return (*installed, *intake.bytecode(installed))
        case DebSource():
            deb = read_deb(intake.files.read(source.deb.file), file_name=source.deb.file.name)
            check_deb(deb, source.deb)
            unpacked = deb_entries(deb, intake.base)
            compiled = intake.bytecode(_library(unpacked, intake.python)) if source.bytecode else ()
            return (*unpacked, *compiled)
        case DeclaredSource():
            locked = source.ca_certificates
            bundle = read_deb(intake.files.read(locked.file), file_name=locked.file.name) if locked else None
            return base_file_entries(source.base, ca_certificates=bundle)
        case EntriesSource():
            return source.entries
        case FilesSource():
            return tuple(file_entry(path, intake.files.read(file)) for path, file in source.files)
    assert_never(source)


def read_installed(source: WheelSource, intake: Intake) -> tuple[Entry, ...]:
    """Read what a distribution installs, but for its bytecode; raises as `read_source`."""
    wheel = read_wheel(intake.files.read(source.wheel), file_name=source.wheel.name)
    if intake.python_version:
        check_python(wheel, intake.python_version)
    left_out = frozenset(source.without)
    return tuple(entry for entry in install_entries(wheel, python=intake.python) if entry.path not in left_out)


def _library(entries: Sequence[Entry], python: str) -> tuple[Entry, ...]:
    """Pick what Python imports: a package's other scripts are never imported.

    Links are left out: sitecustomize.py leads to /etc, and bytecode that is never checked would hide what is written there.
    """
    folder = f"usr/lib/python{python}/"
    return tuple(entry for entry in entries if entry.kind is EntryKind.FILE and entry.path.startswith(folder))
