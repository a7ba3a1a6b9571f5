"""Facts of ELF files: against another reading of this machine's own libraries, and on mangled files."""

from __future__ import annotations

import contextlib
import subprocess
import sysconfig
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from builder.abi.elf import parse_elf
from builder.errors import IntegrityError
from tests.support import elf as other
from tests.support.tools import require_tool

LIBC = next(iter(sorted(Path("/lib").glob("*-linux-gnu/libc.so.6"))), Path("/lib64/libc.so.6"))
PROGRAM = Path("/bin/true").resolve()

needs_glibc = pytest.mark.skipif(not LIBC.is_file(), reason="this machine has no glibc where it is looked for")


def own_libraries() -> list[Path]:
    extensions = sorted(Path(sysconfig.get_path("stdlib")).glob("lib-dynload/*.so"))[:6]
    wheels = sorted(Path(sysconfig.get_path("platlib")).rglob("*.so"))[:6]
    return [LIBC, PROGRAM, *extensions, *wheels]


@needs_glibc
@pytest.mark.parametrize("path", own_libraries(), ids=lambda path: path.name)
def test_libraries_and_versions_are_what_another_reader_finds(path: Path) -> None:
    data = path.read_bytes()
    facts, known = parse_elf(data, path.name), other.parse_elf(data)
    assert facts is not None
    assert facts.needed == known.needed
    assert facts.versions == tuple(sorted(set(known.versions_needed)))
    # A program also holds copies of its libraries' variables, under their versions.
    asked = {version for _, version in known.versions_needed}
    assert {name.partition("@")[2] for name in facts.exports if "@" in name} <= known.versions_defined | asked


@needs_glibc
def test_symbols_are_what_readelf_lists() -> None:
    readelf = require_tool("readelf")
    for path in (LIBC, PROGRAM):
        listed = subprocess.run([readelf, "-W", "--dyn-syms", path], capture_output=True, text=True, check=True).stdout
        exports, symbols = set(), set()
        for line in listed.splitlines():
            words = line.split()
            if len(words) < 8 or words[4] not in {"GLOBAL", "WEAK", "UNIQUE"}:
                continue
            name = words[7]
            if words[6] == "UND":
                base, _, version = name.partition("@")
                if version and words[4] == "GLOBAL":
                    symbols.add((version.lstrip("@"), base))
            elif words[6] != "ABS":
                exports.add(name.replace("@@", "@"))
        facts = parse_elf(path.read_bytes(), path.name)
        assert facts is not None
        assert {(version, name) for _, version, name in facts.symbols} == symbols
        assert exports <= facts.exports
        # The rest are the versions' own symbols.
        versions = {name.partition("@")[2] for name in facts.exports}
        assert {name.partition("@")[0] for name in facts.exports - exports} <= versions


def test_what_is_no_elf_file_of_ours_says_nothing() -> None:
    assert parse_elf(b"#!/bin/sh\n", "x") is None
    assert parse_elf(b"\x7fELF\x01\x01" + bytes(100), "of 32 bits") is None
    assert parse_elf(b"\x7fELF\x02\x02" + bytes(100), "of the other byte order") is None


@needs_glibc
@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_mangled_file_is_refused_or_read_and_never_ends_otherwise(data: st.DataObject) -> None:
    raw = bytearray(PROGRAM.read_bytes())
    for _ in range(data.draw(st.integers(1, 8))):
        # Headers of the file, its sections and the tables are where it hurts.
        at = data.draw(
            st.one_of(st.integers(16, 63), st.integers(len(raw) - 2500, len(raw) - 1), st.integers(64, 4000))
        )
        raw[at] = data.draw(st.integers(0, 255))
    cut = data.draw(st.one_of(st.none(), st.integers(0, len(raw))))
    with contextlib.suppress(IntegrityError):
        parse_elf(bytes(raw[:cut]), "mangled")


def test_a_header_alone_is_refused() -> None:
    with pytest.raises(IntegrityError, match="no ELF file that can be read"):
        parse_elf(b"\x7fELF\x02\x01\x01" + bytes(9), "short")
