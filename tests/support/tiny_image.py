"""A small image that really runs: this machine's shell and a few programs, in a layout on disk."""

from __future__ import annotations

import io
import re
import subprocess
import tarfile
from pathlib import Path

import zstandard

from builder.digest import Digest
from builder.oci import media
from builder.oci.config import Config, History, RunConfig, dump_config
from builder.oci.descriptor import Descriptor, describe
from builder.oci.index import Index, dump_index
from builder.oci.layout import (
    INDEX_FILE,
    LAYOUT_BYTES,
    LAYOUT_FILE,
    PlatformImage,
    blob_path,
    dump_layout_index,
)
from builder.oci.manifest import Manifest, dump_manifest
from builder.platform import Platform, platform_of_machine
from builder.run.model import RunnableImage

PROGRAMS = ("sh", "cat", "id", "ls", "sleep", "touch", "kill")
FOLDERS = ("usr", "usr/bin", "etc", "tmp", "var", "var/tmp", "mnt", "dev", "proc", "sys", "run")
HOME_FOLDERS = ("opt", "opt/airflow", "opt/airflow/dags")


def write_tiny_image(folder: Path, machine: str, *, uid: int = 50000) -> RunnableImage:
    """Write a layout whose entrypoint is a shell."""
    platform = platform_of_machine(machine)
    tar = _tar(uid)
    # Two frames, as layers made of segments have.
    half = len(tar) // 2
    compressed = b"".join(zstandard.compress(part, 3) for part in (tar[:half], tar[half:]))
    layer = describe(media.LAYER_ZSTD, compressed)
    config = Config(
        platform=platform,
        created=1_790_000_000,
        run=RunConfig(
            user=f"{uid}:0",
            env=("PATH=/usr/bin", "GREETING=hello"),
            entrypoint=("/usr/bin/sh",),
            working_dir="/opt/airflow",
        ),
        diff_ids=(Digest.of(tar),),
        history=(History(created=1_790_000_000, created_by="test"),),
    )
    return write_layout(folder, platform, config, layer, compressed)


def write_layout(folder: Path, platform: Platform, config: Config, layer: Descriptor, data: bytes) -> RunnableImage:
    """Write a layout of one layer."""
    config_bytes = dump_config(config)
    manifest = Manifest(config=describe(media.CONFIG, config_bytes), layers=(layer,))
    manifest_bytes = dump_manifest(manifest)
    plain = describe(media.MANIFEST, manifest_bytes)
    descriptor = Descriptor(media_type=plain.media_type, digest=plain.digest, size=plain.size, platform=platform)
    index_bytes = dump_index(Index(manifests=(descriptor,)))
    (folder / "blobs/sha256").mkdir(parents=True)
    for blob in (data, config_bytes, manifest_bytes, index_bytes):
        (folder / blob_path(Digest.of(blob))).write_bytes(blob)
    (folder / LAYOUT_FILE).write_bytes(LAYOUT_BYTES)
    (folder / INDEX_FILE).write_bytes(dump_layout_index("tiny", describe(media.INDEX, index_bytes)))
    image = PlatformImage(platform=platform, descriptor=descriptor, manifest=manifest, config=config)
    return RunnableImage(stack="tiny", layout=folder, reference="tiny", image=image)


def _tar(uid: int) -> bytes:
    files = {f"usr/bin/{name}": Path(f"/bin/{name}") for name in PROGRAMS}
    for path in tuple(files.values()):
        answer = subprocess.run(["ldd", str(path)], capture_output=True, text=True, check=True).stdout
        files |= {name.lstrip("/"): Path(name) for name in re.findall(r"(/\S+) \(", answer)}
    folders = {*FOLDERS, *HOME_FOLDERS}
    for name in files:
        folders |= {str(parent) for parent in Path(name).parents} - {"."}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name in sorted(folders):
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if name in {"tmp", "var/tmp"} else 0o755
            if name.startswith("opt/airflow"):
                entry.mode, entry.uid = 0o775, uid
            archive.addfile(entry)
        for name, path in sorted(files.items()):
            data = path.read_bytes()
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), 0o755
            archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()
