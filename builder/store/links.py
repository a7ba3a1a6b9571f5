"""Gives stored files a second name elsewhere, as `locks/files/<sha256>/<file name>`: for pip, uv and people."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from pathlib import Path

from builder.digest import Digest
from builder.errors import LockInvalidError
from builder.lock.model import LockedFile
from builder.store.model import FileStore


def link_file(store: FileStore, file: LockedFile, folder: Path) -> Path:
    """Make `<folder>/<sha256>/<name>` a hard link to a stored file, or a copy where links are impossible.

    What lies there and is something else is replaced.

    Raises:
        LockInvalidError: the name is not one of a plain file.
    """
    if Path(file.name).name != file.name or file.name in {"", ".", ".."}:
        raise LockInvalidError(f"not a file name: {file.name!r}")
    target = folder / file.sha256.hex / file.name
    source = store.path(file.sha256)
    if _same(source, target):
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{file.name[:100]}.{secrets.token_hex(8)}")
    try:
        try:
            os.link(source, temporary, follow_symlinks=False)
        except FileNotFoundError:
            raise
        except OSError:
            # Another file system, one without links, or another user's store.
            if _holds_copy(target, file):
                return target
            temporary.write_bytes(store.read(file))
            temporary.chmod(0o444)
        temporary.rename(target)
    finally:
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()
    return target


def _same(source: Path, target: Path) -> bool:
    try:
        return os.path.samestat(source.lstat(), target.lstat())
    except OSError:
        return False


def _holds_copy(target: Path, file: LockedFile) -> bool:
    try:
        status = target.lstat()
        if not stat.S_ISREG(status.st_mode) or status.st_size != file.size:
            return False
        return Digest.of(target.read_bytes()) == file.sha256
    except OSError:
        return False
