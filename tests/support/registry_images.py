"""Small images and artifacts in memory, to be pushed and pulled."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from builder.digest import Digest
from builder.oci import media
from builder.oci.descriptor import Descriptor, describe, descriptor_to_json
from builder.registry.client import HttpRegistry
from builder.registry.credentials import Credential
from builder.registry.folder import FolderBlobs
from builder.registry.session import Session
from builder.registry.settings import RegistrySettings
from builder.registry.wire import HttpWire
from builder.store.patience import Patience

_WIRES: list[HttpWire] = []
EMPTY = b"{}"
EMPTY_TYPE = "application/vnd.oci.empty.v1+json"
CONFIG = json.dumps({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}}).encode()


class Memory:
    """A BlobSource and BlobSink."""

    def __init__(self) -> None:
        self.held: dict[str, bytes] = {}

    def add(self, media_type: str, data: bytes) -> Descriptor:
        descriptor = describe(media_type, data)
        self.held[str(descriptor.digest)] = data
        return descriptor

    def add_image(self, *layers: bytes, subject: Descriptor | None = None, artifact_type: str = "") -> Descriptor:
        """Add an image, or an artifact where it has a type."""
        config = self.add(EMPTY_TYPE, EMPTY) if artifact_type else self.add(media.CONFIG, CONFIG)
        value = {
            "schemaVersion": 2,
            "mediaType": media.MANIFEST,
            "config": descriptor_to_json(config),
            "layers": [descriptor_to_json(self.add(media.LAYER_TAR, layer)) for layer in layers],
        }
        if artifact_type:
            value["artifactType"] = artifact_type
        if subject is not None:
            value["subject"] = descriptor_to_json(subject)
        return self.add(media.MANIFEST, json.dumps(value).encode())

    def add_layer(self, path: str, content: bytes) -> Descriptor:
        """Add a layer of one file."""
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as tar:
            entry = tarfile.TarInfo(path)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
        return self.add(media.LAYER_GZIP, gzip.compress(packed.getvalue(), 1, mtime=0))

    def add_index(self, *children: Descriptor) -> Descriptor:
        value = {
            "schemaVersion": 2,
            "mediaType": media.INDEX,
            "manifests": [
                descriptor_to_json(child) | {"platform": {"os": "linux", "architecture": name}}
                for child, name in zip(children, ("amd64", "arm64", "riscv64"), strict=False)
            ],
        }
        return self.add(media.INDEX, json.dumps(value).encode())

    def open_at(self, descriptor: Descriptor, offset: int) -> Iterator[bytes]:
        data = self.held[str(descriptor.digest)]
        for begin in range(offset, len(data), 1 << 18):
            yield data[begin : begin + (1 << 18)]

    def has(self, descriptor: Descriptor) -> bool:
        return str(descriptor.digest) in self.held

    def write(self, descriptor: Descriptor, chunks: Iterable[bytes]) -> None:
        self.held[str(descriptor.digest)] = b"".join(chunks)

    def complete(self, descriptor: Descriptor, rest_of: Callable[[Iterator[bytes]], Iterable[bytes]]) -> None:
        self.write(descriptor, rest_of(iter(())))


def noise(size: int, seed: int = 0) -> bytes:
    """Make bytes that are the same in each run and have no pattern."""
    return hashlib.shake_256(str(seed).encode()).digest(size)


class Known:
    """The same credentials for every registry."""

    def __init__(self, secret: str) -> None:
        self.secret = secret

    def find(self, registry: str) -> Credential | None:
        assert registry
        return Credential(user="someone", secret=self.secret) if self.secret else None


class NoWait:
    """A patience whose pauses take no time but are noted."""

    def __init__(self) -> None:
        self.pauses: list[float] = []
        self.time = 1000.0

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.time += seconds

    def patience(self, deadline_s: float = 60) -> Patience:
        return Patience(tries=4, deadline_s=deadline_s, now=lambda: self.time, wall=lambda: self.time, sleep=self.sleep)


def client(
    *,
    settings: RegistrySettings | None = None,
    secret: str = "",
    patience: Patience | None = None,
    timeout_s: float = 5,
) -> HttpRegistry:
    """Make a client; `close_clients` closes its connections."""
    chosen = settings or RegistrySettings()
    wire = HttpWire(chosen, timeout_s=timeout_s)
    _WIRES.append(wire)
    return HttpRegistry(Session(wire, chosen, Known(secret), patience or NoWait().patience()))


def close_clients() -> None:
    """Close what `client` opened."""
    while _WIRES:
        _WIRES.pop().__exit__()


def write_real_layout(folder: Path, name: str = "img", *, large: int = 1) -> Descriptor:
    """Write a layout of an image for two platforms that every client takes; its large layers stand in both."""
    memory = Memory()
    shared = [memory.add_layer(f"usr/share/large-{seed}", noise(5 << 20, seed)) for seed in range(large)]
    images = []
    for number, machine in enumerate(("amd64", "arm64"), 1):
        layers = (*shared, memory.add_layer(f"etc/{machine}", noise(1000, number)))
        diff_ids = [Digest.of(gzip.decompress(memory.held[str(layer.digest)])) for layer in layers]
        config = {
            "architecture": machine,
            "os": "linux",
            "created": "2026-11-24T00:00:00Z",
            "config": {"Cmd": ["/nothing"], "User": "50000:0"},
            "history": [{"created": "2026-11-24T00:00:00Z", "created_by": "test"}] * len(layers),
            "rootfs": {"type": "layers", "diff_ids": [str(digest) for digest in diff_ids]},
        }
        value = {
            "schemaVersion": 2,
            "mediaType": media.MANIFEST,
            "config": descriptor_to_json(memory.add(media.CONFIG, json.dumps(config).encode())),
            "layers": [descriptor_to_json(layer) for layer in layers],
        }
        images.append(memory.add(media.MANIFEST, json.dumps(value).encode()))
    index = memory.add_index(*images)
    blobs = FolderBlobs(folder)
    for digest, data in memory.held.items():
        blobs.write(Descriptor(media_type="", digest=Digest.parse(digest), size=len(data)), (data,))
    blobs.write_index([(index, name)])
    return index
