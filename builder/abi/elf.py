"""What a dynamic loader binds by, read from one ELF file: libraries, symbol versions and symbols.

Only 64-bit little-endian files, which all our platforms have; others say nothing here. Sections are found by pyelftools;
symbols are read in one sweep, since a library has thousands.

Source: System V gABI; LSB, "Symbol Versioning".
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from elftools.common.exceptions import ELFError
from elftools.elf.dynamic import DynamicSection
from elftools.elf.elffile import ELFFile
from elftools.elf.gnuversions import GNUVerDefSection, GNUVerNeedSection
from elftools.elf.sections import Section

from builder.errors import IntegrityError

MAGIC: Final = b"\x7fELF"
_SYMBOL: Final = struct.Struct("<IBBHQQ")
_WEAK_VERSION: Final = 0x2
_GLOBAL: Final = 1
_WEAK: Final = 2
_UNIQUE: Final = 10
_HIDDEN: Final = 0x8000
_MOST_SYMBOLS: Final = 2_000_000
_MANGLED: Final = (
    ELFError,
    struct.error,
    AssertionError,
    AttributeError,
    IndexError,
    KeyError,
    MemoryError,
    OverflowError,
    RecursionError,
    StopIteration,
    TypeError,
    ValueError,
)
"""What pyelftools raises on files that lie: it trusts what it reads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ElfFacts:
    """One file."""

    path: str
    soname: str
    """Empty where it states none."""
    needed: tuple[str, ...]
    """Libraries, in their order."""
    versions: tuple[tuple[str, str], ...]
    """Library and version that it asks of it, as `libc.so.6` and `GLIBC_2.34`; weak ones left out. Sorted."""
    symbols: tuple[tuple[str, str, str], ...]
    """Library, version and name of each versioned symbol that must be there. Sorted."""
    exports: frozenset[str]
    """Names it defines, as `memcpy@GLIBC_2.14`; without `@` where it has no version."""


def parse_elf(data: bytes, path: str) -> ElfFacts | None:
    """Read one file; None for what no loader of ours would load.

    Raises:
        IntegrityError: it calls itself ELF and cannot be read.
    """
    if not data.startswith(MAGIC) or data[4:6] != b"\x02\x01":
        return None
    try:
        return _read(ELFFile(io.BytesIO(data)), path)
    except IntegrityError:
        raise
    except _MANGLED as error:
        raise IntegrityError(f"no ELF file that can be read: {type(error).__name__}", context=path) from error


def _read(file: ELFFile, path: str) -> ElfFacts | None:
    sections = tuple(file.iter_sections())
    tags = [tag for section in sections if isinstance(section, DynamicSection) for tag in section.iter_tags()]
    if not tags:
        return None
    sonames = [str(vars(tag)["soname"]) for tag in tags if tag.entry.d_tag == "DT_SONAME"]
    wanted = _wanted(sections)
    symbols, exports = _bind(file, sections, wanted, path)
    return ElfFacts(
        path=path,
        soname=sonames[0] if sonames else "",
        needed=tuple(str(vars(tag)["needed"]) for tag in tags if tag.entry.d_tag == "DT_NEEDED"),
        versions=tuple(sorted({(library, version) for library, version, weak in wanted.values() if not weak})),
        symbols=tuple(sorted(symbols)),
        exports=frozenset(exports),
    )


def _wanted(sections: tuple[Section, ...]) -> dict[int, tuple[str, str, bool]]:
    """Give, by number, the versions that are asked of libraries, and whether weakly."""
    return {
        item["vna_other"] & ~_HIDDEN: (str(library.name), str(item.name), bool(item["vna_flags"] & _WEAK_VERSION))
        for section in sections
        if isinstance(section, GNUVerNeedSection)
        for library, versions in section.iter_versions()
        for item in versions
    }


def _defined(sections: tuple[Section, ...]) -> dict[int, str]:
    """Give, by number, the versions that are defined: the first name of each; what follows are those it came from."""
    return {
        version["vd_ndx"]: str(next(iter(names)).name)
        for section in sections
        if isinstance(section, GNUVerDefSection)
        for version, names in section.iter_versions()
    }


def _bind(
    file: ELFFile, sections: tuple[Section, ...], wanted: dict[int, tuple[str, str, bool]], path: str
) -> tuple[set[tuple[str, str, str]], set[str]]:
    """Give the versioned symbols that must be found elsewhere, and those that are found here."""
    defined = _defined(sections)
    marks = b"".join(section.data() for section in sections if section.header["sh_type"] == "SHT_GNU_versym")
    symbols: set[tuple[str, str, str]] = set()
    exports: set[str] = set()
    for table in (section for section in sections if section.header["sh_type"] == "SHT_DYNSYM"):
        names = file.get_section(table["sh_link"]).data()
        for name, is_defined, weak, mark in _symbols((table.data(), names), marks, path):
            if is_defined:
                # A program's copy of a library's variable is defined here under the library's version.
                version = (defined.get(mark) or wanted.get(mark, ("", "", False))[1]) if mark > 1 else ""
                exports.add(f"{name}@{version}" if version else name)
            elif mark > 1 and not weak and (asked := wanted.get(mark)) is not None:
                symbols.add((asked[0], asked[1], name))
    return symbols, exports


def _symbols(table: tuple[bytes, bytes], marks: bytes, path: str) -> Iterator[tuple[str, bool, bool, int]]:
    """Iterate over name, whether it is defined here, whether it is weak, and its version's number (1 for none)."""
    entries, names = table
    count = len(entries) // _SYMBOL.size
    if count > _MOST_SYMBOLS:
        raise IntegrityError(f"has {count} symbols", context=path)
    numbers = struct.unpack(f"<{len(marks) // 2}H", marks[: len(marks) // 2 * 2])
    for number, (at, info, _, section, _, _) in enumerate(_SYMBOL.iter_unpack(entries[: count * _SYMBOL.size])):
        binding = info >> 4
        if not at or binding not in {_GLOBAL, _WEAK, _UNIQUE}:
            continue
        end = names.find(b"\0", at)
        name = names[at:end].decode("latin-1") if end > at else ""
        if name:
            yield name, section != 0, binding == _WEAK, numbers[number] & ~_HIDDEN if number < len(numbers) else 1
