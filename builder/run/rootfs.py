"""Layers unpacked into a root folder, kept in the cache by the manifest's digest.

- Nothing is written through a link: every parent must be a folder that this unpacking made.
- Each layer's bytes are checked against its digest and its diff_id; a wrong one leaves nothing behind.
- Owners are kept where root unpacks; else everything belongs to the user, which a user namespace then maps.
- No devices or fifos: this project's images hold none. Whiteouts come with layers of bases that others made, and hide what
  lies in lower layers only.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tarfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Protocol, cast

from builder.digest import Digest
from builder.errors import BuildError, DigestMismatchError, IntegrityError
from builder.image.compress import decompress
from builder.image.stream import ChunkStream
from builder.image.tar_reader import BROKEN, BoundedTarInfo
from builder.oci import media
from builder.oci.descriptor import Descriptor
from builder.oci.layout import blob_path
from builder.run.model import RunnableImage

_FORMAT = 1
"""Of the unpacked tree; part of its key in the cache."""
_CHUNK = 1 << 20
_WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"
_MOUNT_FOLDERS = ("dev", "proc", "sys", "run", "tmp")
_MOUNT_FILES = ("etc/hosts", "etc/resolv.conf")


class TreeStore(Protocol):
    """What unpacked roots are kept in."""

    def get(self, kind: str, key: str) -> Path | None:
        """Find one."""

    def put_tree(self, kind: str, key: str, populate: Callable[[Path], None]) -> Path:
        """Keep a folder that `populate` fills."""


def ensure_rootfs(store: TreeStore, image: RunnableImage) -> Path:
    """Give the root folder of an image, unpacked now or found in the cache; never to be written to."""
    owner = "root" if os.geteuid() == 0 else f"uid{os.geteuid()}"
    key = f"{image.image.descriptor.digest.hex}-{owner}-{_FORMAT}"
    found = store.get("rootfs", key)
    return found or store.put_tree("rootfs", key, lambda root: unpack_image(image, root))


def unpack_image(image: RunnableImage, root: Path) -> None:
    """Unpack all layers into an empty folder, and make the places that engines mount on.

    Raises:
        DigestMismatchError: a layer is not what its descriptor or the config says.
        IntegrityError: a layer holds something that would leave the root folder, or that images never hold.
    """
    unpacker = _Unpacker(root, keep_owners=os.geteuid() == 0)
    for layer, diff_id in zip(image.image.manifest.layers, image.image.config.diff_ids, strict=True):
        with (image.layout / blob_path(layer.digest)).open("rb") as handle:
            _unpack_layer(handle, layer, diff_id, unpacker)
    for name in _MOUNT_FOLDERS:
        (root / name).mkdir(exist_ok=True)
    for name in _MOUNT_FILES:
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).touch()


def _unpack_layer(handle: IO[bytes], layer: Descriptor, diff_id: Digest, unpacker: _Unpacker) -> None:
    outer, inner = hashlib.sha256(), hashlib.sha256()
    compressed = _hashed(iter(lambda: handle.read(_CHUNK), b""), outer)
    reader = ChunkStream(_hashed(decompress(media.COMPRESSION_OF[layer.media_type], compressed), inner))
    try:
        stream = cast("IO[bytes]", reader)
        with tarfile.open(fileobj=stream, mode="r|", bufsize=_CHUNK, tarinfo=BoundedTarInfo) as archive:
            unpacker.unpack(archive, str(layer.digest))
        reader.drain()
    except (*BROKEN, BuildError) as error:
        raise IntegrityError(f"cannot be unpacked: {error}", context=str(layer.digest)) from error
    for found, wanted in ((Digest(outer.hexdigest()), layer.digest), (Digest(inner.hexdigest()), diff_id)):
        if found != wanted:
            raise DigestMismatchError(f"got {found}, expected {wanted}", context=str(layer.digest))


def _hashed(chunks: Iterable[bytes], into: hashlib._Hash) -> Iterator[bytes]:
    for chunk in chunks:
        into.update(chunk)
        yield chunk


class _Unpacker:
    """Writes members of layers below a root folder."""

    def __init__(self, root: Path, *, keep_owners: bool) -> None:
        self._root = root
        self._keep_owners = keep_owners
        self._folders = {"."}
        self._seen: set[str] = set()
        """Of the layer in work."""

    def unpack(self, archive: tarfile.TarFile, where: str) -> None:
        """Unpack one layer."""
        self._seen = set()
        for member in archive:
            here = f"{where}: {member.name}"
            path = self._checked(member.name, here)
            if PurePosixPath(path).name.startswith(_WHITEOUT):
                self._white_out(PurePosixPath(path), here)
                continue
            if path in self._seen and not member.isdir():
                raise IntegrityError("is there twice", context=f"{where}: {path}")
            self._seen.add(path)
            self._write(archive, member, path, f"{where}: {path}")

    def _white_out(self, path: PurePosixPath, where: str) -> None:
        """Remove what lower layers have at a path, or in a whole folder."""
        if path.name == _OPAQUE:
            self._hide_below(path.parent)
            return
        hidden = path.name.removeprefix(_WHITEOUT)
        if hidden in {"", ".", ".."} or hidden.startswith(_WHITEOUT):
            raise IntegrityError("a whiteout of nothing that may be hidden", context=where)
        if str(path.parent / hidden) in self._seen:
            raise IntegrityError("hides what its own layer brings", context=where)
        self._remove(str(path.parent / hidden))

    def _hide_below(self, folder: PurePosixPath) -> None:
        """Remove what a folder has from lower layers, and leave what its own layer brought."""
        for child in sorted((self._root / folder).iterdir()):
            path = folder / child.name
            if str(path) not in self._seen:
                self._remove(str(path))
            elif str(path) in self._folders:
                self._hide_below(path)

    def _remove(self, path: str) -> None:
        """Remove a file, a link, or a folder with all below it."""
        target = self._root / path
        if path in self._folders:
            shutil.rmtree(target)
            self._folders = {name for name in self._folders if name != path and not name.startswith(f"{path}/")}
        else:
            target.unlink(missing_ok=True)

    def _checked(self, name: str, where: str) -> str:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or "\0" in name:
            raise IntegrityError("a path that layers of this project never hold", context=where)
        self._ensure_folder(path.parent, where)
        return str(path)

    def _ensure_folder(self, path: PurePosixPath, where: str) -> None:
        """Make a folder that no layer states; a link or a file in its place is refused."""
        if str(path) in self._folders:
            return
        self._ensure_folder(path.parent, where)
        if os.path.lexists(self._root / path):
            raise IntegrityError("its parent is no folder of this image", context=where)
        (self._root / path).mkdir()
        self._folders.add(str(path))

    def _write(self, archive: tarfile.TarFile, member: tarfile.TarInfo, path: str, where: str) -> None:
        target = self._root / path
        if member.isdir():
            if path not in self._folders:
                target.unlink(missing_ok=True)
                target.mkdir()
                self._folders.add(path)
        else:
            if path == ".":
                raise IntegrityError("replaces the root", context=where)
            self._remove(path)
            if member.isreg():
                self._write_file(archive, member, target)
            elif member.issym() and "\0" not in member.linkname:
                target.symlink_to(member.linkname)
            elif member.islnk():
                original = self._root / self._checked(member.linkname, where)
                if original.is_symlink() or not original.is_file():
                    raise IntegrityError("a hard link to what is no file of this image", context=where)
                os.link(original, target, follow_symlinks=False)
                return
            else:
                raise IntegrityError("neither file, folder nor link", context=where)
        self._finish(member, target)

    @staticmethod
    def _write_file(archive: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> None:
        content = archive.extractfile(member)
        with target.open("xb") as handle:
            while content is not None and (chunk := content.read(_CHUNK)):
                handle.write(chunk)

    def _finish(self, member: tarfile.TarInfo, target: Path) -> None:
        if self._keep_owners:
            os.chown(target, member.uid, member.gid, follow_symlinks=False)
        if not member.issym():
            # Without set-id bits: what lies in a cache must not give rights on this machine.
            target.chmod(member.mode & 0o1777)
        if member.isreg():
            os.utime(target, (member.mtime, member.mtime))
