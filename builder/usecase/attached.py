"""Bundles beside an image in its registry: found, and put there. Nothing is verified here.

Anybody who may push to a repository may put a bundle beside an image. One that is gone, damaged, too large or of another form
is left out and told, and takes nothing else with it; a registry that fails ends the reading.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from builder.attest.bundle import (
    ARTIFACT_TYPES,
    BUNDLE,
    Bundle,
    BundleManifest,
    dump_bundle_manifest,
    parse_bundle,
    parse_bundle_manifest,
)
from builder.digest import Digest
from builder.errors import IntegrityError, RegistryError
from builder.oci import media
from builder.oci.artifact import CREATED
from builder.oci.descriptor import Descriptor, describe
from builder.oci.fields import MAX_DOCUMENT_BYTES, Fields, parse_object
from builder.registry.answers import lies_in_object
from builder.registry.documents import INDEXES, parse_links
from builder.registry.model import ManifestBytes, Reference, Registry, Repository
from builder.registry.pulling import read_referrer

MOST_TRIED: Final = 200
"""Referrers of one artifact that are read."""
MOST_BYTES: Final = 96 << 20
"""Of all bundles of one artifact together: they are kept in memory."""
_MOST_PLATFORMS: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """What is signed: a manifest in a repository, an index or any other."""

    repository: Repository
    root: ManifestBytes

    @property
    def digest(self) -> Digest:
        """What signatures are about."""
        return self.root.digest

    @property
    def reference(self) -> Reference:
        """By digest."""
        return self.repository.at(self.root.digest)


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachedBundle:
    """A bundle that refers to an artifact."""

    manifest: Digest
    """That refers."""
    said: BundleManifest
    bundle: Bundle


@dataclass(frozen=True, slots=True, kw_only=True)
class PassedOver:
    """What refers to an artifact as a bundle does, and does not serve."""

    manifest: Digest
    why: str

    def __str__(self) -> str:
        return f"{self.manifest}: {self.why}"


def read_artifact(registry: Registry, reference: Reference) -> Artifact:
    """Read what a reference stands for now; raises RegistryError where there is nothing."""
    root = registry.manifest(reference)
    if root is None:
        raise RegistryError(
            "there is no such image", context=str(reference), hint="airflow-kubler ls shows what is there"
        )
    return Artifact(repository=reference.repository, root=root)


def platforms_of(registry: Registry, artifact: Artifact) -> tuple[Artifact, ...]:
    """Read the manifests that an index lists, in its order; none where it is no index.

    Raises:
        IntegrityError: one is missing, or they are too many.
    """
    if artifact.root.media_type not in INDEXES:
        return ()
    children = parse_links(artifact.root.data, artifact.root.media_type, context=str(artifact.reference)).manifests
    if len(children) > _MOST_PLATFORMS:
        raise IntegrityError(
            f"lists {len(children)} manifests; at most {_MOST_PLATFORMS} are signed", context=str(artifact.reference)
        )
    return tuple(read_artifact(registry, artifact.repository.at(child.digest)) for child in children)


def created_of(registry: Registry, artifact: Artifact) -> str:
    """Find when an artifact says that it was made, which is a function of it: RFC 3339, or empty where it does not say."""
    fields = _fields(artifact.root.data, artifact)
    annotated = dict(fields.text_map("annotations")).get(CREATED, "") if fields.has("annotations") else ""
    return annotated or _config(registry, artifact, fields).optional_text("created")


def _config(registry: Registry, artifact: Artifact, manifest: Fields) -> Fields:
    """Read the config of an image; of anything else, an empty one."""
    empty = Fields({}, context=str(artifact.reference))
    if not manifest.has("config"):
        return empty
    config = manifest.child("config")
    if config.optional_text("mediaType") != media.CONFIG or config.count("size") > MAX_DOCUMENT_BYTES:
        return empty
    descriptor = Descriptor(media_type=media.CONFIG, digest=config.digest("digest"), size=config.count("size"))
    return _fields(b"".join(registry.read_blob(artifact.repository, descriptor)), artifact)


def _fields(data: bytes, artifact: Artifact) -> Fields:
    context = str(artifact.reference)
    return Fields(parse_object(data, context=context), context=context)


def find_bundles(
    registry: Registry, artifact: Artifact, *, most_bytes: int = MOST_BYTES
) -> tuple[tuple[AttachedBundle, ...], tuple[PassedOver, ...]]:
    """Read the bundles that refer to an artifact, by the digest of their manifests, and tell what was passed over."""
    found: list[AttachedBundle] = []
    passed: list[PassedOver] = []
    left = most_bytes
    for number, digest in enumerate(_listed(registry, artifact)):
        if number >= MOST_TRIED:
            why = f"more than {MOST_TRIED} refer to it, and the others were not looked at"
            passed.append(PassedOver(manifest=digest, why=why))
            break
        try:
            one = _read(registry, artifact, digest, left)
        except (RegistryError, IntegrityError) as error:
            if not lies_in_object(error):
                raise
            where = f"{error.context}: " if isinstance(error, RegistryError) else ""
            passed.append(PassedOver(manifest=digest, why=f"{where}{error.message}"))
            continue
        if one is not None:
            found.append(one)
            left -= len(one.bundle.data)
    return tuple(found), tuple(passed)


def _listed(registry: Registry, artifact: Artifact) -> Iterator[Digest]:
    for referrer in registry.referrers(artifact.repository, artifact.digest):
        if referrer.artifact_type in ARTIFACT_TYPES:
            yield referrer.descriptor.digest


def _read(registry: Registry, artifact: Artifact, digest: Digest, left: int) -> AttachedBundle | None:
    manifest = read_referrer(registry, artifact.repository, digest, artifact.digest)
    said = parse_bundle_manifest(manifest.data, context=str(digest))
    if said is None:
        return None
    if said.layer.size > left:
        raise IntegrityError(
            f"its bundle of {said.layer.size} bytes, with those before it, is more than is read of an image"
        )
    data = b"".join(registry.read_blob(artifact.repository, said.layer))
    return AttachedBundle(manifest=digest, said=said, bundle=parse_bundle(data, context=str(digest)))


def attach_bundle(registry: Registry, artifact: Artifact, bundle: bytes, predicate_type: str, created: str) -> Digest:
    """Put a bundle beside an artifact; returns the digest of its manifest.

    Where it is there already nothing is sent: the same bundle has the same manifest.
    """
    manifest = dump_bundle_manifest(artifact.root.descriptor, bundle, predicate_type, created)
    return push_artifact(registry, artifact.repository, bundle, BUNDLE, manifest).digest


def push_artifact(
    registry: Registry, repository: Repository, data: bytes, media_type: str, manifest: bytes
) -> Descriptor:
    """Push an artifact of one blob: what is empty, what is not, then the manifest that names both; gives its descriptor."""
    for descriptor, content in (
        (describe(media.EMPTY, media.EMPTY_BYTES), media.EMPTY_BYTES),
        (describe(media_type, data), data),
    ):
        registry.push_blob(repository, descriptor, lambda offset, content=content: iter((content[offset:],)))  # type: ignore[misc]
    return registry.push_manifest(repository, manifest, media.MANIFEST)
