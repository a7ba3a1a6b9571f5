"""What the native code of a wheel asks, and what a deb gives: read once for each file, kept by its hash."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from builder.abi.elf import MAGIC, ElfFacts, parse_elf
from builder.canonical import dump_json
from builder.debian.deb import read_deb
from builder.debian.rootfs import deb_entries
from builder.digest import Digest
from builder.entry import EntryKind
from builder.image.base_layers import ensure_tree, iter_file
from builder.image.base_tree import read_contents
from builder.image.sealed import seal, unseal
from builder.lock.model import BaseLock, LockedDeb, LockedFile, LockedImage
from builder.stack.base import base_to_dict
from builder.stack.model import Base
from builder.store.model import ArtefactStore, FileStore
from builder.wheel.archive import read_archive

KIND: Final = "abi"
_FORMAT: Final = 1
"""Raise it when other facts are read from the same file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileFacts:
    """The native code of one wheel or deb."""

    files: tuple[ElfFacts, ...]
    """By path."""
    links: tuple[tuple[str, str], ...] = ()
    """Symbolic links of a deb that may name libraries: the link's path and where it leads."""


def wheel_facts(wheel: LockedFile, files: FileStore, artefacts: ArtefactStore) -> FileFacts:
    """Read what a wheel's native code asks, or recall it.

    Raises:
        MissingBlobError: the store does not hold it.
        IntegrityError: it is refused.
    """

    def read() -> FileFacts:
        members = read_archive(files.read(wheel), file_name=wheel.name)
        found = (parse_elf(m.data, m.name) for m in members if m.data.startswith(MAGIC))
        return FileFacts(files=_sorted(found))

    if wheel.name.endswith("-none-any.whl"):
        return FileFacts(files=())
    return _kept(f"{_FORMAT}-{wheel.sha256.hex}", artefacts, read)


def deb_facts(deb: LockedDeb, base: Base, files: FileStore, artefacts: ArtefactStore) -> FileFacts:
    """Read what the libraries and programs of a deb give, as far as the base takes them, or recall it."""

    def read() -> FileFacts:
        entries = deb_entries(read_deb(files.read(deb.file), file_name=deb.file.name), base)
        found = (parse_elf(e.data, e.path) for e in entries if e.kind is EntryKind.FILE and e.data.startswith(MAGIC))
        links = (
            (entry.path, _leads_to(entry.path, entry.target))
            for entry in entries
            if entry.kind is EntryKind.SYMLINK and ".so" in posixpath.basename(entry.path)
        )
        return FileFacts(files=_sorted(found), links=tuple(sorted(links)))

    taken = Digest.of(dump_json(base_to_dict(base).get("exclude", []))).hex[:16]
    return _kept(f"{_FORMAT}-{deb.file.sha256.hex}-{taken}", artefacts, read)


def image_facts(image: LockedImage, base: BaseLock, files: FileStore, artefacts: ArtefactStore) -> FileFacts:
    """Read what the libraries of a base that is an image give, or recall it."""

    def read() -> FileFacts:
        where = f"base {base.name}"
        tree = ensure_tree(image, files, artefacts, where=where)
        names = [path for path in tree.nodes if ".so" in posixpath.basename(path)]
        wanted = {path for path in names if tree.nodes[path].kind is EntryKind.FILE}
        contents = read_contents(tree, image.layers, lambda file: iter_file(files, file), wanted, where=where)
        found = (parse_elf(data, path) for path, data in contents if data.startswith(MAGIC))
        links = [
            (path, _leads_to(path, tree.nodes[path].target))
            for path in names
            if tree.nodes[path].kind is EntryKind.SYMLINK
        ]
        return FileFacts(files=_sorted(found), links=tuple(sorted(links)))

    layers = Digest.of(dump_json([layer.file.sha256.hex for layer in image.layers])).hex
    return _kept(f"{_FORMAT}-{layers}", artefacts, read)


def _leads_to(link: str, target: str) -> str:
    return posixpath.normpath(posixpath.join("/", posixpath.dirname(link), target)).lstrip("/")


def _sorted(found: Iterable[ElfFacts | None]) -> tuple[ElfFacts, ...]:
    return tuple(sorted((facts for facts in found if facts is not None), key=lambda facts: facts.path))


def _kept(key: str, artefacts: ArtefactStore, read: Callable[[], FileFacts]) -> FileFacts:
    path = artefacts.get(KIND, key)
    value = unseal(path.read_bytes()) if path is not None else None
    if value is not None:
        return _from_json(value)
    facts = read()
    if path is not None:
        path.unlink(missing_ok=True)
    artefacts.put(KIND, key, (seal(_to_json(facts)),))
    return facts


def _to_json(facts: FileFacts) -> dict[str, Any]:
    return {
        "files": [
            [
                f.path,
                f.soname,
                list(f.needed),
                [list(v) for v in f.versions],
                [list(s) for s in f.symbols],
                sorted(f.exports),
            ]
            for f in facts.files
        ],
        "links": [list(link) for link in facts.links],
    }


def _from_json(value: dict[str, Any]) -> FileFacts:
    return FileFacts(
        files=tuple(
            ElfFacts(
                path=path,
                soname=soname,
                needed=tuple(needed),
                versions=tuple((library, version) for library, version in versions),
                symbols=tuple((library, version, name) for library, version, name in symbols),
                exports=frozenset(exports),
            )
            for path, soname, needed, versions, symbols, exports in value["files"]
        ),
        links=tuple((link, target) for link, target in value["links"]),
    )
