"""From a deb to the entries of an image: what is left out, where it goes, what scanners read.

Rules, the same for every deb:

- paths that the base excludes are left out (last matching pattern wins, `!` takes back; as dpkg's path-exclude and
  path-include); folders that only excluded paths needed go with them;
- bin, sbin, lib and lib64 are folders of usr: older debs' paths are rewritten;
- the set-user-id and set-group-id bits are taken off: nothing in an image gains rights;
- var/lib/dpkg/status.d/<package> holds the control paragraph and <package>.md5sums the files: scanners read them.

No maintainer script runs; the base's declared files stand in for them.
"""

from __future__ import annotations

import fnmatch
import posixpath
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from builder.debian.deb import Deb
from builder.entry import Entry, EntryKind, directory_entry, file_entry, symlink_entry
from builder.errors import IntegrityError, StackError
from builder.lock.model import BaseLock
from builder.stack.model import Base, BaseFile

_MERGED = ("bin", "sbin", "lib", "lib64", "lib32", "libx32", "libo32")
_CERTIFICATES = "usr/share/ca-certificates/"
_STATUS_FOLDER = "var/lib/dpkg/status.d"
_ALL_BUT_SET_ID = 0o1777


def deb_entries(deb: Deb, base: Base) -> tuple[Entry, ...]:
    """Give what a deb adds to an image.

    Returns:
        By path, folders of the deb and the status files among them; a folder stands once, before what it holds.

    Raises:
        IntegrityError: two entries land on one path.
    """
    excluded = exclusion(base.exclude)
    kept = [entry for entry in deb.entries if entry.kind is not EntryKind.DIRECTORY and not excluded(entry.path)]
    kept = _with_content(kept, deb)
    needed = {parent for entry in kept for parent in _parents(entry.path)}
    folders = [
        entry
        for entry in deb.entries
        if entry.kind is EntryKind.DIRECTORY and (entry.path in needed or not excluded(entry.path))
    ]
    placed: dict[str, Entry] = {}
    for entry in (*folders, *kept, *_status_entries(deb, excluded)):
        moved = _placed(entry)
        earlier = placed.setdefault(moved.path, moved)
        if earlier is not moved and {earlier.kind, moved.kind} != {EntryKind.DIRECTORY}:
            raise IntegrityError("two entries of the deb land on one path", context=f"{deb.package}: {moved.path}")
    return tuple(placed[path] for path in sorted(placed))


def base_file_entries(base: Base, *, ca_certificates: Deb | None) -> tuple[Entry, ...]:
    """Give the files that a base declares.

    Args:
        base: the base.
        ca_certificates: the deb of that name; None where the base declares no `ca-bundle`.

    Returns:
        By path.

    Raises:
        StackError: a `ca-bundle` without the deb, or two files on one path.
    """
    entries: dict[str, Entry] = {}
    for file in base.files:
        if file.path in entries:
            raise StackError("declared twice", context=f"stacks/bases/{base.name}.toml: files: {file.path}")
        entries[file.path] = _declared(file, base, ca_certificates)
    return tuple(entries[path] for path in sorted(entries))


def python_debs(lock: BaseLock) -> frozenset[str]:
    """Name the packages that form the python layer; all others form the base layer."""
    names = (f"python{lock.base.python}", f"libpython{lock.base.python}")
    packages = {deb.package for deb in lock.debs}
    return frozenset(package for package in packages if package.startswith(tuple(f"{name}-" for name in names)))


def exclusion(patterns: Sequence[str]) -> Callable[[str], bool]:
    """Make the test that tells whether a path is left out.

    A pattern is a glob whose `*` crosses slashes; it speaks of a path and of everything below it. The last pattern
    that matches decides; with `!` before it, it keeps.
    """
    rules = [
        (re.compile(fnmatch.translate(pattern.removeprefix("!"))), not pattern.startswith("!"))
        for pattern in reversed(patterns)
    ]

    def excluded(path: str) -> bool:
        candidates = (path, *_parents(path))
        for regex, answer in rules:
            if any(regex.match(candidate) for candidate in candidates):
                return answer
        return False

    return excluded


