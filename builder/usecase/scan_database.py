"""The scanner's database from a registry and into one: the very artifact, so that its digest is the same everywhere.

A team's registry serves it to its own machines, by digest and unmetered; Trivy itself can be pointed there as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from builder.digest import Digest
from builder.errors import IntegrityError, RegistryError
from builder.oci import media
from builder.oci.descriptor import Descriptor
from builder.oci.fields import MAX_DOCUMENT_BYTES, Fields, parse_object
from builder.registry.model import BlobPushed, ManifestBytes, Reference, Registry, Repository
from builder.registry.shipment import Shipment
from builder.registry.transfer import TransferReport, plan_push, push
from builder.scan.database import LARGEST, LAYER_TYPE, Database
from builder.scan.database_store import DatabaseStore, KeptArtifact

_CHUNK = 1 << 20
_WAY_OUT = "name the artifact that Trivy downloads its database from, or one that `airflow-kubler scan db push` pushed"


def pull_database(registry: Registry, reference: Reference, store: DatabaseStore) -> Database:
    """Get a database from a registry; its bytes are checked against the digests that name them.

    Raises:
        RegistryError: it is not there, or the registry fails.
        IntegrityError: it is no database.
        ScanError: its metadata cannot be read.
    """
    found = registry.manifest(reference)
    if found is None:
        raise RegistryError("there is no such artifact", context=str(reference), hint=_WAY_OUT)
    config, layer = read_artifact(found.data, context=str(reference))
    config_data = b"".join(registry.read_blob(reference.repository, config))
    return store.add(found.data, config_data, layer, registry.read_blob(reference.repository, layer))


def read_artifact(data: bytes, *, context: str) -> tuple[Descriptor, Descriptor]:
    """Read the manifest of a database's artifact; gives its config, which says nothing, and its one layer.

    Raises:
        IntegrityError: it is of something else, or names more than a database has.
    """
    fields = Fields(parse_object(data, context=context), context=context)
    layers = fields.objects("layers") if fields.has("layers") else ()
    if len(layers) != 1 or layers[0].optional_text("mediaType") != LAYER_TYPE:
        raise IntegrityError("is no database of Trivy's", context=context, hint=_WAY_OUT)
    config, layer = _descriptor(fields.child("config")), _descriptor(layers[0])
    if layer.size > LARGEST or config.size > MAX_DOCUMENT_BYTES:
        raise IntegrityError(f"has {layer.size} bytes, and {LARGEST} are the most", context=context)
    return config, layer


def _descriptor(fields: Fields) -> Descriptor:
    return Descriptor(media_type=fields.text("mediaType"), digest=fields.digest("digest"), size=fields.count("size"))


@dataclass(frozen=True, slots=True, kw_only=True)
class PushedDatabase:
    """A database that a registry holds now."""

    reference: Reference
    """By digest."""
    report: TransferReport


def push_database(
    registry: Registry,
    database: Database,
    store: DatabaseStore,
    repository: Repository,
    tag: str | None,
    *,
    progress: Callable[[Descriptor, BlobPushed], None] = lambda *_: None,
) -> PushedDatabase:
    """Put a database into a registry, as the artifact that it came in.

    Args:
        registry: where to.
        database: that the store keeps.
        store: keeps it.
        repository: of the registry.
        tag: to stand for it; None for the digest alone.
        progress: is told of each blob.

    Raises:
        RegistryError: it did not go through.
    """
    kept = store.artifact(database)
    root = ManifestBytes(data=kept.manifest, media_type=media.MANIFEST, digest=Digest.of(kept.manifest))
    config, layer = read_artifact(kept.manifest, context=str(root.digest))
    shipment = Shipment(root=root, manifests=(root,), blobs=(config, layer))
    plan = plan_push(registry, repository, shipment, (tag,) if tag else ())
    report = push(registry, plan, _Kept(kept, config), progress=progress)
    return PushedDatabase(reference=repository.at(root.digest), report=report)


class _Kept:
    """A BlobSource of a kept artifact."""

    def __init__(self, kept: KeptArtifact, config: Descriptor) -> None:
        self._kept = kept
        self._config = config

    def open_at(self, descriptor: Descriptor, offset: int) -> Iterator[bytes]:
        if descriptor.digest == self._config.digest:
            yield self._kept.config[offset:]
            return
        with self._kept.layer.open("rb") as stream:
            stream.seek(offset)
            while chunk := stream.read(_CHUNK):
                yield chunk
