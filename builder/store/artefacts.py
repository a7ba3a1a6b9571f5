"""Derived things by kind and key: `<root>/artefacts/<kind>/<ab>/<key>`, files or folders.

Invariants: an artefact appears whole by one rename and is not changed afterwards; the key says everything that its
content depends on; any artefact may vanish at any time and is then made again.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from builder.errors import InvalidInputError

_NAME = re.compile(r"[0-9A-Za-z][0-9A-Za-z._+-]{0,199}\Z")
_USED_STAMP_S = 86_400


class DirectoryArtefactStore:
    """An ArtefactStore in a folder.

    Args:
        root: the cache's folder; made when first written to.
        durable: sync files before they get their names, so that a power cut leaves none empty.
    """

    def __init__(self, root: Path, *, durable: bool = True) -> None:
        self.root = root
        self._durable = durable

    def get(self, kind: str, key: str) -> Path | None:
        """Find one, None where it was never made or was collected. A symbolic link counts as absent."""
        path = self._path(kind, key)
        try:
            status = path.lstat()
        except OSError:
            return None
        if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
            return None
        _stamp_use(path, status)
        return path

    def keys(self, kind: str) -> tuple[str, ...]:
        """List the keys of what is there of a kind, sorted."""
        return tuple(sorted(path.name for path in (self.root / "artefacts" / kind).glob("*/*")))

    def put(self, kind: str, key: str, chunks: Iterable[bytes]) -> Path:
        """Keep one atomically; the first of several writers wins."""
        descriptor, name = tempfile.mkstemp(dir=self._temporary_folder(), prefix="put-")
        temporary = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as handle:
                handle.writelines(chunks)
                handle.flush()
                os.fchmod(descriptor, 0o444)
                if self._durable:
                    os.fsync(descriptor)
            return self._publish(temporary, self._path(kind, key))
        finally:
            temporary.unlink(missing_ok=True)

    def put_tree(self, kind: str, key: str, populate: Callable[[Path], None]) -> Path:
        """Keep a folder atomically: `populate` fills an empty one, which then gets its name; the first writer wins."""
        temporary = Path(tempfile.mkdtemp(dir=self._temporary_folder(), prefix="tree-"))
        try:
            populate(temporary)
            temporary.chmod(0o755)
            if self._durable:
                os.sync()
            return self._publish(temporary, self._path(kind, key))
        finally:
            # After a rename there is nothing left to remove.
            shutil.rmtree(temporary, ignore_errors=True)

    def _publish(self, temporary: Path, final: Path) -> Path:
        final.parent.mkdir(parents=True, exist_ok=True)
        for _ in range(2):
            if _is_artefact(final):
                return final
            try:
                temporary.rename(final)
            except OSError as error:
                if error.errno not in {errno.EEXIST, errno.ENOTEMPTY, errno.EISDIR, errno.ENOTDIR}:
                    raise
                _discard_link(final)
                continue
            return final
        return final

    def _path(self, kind: str, key: str) -> Path:
        for name in (kind, key):
            if not _NAME.match(name):
                raise InvalidInputError(f"not a name of an artefact: {name[:80]!r}")
        return self.root / "artefacts" / kind / key[:2] / key

    def _temporary_folder(self) -> Path:
        folder = self.root / "tmp"
        folder.mkdir(parents=True, exist_ok=True)
        return folder


def _is_artefact(path: Path) -> bool:
    try:
        mode = path.lstat().st_mode
    except OSError:
        return False
    return stat.S_ISREG(mode) or stat.S_ISDIR(mode)


def _discard_link(path: Path) -> None:
    """Remove a symbolic link that stands where a folder belongs: renaming a folder onto it would fail."""
    with contextlib.suppress(OSError):
        if path.is_symlink():
            path.unlink()


def _stamp_use(path: Path, status: os.stat_result) -> None:
    """Write down the last use at most once a day; a cache that cannot be written to stays as it is."""
    now = time.time()
    if now - status.st_atime > _USED_STAMP_S:
        with contextlib.suppress(OSError):
            os.utime(path, ns=(int(now * 1e9), status.st_mtime_ns), follow_symlinks=False)
