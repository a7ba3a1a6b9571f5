"""What locks bases, and where the images that they name lie."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from builder.errors import DigestMismatchError, IntegrityError, StackError
from builder.wiring.fetching import make_debian_client
from builder.wiring.stores import make_file_store

if TYPE_CHECKING:
    from pathlib import Path

    from builder.lock.model import BaseLock
    from builder.oci.descriptor import Descriptor
    from builder.project import Project
    from builder.registry.model import ManifestBytes, Reference, Registry
    from builder.stack.model import Base
    from builder.usecase.lock_base_image import ImageSource


def make_base_locker(project: Project, say: Callable[[str], None]) -> Callable[[str], bytes]:
    """Make what locks a base: against the user's mirrors, an image, or what BuildKit builds."""

    def lock(name: str) -> bytes:
        from builder.lock.base import dump_base_lock, parse_base_lock

        base = project.load_base(name)
        if base.is_image:
            return dump_base_lock(_lock_image(project, base, say))
        from builder.usecase.lock_base import lock_base

        path = project.base_lock_path(name)
        previous = parse_base_lock(path.read_bytes(), file=f"locks/{path.name}") if path.is_file() else None
        with make_debian_client() as client:
            return dump_base_lock(lock_base(base, client, previous))

    return lock


def _lock_image(project: Project, base: Base, say: Callable[[str], None]) -> BaseLock:
    from builder.usecase.lock_base_image import lock_image_base

    with open_image_source(project, base) as source:
        return lock_image_base(base, source, make_file_store(), say)


@contextmanager
def open_image_source(project: Project, base: Base) -> Iterator[ImageSource]:
    """Open the place where a base's image lies: the registry of its reference, or a layout."""
    image = base.image
    if image is None or not (image.reference or image.layout):
        raise StackError("states no place of its image", context=f"stacks/bases/{base.name}.toml")
    if image.layout:
        yield LayoutImageSource(project.root / image.layout, image.digest, name=base.name)
        return
    from builder.registry.model import parse_reference
    from builder.wiring.registries import make_registry

    with make_registry() as registry:
        yield RegistryImageSource(registry, parse_reference(image.reference))


class RegistryImageSource:
    """An image in a registry; the client checks each byte."""

    def __init__(self, registry: Registry, reference: Reference) -> None:
        self._registry = registry
        self._reference = reference

    def root(self) -> ManifestBytes:
        """Read its manifest or index."""
        found = self._registry.manifest(self._reference)
        if found is None:
            raise StackError("there is no such image", context=str(self._reference), hint="look at the reference")
        return found

    def blob(self, descriptor: Descriptor) -> Iterator[bytes]:
        """Iterate over a blob, or a child manifest."""
        from builder.registry.documents import INDEXES, MANIFESTS

        if descriptor.media_type in (*INDEXES, *MANIFESTS):
            found = self._registry.manifest(self._reference.repository.at(descriptor.digest))
            if found is None:
                raise IntegrityError("the index names a manifest that is not there", context=str(self._reference))
            return iter((found.data,))
        return self._registry.read_blob(self._reference.repository, descriptor)


class LayoutImageSource:
    """An image in an OCI layout: the only one there, or the one of a digest."""

    def __init__(self, folder: Path, digest: str, *, name: str) -> None:
        from builder.registry.folder import FolderBlobs

        self._folder = folder
        self._blobs = FolderBlobs(folder)
        self._digest = digest
        self._where = f"stacks/bases/{name}.toml: image.layout"

    def root(self) -> ManifestBytes:
        """Read its manifest or index."""
        from builder.oci.descriptor import Descriptor, verify_bytes
        from builder.oci.fields import Fields, parse_object
        from builder.oci.layout import INDEX_FILE
        from builder.registry.documents import INDEXES, MANIFESTS, media_type_of
        from builder.registry.model import ManifestBytes

        path = self._folder / INDEX_FILE
        if not path.is_file():
            raise StackError(f"{path.parent} holds no OCI layout", context=self._where)
        listed = [
            Descriptor(
                media_type=entry.optional_text("mediaType"), digest=entry.digest("digest"), size=entry.count("size")
            )
            for entry in Fields(parse_object(path.read_bytes(), context=INDEX_FILE), context=INDEX_FILE).objects(
                "manifests"
            )
        ]
        images = [one for one in listed if one.media_type in (*INDEXES, *MANIFESTS)]
        wanted = [one for one in images if not self._digest or str(one.digest) == self._digest]
        if len(wanted) != 1:
            hint = f"state digest, one of: {', '.join(str(one.digest) for one in images)}" if images else ""
            what = f"holds no {self._digest}" if self._digest else f"holds {len(images)} images"
            raise StackError(f"the layout {what}", context=self._where, hint=hint)
        data = verify_bytes(wanted[0], b"".join(self._blobs.open_at(wanted[0], 0)))
        kind = media_type_of(data, wanted[0].media_type, context=INDEX_FILE)
        return ManifestBytes(data=data, media_type=kind, digest=wanted[0].digest)

    def blob(self, descriptor: Descriptor) -> Iterator[bytes]:
        """Iterate over a blob; raises DigestMismatchError at its end."""
        import hashlib

        hashed = hashlib.sha256()
        for chunk in self._blobs.open_at(descriptor, 0):
            hashed.update(chunk)
            yield chunk
        if hashed.hexdigest() != descriptor.digest.hex:
            raise DigestMismatchError(
                f"got sha256:{hashed.hexdigest()}", context=f"{self._folder}: {descriptor.digest}"
            )
