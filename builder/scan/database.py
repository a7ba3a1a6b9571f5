"""Trivy's database: what its metadata says, how old it is, and the artifact of registries that it comes in.

An artifact has one layer, a tar+gzip with `trivy.db` and `metadata.json`, and nothing else. It comes from outside: what is unpacked
is bounded, and of these two names only.

Source: aquasecurity/trivy, pkg/db and pkg/oci; aquasecurity/trivy-db, pkg/metadata.
"""

from __future__ import annotations

import datetime as dt
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, cast

import msgspec

from builder.canonical import dump_json
from builder.digest import Digest
from builder.errors import IntegrityError, ScanError
from builder.image.compress import decompress
from builder.image.stream import ChunkStream
from builder.image.tarball import BLOCK, END_OF_ARCHIVE, file_header
from builder.oci import media
from builder.oci.descriptor import Descriptor, describe, descriptor_to_json
from builder.sizes import render_size

FILE: Final = "trivy.db"
METADATA: Final = "metadata.json"
SCHEMA: Final = 2
LAYER_TYPE: Final = "application/vnd.aquasec.trivy.db.layer.v1.tar+gzip"
CONFIG_TYPE: Final = "application/vnd.aquasec.trivy.config.v1+json"
CONFIG: Final = b"{}"
TITLE: Final = "org.opencontainers.image.title"
LARGEST: Final = 4 << 30
_LARGEST_METADATA: Final = 1 << 20
_CHUNK: Final = 1 << 20
_CLOCKS_DIFFER_S: Final = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """A database that lies here."""

    folder: Path
    """Holds `trivy.db` and `metadata.json`."""
    sha256: Digest
    """Of `trivy.db`."""
    size: int
    updated: int
    """Seconds since the epoch, as its metadata says."""
    artifact: Digest | None
    """Of the manifest that it came in, or would be pushed as; None for a folder of somebody else's."""


class _Metadata(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    version: int
    updated_at: str


def parse_metadata(data: bytes, *, context: str) -> int:
    """Read when a database was made: seconds since the epoch.

    Raises:
        ScanError: it is no metadata of a schema that is known.
    """
    try:
        found = msgspec.json.decode(data, type=_Metadata)
        moment = dt.datetime.fromisoformat(found.updated_at)
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError) as error:
        raise ScanError(f"cannot be read: {error}", context=context, hint="pull the database again") from error
    if found.version != SCHEMA:
        raise ScanError(f"is of schema {found.version}, and {SCHEMA} is known", context=context)
    if moment.tzinfo is None:
        raise ScanError("does not say in which zone its times are", context=context)
    return int(moment.timestamp())


def check_age(database: Database, most_s: int, now: int) -> None:
    """Refuse a database that is too old to tell anything, or from the future.

    Raises:
        ScanError: it is.
    """
    age = now - database.updated
    made = dt.datetime.fromtimestamp(database.updated, tz=dt.UTC).strftime("%Y-%m-%dT%H:%MZ")
    if age > most_s:
        raise ScanError(
            f"the database is of {made}, older than {_span(most_s)}",
            context=str(database.sha256),
            hint="airflow-kubler scan db pull; or state another max-age in stacks/scan.toml",
        )
    if age < -_CLOCKS_DIFFER_S:
        raise ScanError(f"the database is of {made}, which is yet to come", context=str(database.sha256))


def _span(seconds: int) -> str:
    return f"{seconds // 86_400} days" if seconds % 86_400 == 0 else f"{seconds // 3600} hours"


class _Budget:
    """Lets a reader of tars have so many bytes beside what its members hold: a header may claim to be endless."""

    def __init__(self, stream: ChunkStream, context: str) -> None:
        self.stream = stream
        self.left = _LARGEST_METADATA
        self._context = context

    def read(self, size: int) -> bytes:
        data = self.stream.read(size)
        self.left -= len(data)
        if self.left < 0:
            raise IntegrityError("holds more than its files", context=self._context)
        return data


def unpack_artifact(chunks: Iterable[bytes], folder: Path, *, context: str) -> None:
    """Unpack an artifact's layer into an empty folder.

    Raises:
        IntegrityError: it holds anything else than the two files, or is too large.
    """
    budget = _Budget(ChunkStream(decompress("gzip", chunks)), context)
    limits = {FILE: LARGEST, METADATA: _LARGEST_METADATA}
    try:
        with tarfile.open(fileobj=cast("IO[bytes]", budget), mode="r|") as archive:
            for member in archive:
                name = member.name.removeprefix("./")
                limit = limits.pop(name, None)
                if limit is None or not member.isreg():
                    raise IntegrityError(f"holds {member.name[:80]!r}", context=context)
                if member.size > limit:
                    message = f"{name} has {render_size(member.size)}, and {render_size(limit)} are the most"
                    raise IntegrityError(message, context=context)
                budget.left += member.size
                content = archive.extractfile(member)
                with (folder / name).open("xb") as target:
                    while content is not None and (chunk := content.read(_CHUNK)):
                        target.write(chunk)
        budget.stream.drain()
    except (tarfile.TarError, EOFError) as error:
        raise IntegrityError(f"is no tar: {error}", context=context) from error
    if limits:
        raise IntegrityError(f"holds no {', '.join(sorted(limits))}", context=context)


def iter_artifact_tar(folder: Path) -> Iterator[bytes]:
    """Write the tar of an artifact's layer; bytes are stable."""
    for name in (METADATA, FILE):
        path = folder / name
        size = path.stat().st_size
        yield file_header(name, size)
        with path.open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                yield chunk
        yield bytes(-size % BLOCK)
    yield END_OF_ARCHIVE


def dump_artifact(layer: Descriptor, created: int) -> bytes:
    """Write an artifact's manifest, as Trivy reads it; bytes are stable."""
    moment = dt.datetime.fromtimestamp(created, tz=dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return dump_json(
        {
            "schemaVersion": 2,
            "mediaType": media.MANIFEST,
            "config": descriptor_to_json(describe(CONFIG_TYPE, CONFIG)),
            "layers": [descriptor_to_json(layer)],
            "annotations": {"org.opencontainers.image.created": moment},
        }
    )


def layer_descriptor(digest: Digest, size: int) -> Descriptor:
    """Describe an artifact's layer."""
    return Descriptor(media_type=LAYER_TYPE, digest=digest, size=size, annotations=((TITLE, "db.tar.gz"),))
