"""Images of bases made by hand: layers as tars, a Python that is one only by its looks, layouts of them."""

from __future__ import annotations

import gzip
import io
import json
import struct
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from builder.digest import Digest
from builder.lock.base_image import layer_name
from builder.lock.model import LockedFile, LockedLayer
from builder.oci import media
from builder.oci.descriptor import Descriptor, describe, descriptor_to_json
from builder.oci.index import Index, dump_index
from builder.oci.layout import INDEX_FILE, LAYOUT_BYTES, LAYOUT_FILE, blob_path, dump_layout_index
from builder.platform import AMD64, Platform

Item = str | bytes | tarfile.TarInfo
"""A link's target, a file's content, or a member as it is; folders are names that end in a slash."""
DOCKER_GZIP = "application/vnd.docker.image.rootfs.diff.tar.gzip"
_ELF_MACHINES = {"linux/amd64": 62, "linux/arm64": 183}


def tar_of(items: Mapping[str, Item]) -> bytes:
    """Write a layer's tar, in the order given."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, item in items.items():
            if isinstance(item, tarfile.TarInfo):
                archive.addfile(item)
                continue
            member = tarfile.TarInfo(name.rstrip("/"))
            member.mode = 0o755
            if name.endswith("/"):
                member.type = tarfile.DIRTYPE
                archive.addfile(member)
            elif isinstance(item, str):
                member.type, member.linkname = tarfile.SYMTYPE, item
                archive.addfile(member)
            else:
                member.size = len(item)
                archive.addfile(member, io.BytesIO(item))
    return buffer.getvalue()


def odd(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    """Make a member of any kind."""
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


class Layers:
    """Layers of one image, in memory."""

    def __init__(self, *tars: bytes) -> None:
        self.tars = tars
        self.blobs = tuple(gzip.compress(tar, mtime=0) for tar in tars)
        self.locked = tuple(
            LockedLayer(
                media_type=media.LAYER_GZIP,
                file=LockedFile(name=layer_name(Digest.of(blob)), size=len(blob), sha256=Digest.of(blob)),
                diff_id=Digest.of(tar),
            )
            for tar, blob in zip(tars, self.blobs, strict=True)
        )

    def open(self, file: LockedFile) -> Iterator[bytes]:
        """Read a layer."""
        return iter([next(blob for blob in self.blobs if Digest.of(blob) == file.sha256)])


def program(platform: Platform = AMD64, *, loader: str = "/lib64/ld-linux.so.2", texts: Sequence[str] = ()) -> bytes:
    """Make an ELF file that says what an interpreter says."""
    name = loader.encode() + b"\0" if loader else b""
    head = b"\x7fELF\x02\x01\x01" + bytes(9)
    head += struct.pack("<HHIQQQIHHHHHH", 3, _ELF_MACHINES[platform.name], 1, 0, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    segment = struct.pack("<IIQQQQQQ", 3 if name else 1, 4, 120, 0, 0, len(name), len(name), 1)
    said = texts or ("3.13.5", f".cpython-313-{platform.multiarch}.so")
    return head + segment + name + b"\0" + b"\0".join(text.encode() for text in said) + b"\0"


def root(platform: Platform = AMD64, *, python: bytes | None = None) -> dict[str, Item]:
    """List what a base must hold, as Debian has it."""
    library = f"usr/lib/{platform.multiarch}"
    return {
        "usr/": b"",
        "usr/bin/": b"",
        "bin": "usr/bin",
        "etc/": b"",
        "etc/passwd": b"root:x:0:0::/:\n",
        "etc/os-release": b'ID=debian\nVERSION_CODENAME=trixie\nVERSION_ID="13"\n',
        "usr/bin/python3.13": program(platform) if python is None else python,
        "usr/bin/bash": b"#!",
        "usr/bin/env": b"#!",
        "usr/bin/dumb-init": b"#!",
        "usr/lib/python3.13/os.py": b"",
        "usr/lib/python3.13/encodings/__init__.py": b"",
        f"{library}/libc.so.6": b"\0GNU C Library (Debian GLIBC 2.41-12) stable release version 2.41.\n\0",
        "var/lib/dpkg/status.d/libc6": b"Package: libc6\nStatus: install ok installed\nVersion: 2.41-12\n",
    }


def write_layout(
    folder: Path,
    images: Mapping[Platform, Layers],
    *,
    layer_type: str = media.LAYER_GZIP,
    architecture: str = "",
) -> Descriptor:
    """Write a layout of one index; returns its descriptor."""
    (folder / "blobs/sha256").mkdir(parents=True, exist_ok=True)

    def keep(data: bytes) -> None:
        (folder / blob_path(Digest.of(data))).write_bytes(data)

    manifests = []
    for platform, layers in images.items():
        config = json.dumps(
            {
                "architecture": architecture or platform.architecture,
                "os": "linux",
                "created": "2026-09-21T00:00:00.123456Z",
                "config": {"Env": ["PATH=/usr/bin"], "SomethingOfTheirs": 1},
                "rootfs": {"type": "layers", "diff_ids": [str(layer.diff_id) for layer in layers.locked]},
            }
        ).encode()
        manifest = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": media.MANIFEST,
                "config": descriptor_to_json(describe(media.CONFIG, config)),
                "layers": [
                    {"mediaType": layer_type, "digest": str(layer.file.sha256), "size": layer.file.size}
                    for layer in layers.locked
                ],
            }
        ).encode()
        for data in (*layers.blobs, config, manifest):
            keep(data)
        plain = describe(media.MANIFEST, manifest)
        manifests.append(
            Descriptor(media_type=plain.media_type, digest=plain.digest, size=plain.size, platform=platform)
        )
    index = dump_index(Index(manifests=tuple(manifests)))
    keep(index)
    (folder / LAYOUT_FILE).write_bytes(LAYOUT_BYTES)
    descriptor = describe(media.INDEX, index)
    (folder / INDEX_FILE).write_bytes(dump_layout_index("theirs", descriptor))
    return descriptor