def merged_path(path: str) -> str:
    """Rewrite a path below bin, sbin, lib or lib64 to usr's folder of that name."""
    return f"usr/{path}" if path.partition("/")[0] in _MERGED else path


def _placed(entry: Entry) -> Entry:
    """Put an entry where a merged-usr image has it, without set-id bits."""
    if entry.kind is EntryKind.SYMLINK and entry.path in _MERGED:
        return entry
    path = merged_path(entry.path)
    target = entry.target
    if entry.kind is EntryKind.HARDLINK:
        target = merged_path(target)
    elif entry.kind is EntryKind.SYMLINK and path != entry.path and ".." in target.split("/"):
        # NOTE: one folder deeper than the deb believes; links that climb would land beside their target.
        absolute = posixpath.normpath(posixpath.join(posixpath.dirname(entry.path), target))
        target = posixpath.relpath("/" + merged_path(absolute), "/" + posixpath.dirname(path))
    return replace(entry, path=path, target=target, mode=entry.mode & _ALL_BUT_SET_ID)


def _with_content(kept: Iterable[Entry], deb: Deb) -> list[Entry]:
    """Let the first kept hard link carry the content of a file that was left out."""
    content = {entry.path: entry for entry in deb.entries if entry.kind is EntryKind.FILE}
    present: dict[str, str] = {}
    result: list[Entry] = []
    for entry in kept:
        if entry.kind is EntryKind.FILE:
            present[entry.path] = entry.path
        elif entry.kind is EntryKind.HARDLINK:
            first = present.setdefault(entry.target, entry.path)
            made = (
                replace(content[entry.target], path=entry.path) if first == entry.path else replace(entry, target=first)
            )
            result.append(made)
            continue
        result.append(entry)
    return result


def _status_entries(deb: Deb, excluded: Callable[[str], bool]) -> Iterable[Entry]:
    """Make what distroless images have in the place of dpkg's database."""
    first, _, rest = deb.control.partition("\n")
    paragraph = f"{first}\nStatus: install ok installed\n{rest}"
    yield directory_entry("var")
    yield directory_entry("var/lib")
    yield directory_entry("var/lib/dpkg")
    yield directory_entry(_STATUS_FOLDER)
    yield file_entry(f"{_STATUS_FOLDER}/{deb.package}", paragraph.encode())
    lines = (line.partition("  ") for line in deb.md5sums.splitlines())
    kept = [f"{digest}  {merged_path(path)}\n" for digest, _, path in lines if path and not excluded(path)]
    yield file_entry(f"{_STATUS_FOLDER}/{deb.package}.md5sums", "".join(kept).encode())


def _declared(file: BaseFile, base: Base, ca_certificates: Deb | None) -> Entry:
    if file.kind == "symlink":
        return replace(symlink_entry(file.path, file.target), uid=file.uid, gid=file.gid)
    if file.kind == "directory":
        mode = 0o755 if file.mode is None else file.mode
        return directory_entry(file.path, mode=mode, uid=file.uid, gid=file.gid)
    data = file.content.encode()
    if file.kind == "ca-bundle":
        if ca_certificates is None:
            where = f"stacks/bases/{base.name}.toml: files: {file.path}"
            raise StackError("a ca-bundle needs the package ca-certificates", context=where, hint="add it to roots")
        data = _bundle(ca_certificates)
    return Entry(path=file.path, data=data, mode=0o644 if file.mode is None else file.mode, uid=file.uid, gid=file.gid)


def _bundle(ca_certificates: Deb) -> bytes:
    """Join the certificates by path, as update-ca-certificates does."""
    certificates = {
        entry.path: entry.data
        for entry in ca_certificates.entries
        if entry.kind is EntryKind.FILE and entry.path.startswith(_CERTIFICATES) and entry.path.endswith(".crt")
    }
    return b"".join(certificates[path].rstrip(b"\n") + b"\n" for path in sorted(certificates))


def _parents(path: str) -> list[str]:
    """List the folders above a path, nearest first."""
    parts = path.split("/")
    return ["/".join(parts[:count]) for count in range(len(parts) - 1, 0, -1)]
