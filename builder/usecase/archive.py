"""Archive: the inputs of an image put beside it in its registry, and got back from there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from builder.archive.model import (
    INPUT_TYPE,
    Archive,
    dump_archive,
    list_inputs,
)
from builder.digest import Digest
from builder.errors import BuildError, MissingBlobError
from builder.lock.base import parse_base_lock
from builder.lock.model import BaseLock, LockedFile, StackLock
from builder.lock.pylock import parse_stack_lock
from builder.oci import media
from builder.oci.descriptor import Descriptor, describe
from builder.registry.model import BlobPushed, ManifestBytes, Registry
from builder.registry.parallel import DEFAULT_WORKERS
from builder.registry.shipment import Shipment
from builder.registry.transfer import TransferPlan, TransferReport, plan_push, push
from builder.store.links import link_file
from builder.store.model import FileStore, Progress
from builder.usecase.fetch import (
    FetchReport,
    FetchScope,
    keep_own_files,
    wanted_debs,
    wanted_layers,
    wanted_sources,
    wanted_wheels,
)
from builder.usecase.found_archive import FoundArchive, first_usable
from builder.usecase.shipped import ShippedImage

_CHUNK = 1 << 20
_MOST_SHOWN = 10
Tell = Callable[[Descriptor, BlobPushed], None]


class InputStore(FileStore, Protocol):
    """A store of files that inputs are sent from and brought into."""

    def holds(self, file: LockedFile) -> bool:
        """Tell whether a file lies there with its size."""

    def add_stream(self, chunks: Iterable[bytes], expected: LockedFile | None = None) -> Digest:
        """Keep a stream, hashed while it is written; raises DigestMismatchError where it is not the expected file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchivePlan:
    """An archive to be, and what of it the registry does not hold yet."""

    archive: Archive
    transfer: TransferPlan
    documents: tuple[tuple[str, bytes], ...]


def plan_archive(
    registry: Registry,
    image: ShippedImage,
    locks: Path,
    store: InputStore,
    *,
    workers: int = DEFAULT_WORKERS,
) -> ArchivePlan:
    """Find out what of an image's inputs its repository does not hold yet; nothing is written.

    Args:
        registry: where the image is.
        image: in the registry.
        locks: the folder of locks, with the one that the image was built from.
        store: that holds every input.
        workers: questions at a time.

    Raises:
        BuildError: the image was built from another lock than the one here.
        MissingBlobError: the store lacks inputs.
    """
    documents = _documents(locks, image)
    stack, base = _parse(documents)
    inputs = list_inputs(stack, base, (*documents, *_constraints(stack, store)))
    held = {Digest.of(data) for _, data in documents}
    missing = [file for file in inputs if file.sha256 not in held and not store.holds(file)]
    if missing:
        named = ", ".join(file.name for file in missing[:_MOST_SHOWN])
        raise MissingBlobError(
            f"the store lacks {len(missing)} inputs: {named}",
            hint=f"airflow-kubler fetch {stack.stack} --sources, then again",
        )
    archive = Archive(subject=image.descriptor, stack=stack.stack, lock=image.lock, inputs=inputs)
    data = dump_archive(archive)
    root = ManifestBytes(data=data, media_type=media.MANIFEST, digest=Digest.of(data))
    blobs = (describe(media.EMPTY, media.EMPTY_BYTES), *(_descriptor(file) for file in inputs))
    shipment = Shipment(root=root, manifests=(root,), blobs=blobs)
    transfer = plan_push(registry, image.repository, shipment, workers=workers)
    return ArchivePlan(archive=archive, transfer=transfer, documents=documents)


def push_archive(
    registry: Registry,
    plan: ArchivePlan,
    store: InputStore,
    *,
    workers: int = DEFAULT_WORKERS,
    progress: Tell = lambda *_: None,
) -> TransferReport:
    """Carry a plan out: inputs, then the manifest, which refers to the image.

    Raises:
        RegistryError: it did not go through.
        DigestMismatchError: an input in the store is damaged.
    """
    given = {Digest.of(data): data for _, data in plan.documents} | {Digest.of(media.EMPTY_BYTES): media.EMPTY_BYTES}
    return push(registry, plan.transfer, _Source(given, store), workers=workers, progress=progress)


def fill_store(
    registry: Registry,
    found: FoundArchive,
    wanted: Iterable[LockedFile],
    store: InputStore,
    *,
    workers: int = DEFAULT_WORKERS,
    progress: Progress = lambda _: None,
) -> int:
    """Bring inputs from an archive into a store; what it holds is not asked for.

    Returns:
        How many were brought.

    Raises:
        FetchError: the archive does not hold one, of that size.
        DigestMismatchError: an input is not what the lock says; it is not kept.
    """
    missing = [file for file in dict.fromkeys(wanted) if not store.holds(file)]
    found.check_holds(missing)

    def bring(file: LockedFile) -> None:
        store.add_stream(found.read(registry, file), file)
        progress(file.size)

    with ThreadPoolExecutor(max_workers=workers, thread_name_prefix="archive") as pool:
        try:
            for _ in pool.map(bring, sorted(missing, key=lambda file: -file.size)):
                pass
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return len(missing)


