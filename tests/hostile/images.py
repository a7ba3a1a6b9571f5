"""Hostile layers of bases, image layouts, and manifests of registries."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Callable, Mapping
from typing import Any

import zstandard

from builder.canonical import dump_json
from builder.digest import Digest
from builder.oci import media
from builder.oci.config import Config, History, RunConfig, dump_config
from builder.oci.descriptor import Descriptor, describe, descriptor_to_json
from builder.oci.index import Index, dump_index
from builder.oci.layout import INDEX_FILE, LAYOUT_BYTES, LAYOUT_FILE, blob_path, dump_layout_index
from builder.oci.manifest import Manifest, dump_manifest
from builder.platform import AMD64, ARM64, Platform
from tests.hostile.archives import patched_tar
from tests.hostile.model import Material
from tests.support.base_images import Item, odd, tar_of
from tests.support.debs import Item as Member
from tests.support.debs import make_tar

EVIL = b"evil\n"
_MIB = 1 << 20


def _layer(items: Mapping[str, Item]) -> Callable[[], bytes]:
    return lambda: tar_of(items)


def _sized(size: int, *, base_256: bool = False) -> Callable[[], bytes]:
    """Make a file that says another size than it has."""

    def make() -> bytes:
        digits = (size & ((1 << 88) - 1)).to_bytes(11, "big")
        field = bytes([0xFF if size < 0 else 0x80]) + digits if base_256 else b"%011o\0" % size
        return patched_tar(tarfile.TarInfo("evil"), 124, field) + bytes(1024)

    return make


def _extended(kind: bytes) -> Callable[[], bytes]:
    def make() -> bytes:
        header = tarfile.TarInfo("h")
        header.type, header.size = kind, 1 << 30
        return header.tobuf() + bytes(1024)

    return make


def _global_header() -> bytes:
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w", format=tarfile.PAX_FORMAT, pax_headers={"uid": "0"}) as archive:
        archive.addfile(tarfile.TarInfo("a"))
    return sink.getvalue()


def _hidden_member() -> bytes:
    damaged = bytearray(tar_of({"a": b"1", "evil": b"2"}))
    damaged[1024 + 148] ^= 1
    return bytes(damaged)


def _twice() -> bytes:
    return make_tar([Member(name="a", data=b"1"), Member(name="a", data=EVIL)])


def _zstd_of_zeros(size: int) -> bytes:
    packer = zstandard.ZstdCompressor(level=1).compressobj()
    return b"".join(packer.compress(bytes(_MIB)) for _ in range(size // _MIB)) + packer.flush()


def _cut_gzip() -> bytes:
    return gzip.compress(tar_of({"a": b"1"}), mtime=0)[:-9]


LAYERS: tuple[Material, ...] = tuple(
    Material(threat=threat, kind="layer", name=name, make=make, refused=refused, file_name=file_name)
    for threat, name, refused, make, file_name in (
        ("A1", "climbs by ../", "../evil: a path that leads out of the image", _layer({"../evil": EVIL}), ""),
        ("A1", "climbs from a folder", "a/../../evil: a path that leads out of the image", _layer({"a/../../evil": EVIL}), ""),
        ("A1", "absolute", "/etc/evil: a path that leads out of the image", _layer({"/etc/evil": EVIL}), ""),
        ("A1", "below a link that leads out", "a/evil: lies below a, which is a link", _layer({"a": "/etc", "a/evil": EVIL}), ""),
        ("A1", "hard link that climbs", "h: ../etc/shadow: a path that leads out of the image", _layer({"h": odd("h", tarfile.LNKTYPE, "../etc/shadow")}), ""),
        ("A1", "a path of 6000 bytes", "no file system takes", _layer({"/".join(["n" * 200] * 30): EVIL}), ""),
        ("A2", "a second tar behind the first", "goes on behind the end", lambda: tar_of({"a": b"1"}) + bytes(512) + tar_of({"evil": EVIL}), ""),
        ("A2", "a member behind a damaged header", "goes on behind the end", _hidden_member, ""),
        ("A2", "a global header", "a global header", _global_header, ""),
        ("A2", "no tar", "cannot be unpacked", lambda: b"evil" * 500, ""),
        ("A2", "cut short", "ends too early", _cut_gzip, "layer.tar.gz"),
        ("A2", "not compressed as it says", "not zstd", lambda: b"evil" * 100, "layer.tar.zst"),
        ("A4", "content of 8 GB that is not there", "cannot be unpacked", _sized(0o77777777777), ""),
        ("A4", "content of 2^80 bytes", "a member of", _sized(1 << 80, base_256=True), ""),
        ("A4", "content of less than nothing", "a member of -1024 bytes", _sized(-1024, base_256=True), ""),
        ("A4", "an extended header of 1 GB", "an extended header of", _extended(tarfile.XHDTYPE), ""),
        ("A4", "a global header of 1 GB", "an extended header of", _extended(tarfile.XGLTYPE), ""),
        ("A4", "a name of 1 GB", "an extended header of", _extended(tarfile.GNUTYPE_LONGNAME), ""),
        ("A4", "zstd of half a gigabyte of zeros", "is longer than 536870912 bytes", lambda: _zstd_of_zeros(513 * _MIB), "layer.tar.zst"),
        ("A5", "block device", "dev/sda: is a device, which no image needs", _layer({"d": odd("dev/sda", tarfile.BLKTYPE)}), ""),
        ("A5", "character device", "dev/mem: is a device, which no image needs", _layer({"d": odd("dev/mem", tarfile.CHRTYPE)}), ""),
        ("A5", "fifo", "run/pipe: is a fifo, which no image needs", _layer({"f": odd("run/pipe", tarfile.FIFOTYPE)}), ""),
        ("A5", "unknown type", "x: is of no known kind, which no image needs", _layer({"x": odd("x", b"V")}), ""),
        ("A5", "hard link to nothing", "h: a hard link to what is no file: etc/shadow", _layer({"h": odd("h", tarfile.LNKTYPE, "etc/shadow")}), ""),
        ("A5", "whiteout of ..", "a/.wh...: a whiteout of nothing that may be hidden", _layer({"a/.wh...": b""}), ""),
        ("A5", "whiteout of nothing", ".wh.: a whiteout of nothing that may be hidden", _layer({".wh.": b""}), ""),
        ("A5", "whiteout of whiteouts", ".wh..wh.plnk: a whiteout of nothing that may be hidden", _layer({".wh..wh.plnk": b""}), ""),
        ("A5", "whiteout through a link", "a/.wh.passwd: lies below a, which is a link", _layer({"a": "/etc", "a/.wh.passwd": b""}), ""),
        ("A5", "whiteout of its own layer", ".wh.a: hides what its own layer brings", _layer({"a": b"1", ".wh.a": b""}), ""),
        ("A6", "a file twice", "a: is there twice", _twice, ""),
        ("A6", "file and folder", "a/b: lies below a, which is a file", _layer({"a": b"1", "a/b": EVIL}), ""),
        ("A6", "replaces the root", "replaces the root", _layer({".": odd(".", tarfile.SYMTYPE, "/")}), ""),
    )
)  # fmt: skip

TAR = tar_of({"a": b"1"})
LAYER = describe(media.LAYER_TAR, TAR)


def layout_files(
    *,
    platform: Platform = AMD64,
    diff_id: Digest | None = None,
    layers: int = 1,
    times: int = 1,
    config: Mapping[str, Any] | None = None,
    manifest: Mapping[str, Any] | None = None,
) -> dict[str, bytes]:
    """Make a layout of one image: files by path."""
    ids = (diff_id or Digest.of(TAR),) * layers
    history = (History(created=0, created_by=""),) * layers
    run = RunConfig(user="0", env=(), entrypoint=(), working_dir="/")
    written = dump_config(Config(platform=AMD64, created=0, run=run, diff_ids=ids, history=history))
    written = dump_json({**json.loads(written), **(config or {})})
    listed = dump_manifest(Manifest(config=describe(media.CONFIG, written), layers=(LAYER,)))
    listed = dump_json({**json.loads(listed), **(manifest or {})})
    plain = describe(media.MANIFEST, listed)
    named = Descriptor(media_type=plain.media_type, digest=plain.digest, size=plain.size, platform=platform)
    index = dump_index(Index(manifests=(named,) * times))
    blobs = {blob_path(Digest.of(data)): data for data in (TAR, written, listed, index)}
    return {
        LAYOUT_FILE: LAYOUT_BYTES,
        INDEX_FILE: dump_layout_index("evil", describe(media.INDEX, index)),
        **dict(sorted(blobs.items())),
    }


def tar_of_layout(files: Mapping[str, bytes]) -> bytes:
    return make_tar([Member(name=path, data=data) for path, data in files.items()])


def _layout(change: Callable[[dict[str, bytes]], object] = lambda _: None, **made: Any) -> Callable[[], bytes]:
    def make() -> bytes:
        files = layout_files(**made)
        change(files)
        return tar_of_layout(files)

    return make


def _swap(data: bytes) -> Callable[[dict[str, bytes]], object]:
    return lambda files: files.update({blob_path(LAYER.digest): data})


def _set(path: str, data: bytes) -> Callable[[dict[str, bytes]], object]:
    return lambda files: files.update({path: data})


LAYOUTS: tuple[Material, ...] = tuple(
    Material(threat=threat, kind="layout", name=name, make=make, refused=refused)
    for threat, name, refused, make in (
        ("A1", "a digest that climbs", "digest must be a sha256 digest", _layout(_set(INDEX_FILE, dump_json({"schemaVersion": 2, "mediaType": media.INDEX, "manifests": [{"mediaType": media.INDEX, "digest": "sha256:../../../etc/passwd", "size": 3}]})))),
        ("A2", "a key that stands twice", "stands twice", _layout(_set(INDEX_FILE, b'{"schemaVersion":2,"manifests":[],"manifests":[]}'))),
        ("A2", "no marker of a layout", "imageLayoutVersion must be", _layout(_set(LAYOUT_FILE, b"{}"))),
        ("A2", "two images of one platform", "one manifest for each platform", _layout(times=2)),
        ("A2", "config of another platform", "the index says linux/arm64", _layout(platform=ARM64)),
        ("A2", "fewer diff_ids than layers", "diff_ids for 1 layers", _layout(layers=2)),
        ("A2", "a blob that nothing refers to", "nothing refers to this blob", _layout(_set(f"blobs/sha256/{'0' * 64}", EVIL))),
        ("A3", "a flipped byte in a layer", "expected 10240 bytes", _layout(_swap(TAR[:-1] + b"x"))),
        ("A3", "a layer cut short", "512 bytes of sha256:", _layout(_swap(TAR[:512]))),
        ("A3", "a layer that is missing", "not there", _layout(lambda files: files.pop(blob_path(LAYER.digest)))),
        ("A3", "a diff_id that lies", "the config says sha256:", _layout(diff_id=Digest.of(EVIL))),
        ("A3", "layers of another kind", "not a layer", _layout(manifest={"layers": [descriptor_to_json(describe(media.CONFIG, TAR))]})),
        ("A4", "a document of 5 MB", "more than the 4194304 allowed", _layout(_set(INDEX_FILE, b" " * (5 * _MIB)))),
        ("A4", "a document nested 100,000 deep", "not JSON", _layout(_set(INDEX_FILE, b"[" * 100_000))),
        ("A7", "a config that runs something unknown", "unknown field", _layout(config={"container_config": {"Cmd": ["evil"]}})),
    )
)  # fmt: skip

_DESCRIPTOR = descriptor_to_json(describe(media.LAYER_ZSTD, b"x"))
_GOOD = {
    "schemaVersion": 2,
    "mediaType": media.MANIFEST,
    "config": {**_DESCRIPTOR, "mediaType": media.CONFIG},
    "layers": [_DESCRIPTOR],
}


def _changed(**changes: Any) -> Callable[[], bytes]:
    return lambda: dump_json({**_GOOD, **changes})


MANIFESTS: tuple[Material, ...] = tuple(
    Material(threat=threat, kind="manifest", name=name, make=make, refused=refused)
    for threat, name, refused, make in (
        ("A2", "a manifest that is an index too", "is not what", _changed(manifests=[_DESCRIPTOR])),
        ("A2", "a type inside that is not the one outside", "calls itself", _changed(mediaType=media.INDEX)),
        ("A2", "half a character", "not JSON", lambda: dump_json(_GOOD)[:-1] + b',"a":"\\ud800"}'),
        ("A2", "a number that is none", "not JSON", lambda: dump_json(_GOOD)[:-1] + b',"a":NaN}'),
        ("A3", "a size below nothing", "size must be a whole number", _changed(layers=[{**_DESCRIPTOR, "size": -1}])),
        ("A3", "a size that no reader can hold", "size must be a whole number", _changed(layers=[{**_DESCRIPTOR, "size": 1 << 63}])),
        ("A3", "a weak digest", "digest must be a sha256 digest", _changed(layers=[{**_DESCRIPTOR, "digest": "md5:00"}])),
        ("A4", "a number of 5000 digits", "not JSON", lambda: dump_json(_GOOD)[:-1] + b',"a":' + b"9" * 5000 + b"}"),
    )
)  # fmt: skip
