"""An image of ours as a registry holds it: index, manifests and configs, and the lock that it says it was built from."""

from __future__ import annotations

from dataclasses import dataclass

from builder.digest import Digest
from builder.errors import IntegrityError, RegistryError
from builder.image.contract import LOCK_LABEL, STACK_LABEL
from builder.oci import media
from builder.oci.config import Config, parse_config
from builder.oci.descriptor import Descriptor, verify_bytes
from builder.oci.fields import MAX_DOCUMENT_BYTES
from builder.oci.index import parse_index
from builder.oci.layout import PlatformImage
from builder.oci.manifest import parse_manifest
from builder.registry.model import ManifestBytes, Reference, Registry, Repository

_WAY_OUT = "name an image that `airflow-kubler push` pushed, by tag or digest"


@dataclass(frozen=True, slots=True, kw_only=True)
class ShippedImage:
    """An image in a registry."""

    repository: Repository
    root: ManifestBytes
    """The image index."""
    platforms: tuple[PlatformImage, ...]
    stack: str
    """By its label."""
    lock: Digest
    """By its label: of the lock file that it was built from."""

    @property
    def descriptor(self) -> Descriptor:
        """Of the image index."""
        return self.root.descriptor

    @property
    def reference(self) -> Reference:
        """By digest."""
        return self.repository.at(self.root.digest)


def read_shipped(registry: Registry, reference: Reference) -> ShippedImage:
    """Read an image's documents, each checked against its digest; no layer is read.

    Raises:
        RegistryError: it is not there.
        IntegrityError: it is none of ours, or platforms say different things.
    """
    root = registry.manifest(reference)
    if root is None:
        raise RegistryError(
            "there is no such image", context=str(reference), hint="airflow-kubler ls shows what is there"
        )
    if root.media_type != media.INDEX:
        raise IntegrityError(f"is no image index but {root.media_type}", context=str(reference), hint=_WAY_OUT)
    try:
        index = parse_index(root.data)
        platforms = tuple(_read_platform(registry, reference.repository, child) for child in index.manifests)
    except IntegrityError as error:
        raise IntegrityError(f"{error.context}: {error.message}", context=str(reference), hint=_WAY_OUT) from error
    said = {(_label(image.config, STACK_LABEL), _label(image.config, LOCK_LABEL)) for image in platforms}
    if len(said) != 1 or len({image.platform for image in platforms}) != len(platforms):
        raise IntegrityError(
            "must hold one manifest for each platform, all of one lock", context=str(reference), hint=_WAY_OUT
        )
    ((stack, lock),) = said
    if not stack or not lock:
        raise IntegrityError("does not say which lock it was built from", context=str(reference), hint=_WAY_OUT)
    return ShippedImage(
        repository=reference.repository, root=root, platforms=platforms, stack=stack, lock=Digest.parse(lock)
    )


def _label(config: Config, name: str) -> str:
    return dict(config.run.labels).get(name, "")


def _read_platform(registry: Registry, repository: Repository, descriptor: Descriptor) -> PlatformImage:
    found = registry.manifest(repository.at(descriptor.digest))
    if found is None or descriptor.platform is None:
        raise IntegrityError("a platform without a manifest", context=str(descriptor.digest))
    manifest = parse_manifest(verify_bytes(descriptor, found.data))
    if manifest.config.size > MAX_DOCUMENT_BYTES:
        raise IntegrityError(f"a config of {manifest.config.size} bytes", context=str(descriptor.digest))
    config = parse_config(b"".join(registry.read_blob(repository, manifest.config)))
    if config.platform != descriptor.platform or len(config.diff_ids) != len(manifest.layers):
        raise IntegrityError("config and manifest are not of one image", context=str(descriptor.digest))
    return PlatformImage(platform=config.platform, descriptor=descriptor, manifest=manifest, config=config)