def fetch_from_archive(
    registry: Registry,
    image: ShippedImage,
    scope: FetchScope,
    store: InputStore,
    folder: Path,
    *,
    progress: Callable[[int], AbstractContextManager[Progress]],
    workers: int = DEFAULT_WORKERS,
) -> FetchReport:
    """Fill the store with what locks name, from the archive of an image alone, then `locks/files`.

    Args:
        registry: that holds both.
        image: whose archive; it need not be of these very locks: each file is known by its hash.
        scope: locks and platforms.
        store: what is filled.
        folder: `locks/files` of the project.
        progress: told the bytes to come, gives what is told of bytes that came.
        workers: files at a time.

    Raises:
        FetchError: the archive does not hold a file that the locks name.
    """
    wheels, debs, layers = wanted_wheels(scope), wanted_debs(scope), wanted_layers(scope)
    own = keep_own_files(scope, store)
    named = (*(wheels | wanted_sources(scope)), *debs, *layers)
    missing = [file for file in named if not store.holds(file)]
    size = sum(file.size for file in missing)

    def holding(found: FoundArchive) -> FoundArchive:
        found.check_holds(missing)
        return found

    found = first_usable(registry, image, holding)
    with progress(size) as tell:
        fill_store(registry, found, missing, store, workers=workers, progress=tell)
    linked = [link_file(store, file, folder) for file in wheels]
    return FetchReport(files=len(named) + own, fetched=len(missing), fetched_bytes=size, linked=len(linked))


class _Source:
    """A BlobSource of documents in memory and files in a store."""

    def __init__(self, given: dict[Digest, bytes], store: InputStore) -> None:
        self._given = given
        self._store = store

    def open_at(self, descriptor: Descriptor, offset: int) -> Iterator[bytes]:
        if descriptor.digest in self._given:
            yield self._given[descriptor.digest][offset:]
            return
        path = self._store.path(descriptor.digest)
        try:
            stream = path.open("rb")
        except FileNotFoundError:
            raise MissingBlobError("the store lost it", context=str(path), hint="airflow-kubler fetch") from None
        with stream:
            stream.seek(offset)
            while chunk := stream.read(_CHUNK):
                yield chunk


def _descriptor(file: LockedFile) -> Descriptor:
    return Descriptor(media_type=INPUT_TYPE, digest=file.sha256, size=file.size)


def _documents(locks: Path, image: ShippedImage) -> tuple[tuple[str, bytes], ...]:
    """Read the lock of an image, its base's, and its parents' as far as they are the ones it was made on."""
    name = f"pylock.{image.stack}.toml"
    path = locks / name
    data = path.read_bytes() if path.is_file() else b""
    if Digest.of(data) != image.lock:
        raise BuildError(
            "the image was built from another lock than the one here",
            context=str(image.reference),
            hint=f"take locks/{name} of that image from version control, and run it again",
        )
    lock = parse_stack_lock(data, file=f"locks/{name}")
    found = [(f"locks/{name}", data), *_exactly(locks, f"base.{lock.base}.toml", lock.base_lock)]
    if len(found) == 1:
        raise BuildError("the base's lock has changed since", context=f"locks/base.{lock.base}.toml")
    while lock.parents and lock.parent_lock is not None:
        above = _exactly(locks, f"pylock.{lock.parents[0]}.toml", lock.parent_lock)
        if not above:
            break
        found += above
        lock = parse_stack_lock(above[0][1], file=above[0][0])
    return tuple(found)


def _exactly(locks: Path, name: str, digest: Digest) -> Sequence[tuple[str, bytes]]:
    path = locks / name
    data = path.read_bytes() if path.is_file() else b""
    return [(f"locks/{name}", data)] if Digest.of(data) == digest else []


def _parse(documents: Sequence[tuple[str, bytes]]) -> tuple[StackLock, BaseLock]:
    (lock_file, lock), (base_file, base), *_ = documents
    return parse_stack_lock(lock, file=lock_file), parse_base_lock(base, file=base_file)


def _constraints(stack: StackLock, store: InputStore) -> Sequence[tuple[str, bytes]]:
    """Find the constraints that a lock was made with: nothing is built from them, but an auditor wants to see them."""
    if stack.constraints is None or not store.has(stack.constraints):
        return []
    data = store.path(stack.constraints).read_bytes()
    return [("locks/constraints.txt", data)] if Digest.of(data) == stack.constraints else []
