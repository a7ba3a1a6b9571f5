"""The few fields of an ELF file that a dynamic loader looks for libraries with."""

from __future__ import annotations

import io
from dataclasses import dataclass

from elftools.elf.dynamic import DynamicSegment
from elftools.elf.elffile import ELFFile
from elftools.elf.gnuversions import GNUVerDefSection, GNUVerNeedSection
from elftools.elf.segments import InterpSegment

MAGIC = b"\x7fELF"


@dataclass(frozen=True, slots=True, kw_only=True)
class Elf:
    """What a loader reads."""

    machine: str
    """As `EM_X86_64`."""
    interpreter: str
    """Of a program: its loader; else empty."""
    needed: tuple[str, ...]
    rpath: tuple[str, ...]
    runpath: tuple[str, ...]
    versions_needed: tuple[tuple[str, str], ...]
    """Library and symbol version, as `libc.so.6` and `GLIBC_2.34`; weak ones left out."""
    versions_defined: frozenset[str]


_WEAK = 0x2


def parse_elf(data: bytes) -> Elf:
    """Read the header, PT_INTERP, the dynamic segment and the version tables."""
    file = ELFFile(io.BytesIO(data))
    interpreter = ""
    found: dict[str, list[str]] = {"DT_NEEDED": [], "DT_RPATH": [], "DT_RUNPATH": []}
    for segment in file.iter_segments():
        if isinstance(segment, InterpSegment):
            interpreter = segment.get_interp_name()
        elif isinstance(segment, DynamicSegment):
            for tag in segment.iter_tags():
                if tag.entry.d_tag in found:
                    name = tag.entry.d_tag.removeprefix("DT_").lower()
                    found[tag.entry.d_tag].append(getattr(tag, name))
    needed, defined = _versions(file)
    return Elf(
        machine=file["e_machine"],
        interpreter=interpreter,
        needed=tuple(found["DT_NEEDED"]),
        rpath=_folders(found["DT_RPATH"]),
        runpath=_folders(found["DT_RUNPATH"]),
        versions_needed=needed,
        versions_defined=defined,
    )


def _folders(values: list[str]) -> tuple[str, ...]:
    return tuple(folder for value in values for folder in value.split(":") if folder)


def _versions(file: ELFFile) -> tuple[tuple[tuple[str, str], ...], frozenset[str]]:
    needed: list[tuple[str, str]] = []
    defined: set[str] = set()
    for section in file.iter_sections():
        if isinstance(section, GNUVerNeedSection):
            for library, versions in section.iter_versions():
                needed += [(str(library.name), str(item.name)) for item in versions if not item["vna_flags"] & _WEAK]
        elif isinstance(section, GNUVerDefSection):
            for _, versions in section.iter_versions():
                # The first name is the version; what follows are those it came from.
                defined.add(str(next(iter(versions)).name))
    return tuple(needed), frozenset(defined)
