"""What locks bases, and where the images that they name lie."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from builder.errors import DigestMismatchError, IntegrityError, InvalidInputError, StackError
from builder.wiring.fetching import make_debian_client, make_mirrors
from builder.wiring.stores import make_build_store, make_file_store

if TYPE_CHECKING:
    from builder.lock.model import BaseLock
    from builder.oci.descriptor import Descriptor
    from builder.project import Project
    from builder.registry.model import ManifestBytes, Reference, Registry
    from builder.stack.model import Base
    from builder.usecase.lock_base_dockerfile import DockerfileTools
    from builder.usecase.lock_base_image import ImageSource


def make_base_locker(project: Project, say: Callable[[str], None], program: str = "") -> Callable[[str], bytes]:
    """Make what locks a base: against the user's mirrors, an image, or what BuildKit builds.

    Args:
        project: the folder of stacks and locks.
        say: told what is being done.
        program: names this very program, for what it notes of bases; empty to note nothing.
    """

    def lock(name: str) -> bytes:
        from builder.lock.base import dump_base_lock, parse_base_lock

        base = project.load_base(name)
        if base.is_image:
            return dump_base_lock(_lock_image(project, base, say))
        from builder.usecase.base_notes import BaseNotes
        from builder.usecase.lock_base import lock_base

        path = project.base_lock_path(name)
        previous = parse_base_lock(path.read_bytes(), file=f"locks/{path.name}") if path.is_file() else None
        with make_debian_client() as client:
            return dump_base_lock(lock_base(base, client, previous, BaseNotes(make_build_store(), program)))

    return lock


def _lock_image(project: Project, base: Base, say: Callable[[str], None]) -> BaseLock:
    if base.dockerfile is not None:
        from builder.usecase.lock_base_dockerfile import lock_dockerfile_base

        return lock_dockerfile_base(project, base, _dockerfile_tools(base, say))
    from builder.usecase.lock_base_image import lock_image_base

    with open_image_source(project, base) as source:
        return lock_image_base(base, source, make_file_store(), say)


def _dockerfile_tools(base: Base, say: Callable[[str], None]) -> DockerfileTools:
    from tempfile import TemporaryDirectory

    from builder.usecase.lock_base_dockerfile import DockerfileTools
    from builder.wiring.images import build_tools

    settings = _builder_settings()

    @contextmanager
    def scratch() -> Iterator[Path]:
        with TemporaryDirectory(prefix="airflow-kubler-base-") as name:
            yield Path(name)

    return DockerfileTools(
        files=make_file_store(),
        build=build_tools(os.cpu_count() or 1),
        fetch=_fetch_debs,
        secrets=lambda lock, names: {name: _read_secret(name, lock, settings) for name in names},
        environment=os.environ,
        network=str(settings.get("network", "")),
        scratch=scratch,
        open_layout=lambda folder: LayoutImageSource(folder, "", name=base.name),
        say=say,
    )


def _builder_settings() -> Mapping[str, Any]:
    """Read `[buildkit]` of our configuration file: `network`, and `[buildkit.secrets]`, files by name."""
    import tomllib

    from builder.resolve.surroundings import this_surroundings

    path = this_surroundings().config_home / "airflow-kubler" / "config.toml"
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8")).get("buildkit", {})
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise InvalidInputError(f"cannot be read: {error}", context=str(path)) from error
    if not isinstance(found, dict) or not isinstance(found.get("secrets", {}), dict):
        raise InvalidInputError("must be a table", context=f"{path}: buildkit")
    return found


def _read_secret(name: str, lock: BaseLock, settings: Mapping[str, Any]) -> bytes:
    """Read a secret from the file that the user names; `apt-sources` is made of the user's own mirrors."""
    path = settings.get("secrets", {}).get(name)
    if path is not None:
        try:
            return Path(str(path)).expanduser().read_bytes()
        except OSError as error:
            raise InvalidInputError(f"secret {name}: {error.strerror}", context=str(path)) from error
    if name == "apt-sources":
        return _apt_sources(lock)
    raise InvalidInputError(
        f"no secret {name!r} is configured",
        context=f"base {lock.name}",
        hint=f'name its file in config.toml: [buildkit.secrets] {name} = "/path/of/file"',
    )


