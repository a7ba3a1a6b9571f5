"""The base's own Python on this machine: unpacked from locked debs, run through its own loader.

Bytecode must come from exactly the Python that will read it. It needs no root and no container: the program is started by
the loader of its own C library, which finds only its own libraries. So it runs on any Linux of a supported architecture,
whatever C library or Python that has.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from builder.canonical import dump_json
from builder.digest import Digest
from builder.entry import Entry, EntryKind
from builder.errors import BuildError, ToolError
from builder.lock.model import BaseLock, LockedDeb, LockedImage
from builder.platform import Platform
from builder.store.model import FileStore

_KIND = "interpreter"
_FORMAT = 1
"""Of the unpacked tree: another number makes it anew."""
_LIBRARIES = ("libc6", "libexpat1", "zlib1g")
"""What the program itself is linked with."""
_BINARY_REBUILD = re.compile(r"\+b\d+\Z")
OPTIONS = ("-s", "-S", "-B", "-P")
"""No user site, no site, no bytecode of its own, nothing imported from the program's folder. Not -I: it ignores PYTHONHOME."""


class TreeStore(Protocol):
    """Where unpacked interpreters are kept."""

    def get(self, kind: str, key: str) -> Path | None:
        """Find one, None where there is none."""

    def put_tree(self, kind: str, key: str, populate: Callable[[Path], None]) -> Path:
        """Keep a folder atomically."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interpreter:
    """How to start it."""

    argv: tuple[str, ...]
    """Program and options; what to run follows."""
    env: Mapping[str, str]
    """The whole environment."""
    python_version: str
    """Full, as `3.13.5`."""
    key: str
    """What bytecode depends on, the same on every build machine: see `interpreter_key`."""


def interpreter_key(base_lock: BaseLock) -> str:
    """Name the interpreter of a base, whatever the build machine: its version and Debian's revision of it.

    >>> _BINARY_REBUILD.sub("", "3.13.5-2+deb13u5+b1")
    '3.13.5-2+deb13u5'
    """
    package = f"python{_minor(base_lock)}-minimal"
    revisions = {_BINARY_REBUILD.sub("", deb.version) for deb in base_lock.debs if deb.package == package}
    if base_lock.images:
        found = {_debian_revision(image, package) for image in base_lock.images}
        if None in found:
            builds = Digest.of(dump_json([str(image.python_build) for image in base_lock.images]))
            return f"cpython-{base_lock.python_version}-image-{builds.hex}"
        revisions = {revision for revision in found if revision is not None}
    if not revisions:
        raise BuildError(f"the base has no {package}", context=f"locks/base.{base_lock.name}.toml")
    # What was compiled before characters were interned at the beginning may differ; later Pythons do that themselves.
    interned = "-interned" if _minor(base_lock) == "3.11" else ""
    return f"cpython-{base_lock.python_version}-debian-{'-'.join(sorted(revisions))}{interned}"


def _debian_revision(image: LockedImage, package: str) -> str | None:
    """Find Debian's revision of the interpreter in an image: its bytecode is that of a base made of the same package."""
    versions = [found.partition("=")[2] for found in image.packages if found.startswith(f"{package}=")]
    if len(versions) != 1 or not image.python.startswith("/usr/bin/"):
        return None
    return _BINARY_REBUILD.sub("", versions[0].partition(":")[2] or versions[0])


def ensure_interpreter(base_lock: BaseLock, files: FileStore, artefacts: TreeStore, platform: Platform) -> Interpreter:
    """Unpack the base's Python for this machine, once.

    Args:
        base_lock: names its debs.
        files: holds them.
        artefacts: keeps the unpacked tree.
        platform: of this machine, not of the image.

    Raises:
        BuildError: the base lacks a package that Python needs, or is not locked for this machine's platform.
        MissingBlobError: a deb was not fetched.
        ToolError: it does not start, or says another version than the lock.
    """
    if base_lock.images:
        from builder.image.base_interpreter import ensure_image_interpreter

        return ensure_image_interpreter(base_lock, files, artefacts, platform)
    debs = _needed_debs(base_lock, platform)
    key = Digest.of(dump_json([_FORMAT, *(str(deb.file.sha256) for deb in debs)])).hex
    root = artefacts.get(_KIND, key)
    if root is not None:
        return _describe(root, base_lock, platform)

    def populate(folder: Path) -> None:
        for deb in debs:
            _unpack(folder, deb, files, base_lock)
        check_version(_describe(folder, base_lock, platform))

    return _describe(artefacts.put_tree(_KIND, key, populate), base_lock, platform)


