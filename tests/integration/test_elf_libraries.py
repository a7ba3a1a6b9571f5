"""Every ELF file of an image finds the libraries that it needs, on both platforms and both bases.

The search is glibc's (ld.so(8)) without LD_LIBRARY_PATH and ld.so.cache, which images do not have: DT_RPATH where there is
no DT_RUNPATH, DT_RUNPATH, then the multiarch folders. What was found must be of the same machine and define every
symbol version that is asked of it.
"""

from __future__ import annotations

import posixpath
import tarfile
from collections.abc import Iterator, Mapping

import pytest

from builder.platform import PLATFORMS
from tests.conftest import Build
from tests.support.core_image import Layers, resolve
from tests.support.elf import MAGIC, Elf, parse_elf

pytestmark = [pytest.mark.network, pytest.mark.slow]

_MACHINES = {"amd64": "EM_X86_64", "arm64": "EM_AARCH64"}


def _read_elves(layers: Layers) -> Mapping[str, Elf]:
    large_enough = {name for name, entry in layers.tree().items() if entry.islnk() or entry.size > len(MAGIC)}
    python = (".py", ".pyc")
    wanted = (name for name in large_enough if not name.endswith(python))
    files = layers.contents(frozenset(wanted).__contains__)
    return {name: parse_elf(data) for name, data in files if data.startswith(MAGIC)}


def _search_path(path: str, elf: Elf, multiarch: str) -> Iterator[str]:
    origin = posixpath.dirname(path)
    for folder in elf.runpath or elf.rpath:
        yield folder.replace("${ORIGIN}", "$ORIGIN").replace("$ORIGIN", f"/{origin}")
    yield from (f"/{folder}/{multiarch}" for folder in ("lib", "usr/lib"))
    yield from ("/lib", "/usr/lib")


def _find(tree: Mapping[str, tarfile.TarInfo], name: str, folders: Iterator[str]) -> str | None:
    for folder in folders:
        if found := resolve(tree, f"{folder}/{name}"):
            return found
    return None


def _problems(layers: Layers, elves: Mapping[str, Elf], architecture: str) -> Iterator[str]:
    tree = layers.tree()
    multiarch = PLATFORMS[f"linux/{architecture}"].multiarch
    for path, elf in sorted(elves.items()):
        if elf.machine != _MACHINES[architecture]:
            yield f"{path} is for {elf.machine}"
        if elf.interpreter and resolve(tree, elf.interpreter) not in elves:
            yield f"{path} is started by {elf.interpreter}, which is not there"
        found = {name: _find(tree, name, _search_path(path, elf, multiarch)) for name in elf.needed}
        for name, library in found.items():
            if library is None:
                yield f"{path} does not find {name}"
            elif library not in elves:
                yield f"{path} finds {name} at {library}, which is no ELF file"
        for name, version in elf.versions_needed:
            library = found.get(name)
            if library is not None and library in elves and version not in elves[library].versions_defined:
                yield f"{path} needs {version}, which {library} does not define"


@pytest.mark.parametrize("architecture", ["amd64", "arm64"])
@pytest.mark.parametrize("stack", ["core", "core-py311"])
def test_every_library_is_found(build_stack: Build, stack: str, architecture: str) -> None:
    built = build_stack(stack, "zstd")
    layers = Layers(folder=built.folder, image=built.platform(architecture))
    elves = _read_elves(layers)
    assert len(elves) > 250
    assert list(_problems(layers, elves, architecture)) == []