def _apt_sources(lock: BaseLock) -> bytes:
    """Write the user's mirrors as apt reads them, for the suites of a base."""
    mirrors = make_mirrors()
    return "\n".join(
        f"Types: deb\nURIs: {mirror.url}\nSuites: {suite}\nComponents: {' '.join(lock.base.components)}\n"
        for suite in lock.base.suites
        for mirror in mirrors.serving(suite)[:1]
    ).encode()


def _fetch_debs(lock: BaseLock) -> None:
    """Put the debs of a base into the store."""
    from builder.resolve.user_settings import load_index_settings
    from builder.usecase.fetch import obtain_with
    from builder.wiring.fetching import make_fetch_sources
    from builder.wiring.stores import make_transport

    settings = load_index_settings()
    with make_transport(settings) as transport:
        obtain_with(make_file_store(), make_fetch_sources(settings), transport)({}, lock.debs)


@contextmanager
def open_image_source(project: Project, base: Base) -> Iterator[ImageSource]:
    """Open the place where a base's image lies: the registry of its reference, or a layout."""
    image = base.image
    if image is None:
        raise StackError(
            "was built by a Dockerfile, and is pulled from nowhere",
            context=f"stacks/bases/{base.name}.toml",
            hint=f"fetch it from the archive of an image on it, or build it anew: airflow-kubler lock --base {base.name}",
        )
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
        from builder.image.layout_reader import FolderLayout
        from builder.oci.descriptor import Descriptor
        from builder.oci.fields import Fields, parse_object
        from builder.oci.layout import INDEX_FILE
        from builder.registry.documents import INDEXES, MANIFESTS, media_type_of
        from builder.registry.model import ManifestBytes
        from builder.registry.shipment import read_document

        path = self._folder / INDEX_FILE
        if not path.is_file():
            raise StackError(f"{path.parent} holds no OCI layout", context=self._where)
        listed = [
            Descriptor(
                media_type=entry.optional_text("mediaType"), digest=entry.digest("digest"), size=entry.count("size")
            )
            for entry in Fields(
                parse_object(FolderLayout(self._folder).read(INDEX_FILE), context=INDEX_FILE), context=INDEX_FILE
            ).objects("manifests")
        ]
        images = [one for one in listed if one.media_type in (*INDEXES, *MANIFESTS)]
        wanted = [one for one in images if not self._digest or str(one.digest) == self._digest]
        if len(wanted) != 1:
            hint = f"state digest, one of: {', '.join(str(one.digest) for one in images)}" if images else ""
            what = f"holds no {self._digest}" if self._digest else f"holds {len(images)} images"
            raise StackError(f"the layout {what}", context=self._where, hint=hint)
        data = read_document(self._blobs, wanted[0])
        kind = media_type_of(data, wanted[0].media_type, context=INDEX_FILE)
        return ManifestBytes(data=data, media_type=kind, digest=wanted[0].digest)

    def blob(self, descriptor: Descriptor) -> Iterator[bytes]:
        """Iterate over a blob; raises DigestMismatchError at its end."""
        import hashlib

        hashed, size = hashlib.sha256(), 0
        for chunk in self._blobs.open_at(descriptor, 0):
            hashed.update(chunk)
            size += len(chunk)
            if size > descriptor.size:
                raise DigestMismatchError(
                    f"is longer than the {descriptor.size} bytes of its descriptor",
                    context=f"{self._folder}: {descriptor.digest}",
                )
            yield chunk
        if hashed.hexdigest() != descriptor.digest.hex:
            raise DigestMismatchError(
                f"got sha256:{hashed.hexdigest()}", context=f"{self._folder}: {descriptor.digest}"
            )
