"""Databases of this user, each with the artifact that it came in: what is pushed is byte for byte what was pulled."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from builder.digest import Digest
from builder.errors import ScanError
from builder.image.compress import make_compressor
from builder.oci.descriptor import Descriptor
from builder.scan.copying import hash_file
from builder.scan.database import (
    CONFIG,
    FILE,
    METADATA,
    Database,
    dump_artifact,
    iter_artifact_tar,
    layer_descriptor,
    parse_metadata,
    unpack_artifact,
)

_KIND: Final = "trivy-db"
_LAYER: Final = "layer.tar.gz"
_MANIFEST: Final = "manifest.json"
_CONFIG: Final = "config"
_HASH: Final = "sha256"
_CHUNK: Final = 1 << 20


class TreeStore(Protocol):
    """Where they are kept."""

    def get(self, kind: str, key: str) -> Path | None:
        """Find one, None where there is none."""

    def keys(self, kind: str) -> tuple[str, ...]:
        """List what is there of a kind."""

    def put_tree(self, kind: str, key: str, populate: Callable[[Path], None]) -> Path:
        """Keep a folder atomically."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptArtifact:
    """An artifact as registries have it."""

    manifest: bytes
    config: bytes
    layer: Path


class DatabaseStore:
    """Keeps databases by their artifact.

    Args:
        trees: what keeps them.
    """

    def __init__(self, trees: TreeStore) -> None:
        self._trees = trees

    def add(self, manifest: bytes, config: bytes, layer: Descriptor, chunks: Iterable[bytes]) -> Database:
        """Keep an artifact.

        Args:
            manifest: its bytes.
            config: bytes that it names as its config.
            layer: as the manifest names it.
            chunks: of the layer; verified to their end by whoever gives them.

        Raises:
            IntegrityError: it holds something else than a database.
            ScanError: its metadata cannot be read.
        """

        def populate(folder: Path) -> None:
            packed = folder / _LAYER
            with packed.open("xb") as stream:
                stream.writelines(chunks)
            unpack_artifact(_read(packed), folder, context=str(layer.digest))
            self._finish(folder, manifest, config)

        return self._open(self._trees.put_tree(_KIND, layer.digest.hex, populate))

    def add_folder(self, source: Path) -> Database:
        """Keep the database of a folder, as Trivy's own cache has it, and make the artifact that it can be pushed as.

        Raises:
            ScanError: there is none, or its metadata cannot be read.
        """
        _check_folder(source)
        updated = parse_metadata((source / METADATA).read_bytes(), context=str(source / METADATA))
        with tempfile.TemporaryDirectory(prefix="airflow-kubler-db-") as name:
            packed = Path(name) / _LAYER
            with packed.open("xb") as stream:
                stream.writelines(make_compressor("gzip").compress(iter_artifact_tar(source)))
            layer = layer_descriptor(hash_file(packed), packed.stat().st_size)
            return self.add(dump_artifact(layer, updated), CONFIG, layer, _read(packed))

    def all(self) -> tuple[Database, ...]:
        """List them, the newest first."""
        places = (self._trees.get(_KIND, key) for key in self._trees.keys(_KIND))
        found = [self._open(place) for place in places if place is not None]
        return tuple(sorted(found, key=lambda one: (-one.updated, one.sha256)))

    def find(self, text: str) -> Database:
        """Find the one that a digest names, or the beginning of one: of its file or of its artifact; empty for the newest.

        Raises:
            ScanError: there is none, or several are named so.
        """
        known = self.all()
        if not known:
            raise ScanError("there is no database", hint="airflow-kubler scan db pull REFERENCE")
        if not text:
            return known[0]
        named = text.removeprefix("sha256:")
        found = [one for one in known if one.sha256.hex.startswith(named) or _artifact(one).startswith(named)]
        if len(found) != 1:
            what = "is the beginning of several databases" if found else "names no database that is here"
            raise ScanError(what, context=text[:80], hint="airflow-kubler scan db ls shows those that are")
        return found[0]

    def artifact(self, database: Database) -> KeptArtifact:
        """Give a database's artifact."""
        folder = database.folder
        return KeptArtifact(
            manifest=(folder / _MANIFEST).read_bytes(),
            config=(folder / _CONFIG).read_bytes(),
            layer=folder / _LAYER,
        )

    def _finish(self, folder: Path, manifest: bytes, config: bytes) -> None:
        parse_metadata((folder / METADATA).read_bytes(), context=METADATA)
        (folder / _MANIFEST).write_bytes(manifest)
        (folder / _CONFIG).write_bytes(config)
        (folder / _HASH).write_text(hash_file(folder / FILE).hex)

    def _open(self, folder: Path) -> Database:
        return Database(
            folder=folder,
            sha256=Digest((folder / _HASH).read_text()),
            size=(folder / FILE).stat().st_size,
            updated=parse_metadata((folder / METADATA).read_bytes(), context=str(folder / METADATA)),
            artifact=Digest.of((folder / _MANIFEST).read_bytes()),
        )


def open_folder(source: Path) -> Database:
    """Take the database of a folder as it is, without keeping it.

    Raises:
        ScanError: there is none, or its metadata cannot be read.
    """
    _check_folder(source)
    return Database(
        folder=source,
        sha256=hash_file(source / FILE),
        size=(source / FILE).stat().st_size,
        updated=parse_metadata((source / METADATA).read_bytes(), context=str(source / METADATA)),
        artifact=None,
    )


def _check_folder(source: Path) -> None:
    for name in (FILE, METADATA):
        if not (source / name).is_file():
            raise ScanError(f"holds no {name}", context=str(source), hint="name the folder db of Trivy's cache")


def _artifact(database: Database) -> str:
    return database.artifact.hex if database.artifact else ""


def _read(path: Path) -> Iterator[bytes]:
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            yield chunk