def _minor(base_lock: BaseLock) -> str:
    return ".".join(base_lock.python_version.split(".")[:2])


def _needed_debs(base_lock: BaseLock, platform: Platform) -> tuple[LockedDeb, ...]:
    minor = _minor(base_lock)
    # The larger half of the standard library is there for its codecs: a source may declare Shift_JIS.
    names = (f"python{minor}-minimal", f"libpython{minor}-minimal", f"libpython{minor}-stdlib", *_LIBRARIES)
    found = {deb.package: deb for deb in base_lock.debs if deb.package in names and platform in deb.platforms}
    missing = [name for name in names if name not in found]
    if missing:
        raise BuildError(
            f"no {', '.join(missing)} for {platform}, which this machine needs to compile bytecode",
            context=f"locks/base.{base_lock.name}.toml",
            hint=f"add {platform} to the base's platforms, or build on {base_lock.base.platforms[0]}",
        )
    return tuple(found[name] for name in names)


def _describe(root: Path, base_lock: BaseLock, platform: Platform) -> Interpreter:
    libraries = root / "usr/lib" / platform.multiarch
    program = root / "usr/bin" / f"python{_minor(base_lock)}"
    return Interpreter(
        argv=(str(root / platform.loader), "--library-path", str(libraries), str(program), *OPTIONS),
        env={"PYTHONHOME": str(root / "usr"), "PYTHONHASHSEED": "0", "PYTHONUTF8": "1", "LC_ALL": "C.UTF-8"},
        python_version=base_lock.python_version,
        key=interpreter_key(base_lock),
    )


def _unpack(folder: Path, locked: LockedDeb, files: FileStore, base_lock: BaseLock) -> None:
    from builder.debian.deb import check_deb, read_deb
    from builder.debian.rootfs import deb_entries

    deb = read_deb(files.read(locked.file), file_name=locked.file.name)
    check_deb(deb, locked)
    for entry in deb_entries(deb, base_lock.base):
        if entry.path.startswith(("usr/bin/", "usr/lib/")) and "/gconv/" not in entry.path:
            _write(folder, entry, locked.file.name)


def _write(folder: Path, entry: Entry, deb: str) -> None:
    path = folder / entry.path
    parent = path.parent
    if parent.exists() and parent.resolve() != folder.resolve() / parent.relative_to(folder):
        # Two debs could only do this together; each alone was checked.
        raise BuildError("the path leads through a link of another deb", context=f"{deb}: {entry.path}")
    parent.mkdir(parents=True, exist_ok=True)
    match entry.kind:
        case EntryKind.DIRECTORY:
            path.mkdir(exist_ok=True)
        case EntryKind.SYMLINK:
            path.symlink_to(entry.target)
        case EntryKind.HARDLINK:
            path.hardlink_to(folder / entry.target)
        case EntryKind.FILE:
            path.write_bytes(entry.data)
            path.chmod(0o755 if entry.mode & 0o100 else 0o644)


def check_version(interpreter: Interpreter) -> None:
    """Start it, and see that it is the one that was locked; raises ToolError."""
    import subprocess

    argv = (*interpreter.argv, "-c", "import sys; print(sys.version.split()[0])")
    try:
        done = subprocess.run(argv, env=dict(interpreter.env), capture_output=True, check=False, timeout=60, cwd="/")
    except (OSError, subprocess.TimeoutExpired) as error:
        hint = "the cache may lie on a file system that is mounted noexec: set AIRFLOW_KUBLER_CACHE to another place"
        raise ToolError(f"the base's Python does not start: {error}", argv=argv, hint=hint) from error
    said = done.stdout.decode("utf-8", "replace").strip()
    if done.returncode or said != interpreter.python_version:
        message = f"the base's Python says {said!r}, the lock says {interpreter.python_version}"
        raise ToolError(
            message, argv=argv, exit_status=done.returncode, stderr=done.stderr.decode("utf-8", "replace")[-2000:]
        )
