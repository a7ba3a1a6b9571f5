"""The archive of an image, found among what refers to it.

Anybody who may push to the repository may put an archive beside an image. None is believed: inputs are known by the
hashes of the lock, and the lock by the hash that the image states. One that does not serve is passed over for the next.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final, TypeVar

from builder.archive.model import ARTIFACT_TYPE, INPUT_TYPE, Archive, parse_archive
from builder.digest import Digest
from builder.errors import BuilderError, FetchError, IntegrityError, RegistryError
from builder.lock.model import LockedFile
from builder.oci.descriptor import Descriptor
from builder.registry.answers import lies_in_object
from builder.registry.model import Registry, Repository
from builder.registry.pulling import read_referrer
from builder.usecase.shipped import ShippedImage

_MOST_SHOWN: Final = 10
_MOST_TRIED: Final = 100
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundArchive:
    """An archive in a registry."""

    repository: Repository
    digest: Digest
    archive: Archive

    def read(self, registry: Registry, file: LockedFile) -> Iterator[bytes]:
        """Iterate over an input; the last chunk comes only when its hash is right."""
        descriptor = Descriptor(media_type=INPUT_TYPE, digest=file.sha256, size=file.size)
        return registry.read_blob(self.repository, descriptor)

    def check_holds(self, wanted: Iterable[LockedFile]) -> None:
        """Raise FetchError where it does not list one of the files, of that size."""
        sizes = {file.sha256: file.size for file in self.archive.inputs}
        absent = [file.name for file in wanted if sizes.get(file.sha256) != file.size]
        if absent:
            raise FetchError(
                f"the archive does not hold {len(absent)} locked files: {', '.join(absent[:_MOST_SHOWN])}",
                context=str(self.repository.at(self.digest)),
                hint="it is of another lock, or incomplete: push the archive of the image built from this lock",
            )


def find_archive(registry: Registry, image: ShippedImage) -> FoundArchive:
    """Find the archive of an image: the first by digest that is of its lock; raises as `first_usable`."""
    return first_usable(registry, image, lambda found: found)


def first_usable(registry: Registry, image: ShippedImage, use: Callable[[FoundArchive], _T]) -> _T:
    """Use the first archive of an image that serves, by digest.

    Args:
        registry: that holds the image.
        image: whose archive.
        use: takes of an archive what is wanted; raises IntegrityError or FetchError where it does not serve.

    Raises:
        RegistryError: it has none, or the registry fails.
        IntegrityError: none of those that call themselves so serves.
        FetchError: the only one does not hold a file.
    """
    refused: list[str] = []
    last: BuilderError | None = None
    for number, referrer in enumerate(registry.referrers(image.repository, image.root.digest, ARTIFACT_TYPE)):
        if number >= _MOST_TRIED:
            refused.append(f"more than {_MOST_TRIED} refer to the image, and the others were not looked at")
            break
        digest, read = referrer.descriptor.digest, False
        try:
            found = _read_archive(registry, image, digest)
            read = True
            return use(found)
        except (FetchError, IntegrityError, RegistryError) as error:
            if not isinstance(error, FetchError) and not lies_in_object(error):
                raise
            refused.append(f"{digest}: {error.message}")
            last = error if read else None
    if last is not None and len(refused) == 1:
        raise last
    if refused:
        raise IntegrityError(
            f"no archive of it can be used: {'; '.join(refused[:_MOST_SHOWN])}",
            context=str(image.reference),
            hint="push it again, from the project: airflow-kubler archive push",
        )
    raise RegistryError(
        "its inputs were never archived",
        context=str(image.reference),
        hint=f"where its lock is: airflow-kubler archive push {image.reference} {image.stack}",
    )


def _read_archive(registry: Registry, image: ShippedImage, digest: Digest) -> FoundArchive:
    found = read_referrer(registry, image.repository, digest, image.root.digest)
    archive = parse_archive(found.data, context=str(found.digest))
    if archive.lock != image.lock:
        raise IntegrityError("is of another lock")
    if archive.find(image.lock) is None:
        raise IntegrityError("does not hold the lock that the image was built from")
    return FoundArchive(repository=image.repository, digest=digest, archive=archive)


def read_document(registry: Registry, found: FoundArchive, digest: Digest, *, what: str, most: int) -> bytes:
    """Read a lock from an archive by its hash, whole.

    Raises:
        IntegrityError: the archive does not hold it, or it is too long to be one.
    """
    file = found.archive.find(digest)
    if file is None or file.size > most:
        why = "does not hold" if file is None else f"has {file.size} bytes as"
        raise IntegrityError(f"the archive {why} {what} ({digest})", context=str(found.repository.at(found.digest)))
    return b"".join(found.read(registry, file))
