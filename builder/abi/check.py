"""Whether a base gives what native code asks: every library, symbol version and versioned symbol. Pure.

- A library that the same distribution brings is no demand on the base; nor is one that the base lacks and another
  distribution brings, which was loaded before.
- A symbol without a version is no demand: extension modules bind such ones to the interpreter or to whatever is loaded.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from builder.abi.elf import ElfFacts
from builder.abi.facts import FileFacts
from builder.platform import Platform


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Missing:
    """Something that a base lacks."""

    platform: str
    distribution: str
    """As `cryptography==46.0.1`."""
    path: str
    """In the wheel."""
    library: str
    """As `libssl.so.3`."""
    version: str = ""
    """As `OPENSSL_3.2.0`; empty where the whole library is missing."""
    symbol: str = ""
    """Empty where the whole version is missing."""

    def __str__(self) -> str:
        what = f"{self.symbol}@{self.version} of {self.library}" if self.symbol else f"{self.version} of {self.library}"
        return f"{self.platform}: {self.distribution}: {self.path} needs {what if self.version else self.library}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Provided:
    """What a base gives on one platform."""

    exports: Mapping[str, frozenset[str]]
    """By library, as a loader finds it: `memcpy@GLIBC_2.14`."""

    def versions(self, library: str) -> frozenset[str]:
        """List the symbol versions that a library defines."""
        return frozenset(name.partition("@")[2] for name in self.exports[library] if "@" in name)


def provide(debs: Iterable[FileFacts], platform: Platform) -> Provided:
    """Gather the libraries that a loader finds in its folders: by file name, by SONAME, and by the links that lead to them."""
    folders = {f"{top}{folder}" for top in ("", "usr/") for folder in ("lib", f"lib/{platform.multiarch}", "lib64")} | {
        "usr/local/lib"
    }
    facts = tuple(debs)
    by_path = {_merged(file.path): file for deb in facts for file in deb.files}
    named: dict[str, frozenset[str]] = {}
    for deb in facts:
        for file in deb.files:
            folder, name = posixpath.split(file.path)
            if folder in folders:
                named.setdefault(name, file.exports)
                if file.soname:
                    named.setdefault(file.soname, file.exports)
    for deb in facts:
        for link, target in deb.links:
            folder, name = posixpath.split(link)
            found = by_path.get(_merged(target))
            if folder in folders and found is not None:
                named.setdefault(name, found.exports)
    return Provided(exports=named)


def _merged(path: str) -> str:
    """Name a path as it is where /lib is /usr/lib."""
    return path if path.startswith("usr/") else f"usr/{path}"


def find_missing(wheels: Mapping[str, FileFacts], provided: Provided, platform: Platform) -> tuple[Missing, ...]:
    """Compare what the distributions of a stack ask with what a base gives.

    Args:
        wheels: by distribution, as `cryptography==46.0.1`.
        provided: by the base.
        platform: of both.
    """
    everywhere = {name for facts in wheels.values() for file in facts.files for name in _names(file)}
    versions = {library: provided.versions(library) for library in provided.exports}
    # A loader looks for a symbol in all that is loaded: what was libpthread's may be libc's by now.
    symbols = frozenset().union(
        *provided.exports.values(), *(file.exports for facts in wheels.values() for file in facts.files)
    )
    found: set[Missing] = set()
    for distribution, facts in wheels.items():
        own = {name for file in facts.files for name in _names(file)}
        for file in facts.files:
            for library in file.needed:
                if library not in own and library not in versions and library not in everywhere:
                    found.add(_missing(platform, distribution, file, library))
            lacking = [
                (library, version)
                for library, version in file.versions
                if library not in own and library in versions and version not in versions[library]
            ]
            found.update(_missing(platform, distribution, file, library, version) for library, version in lacking)
            found.update(
                _missing(platform, distribution, file, library, version, symbol)
                for library, version, symbol in file.symbols
                if library not in own
                and library in versions
                and (library, version) not in lacking
                and f"{symbol}@{version}" not in symbols
            )
    return tuple(sorted(found))


def count_native(wheels: Mapping[str, FileFacts]) -> int:
    """Count the native files of a stack."""
    return sum(len(facts.files) for facts in wheels.values())


def _names(file: ElfFacts) -> Sequence[str]:
    return (posixpath.basename(file.path), *((file.soname,) if file.soname else ()))


def _missing(
    platform: Platform, distribution: str, file: ElfFacts, library: str, version: str = "", symbol: str = ""
) -> Missing:
    return Missing(
        platform=platform.name,
        distribution=distribution,
        path=file.path,
        library=library,
        version=version,
        symbol=symbol,
    )
