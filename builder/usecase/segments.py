"""Segments shared by way of a registry: a machine with an empty cache does not compile what another has compiled.

Nothing here can fail a build: what cannot be had, or is not what its digest says, is made instead, and that is said.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from builder.archive.segments import SEGMENT_TYPE, dump_record, dump_set, parse_record, parse_set
from builder.atomic import replacing
from builder.digest import Digest
from builder.errors import BuilderError, InvalidInputError, RegistryError
from builder.image.segment import KIND, find_segment
from builder.oci import media
from builder.oci.descriptor import Descriptor, describe
from builder.registry.model import BlobPushed, ManifestBytes, Reference, Registry, Repository
from builder.registry.parallel import DEFAULT_WORKERS
from builder.registry.shipment import Shipment
from builder.registry.transfer import TransferPlan, plan_push, push
from builder.store.model import ArtefactStore
from builder.usecase.build import BuildRequest, BuildTools, assemble_image, load_locks

RECORD = "segments.toml"
_CHUNK = 1 << 20


class RemoteSegments:
    """An ArtefactStore that also finds segments of one set in a registry; safe to use from several threads.

    Args:
        local: the cache, which gets what is found.
        registry: where the set is.
        reference: of the set, by digest; it is read when the first segment is missing here.
        told: what could not be used, and why.

    Raises:
        InvalidInputError: the reference has no digest: what a tag stands for is anybody's.
    """

    def __init__(
        self,
        local: ArtefactStore,
        registry: Registry,
        reference: Reference,
        told: Callable[[str], None] = lambda _: None,
    ) -> None:
        if reference.digest is None:
            raise InvalidInputError(
                "names a set of segments by tag",
                context=str(reference),
                hint="name the repository alone, whose sets locks/segments.toml pins, or a digest",
            )
        self._local = local
        self._registry = registry
        self._reference = reference
        self._segments: dict[str, Descriptor] | None = None
        self._told = told
        self._lock = threading.Lock()
        self.used = 0
        """Segments that came from the registry."""
        self.used_bytes = 0

    def get(self, kind: str, key: str) -> Path | None:
        """Find an artefact here, or a segment there."""
        found = self._local.get(kind, key)
        if found is not None or kind != KIND:
            return found
        with self._lock:
            # Once: what is damaged here is made anew, not fetched again and again.
            descriptor = self._known().pop(key, None)
        return self._bring(key, descriptor) if descriptor is not None else None

    def put(self, kind: str, key: str, chunks: Iterable[bytes]) -> Path:
        """Keep an artefact here."""
        return self._local.put(kind, key, chunks)

    def bring_all(self, keys: Iterable[str], *, workers: int = DEFAULT_WORKERS) -> None:
        """Bring segments in parallel, the largest first; what the set does not hold is passed over."""
        missing = [key for key in dict.fromkeys(keys) if self._local.get(KIND, key) is None]
        if not missing:
            return
        with self._lock:
            known = dict(self._known())
        wanted = sorted((key for key in missing if key in known), key=lambda key: -known[key].size)
        with ThreadPoolExecutor(max_workers=workers, thread_name_prefix="segments") as pool:
            for _ in pool.map(lambda key: self.get(KIND, key), wanted):
                pass

    def _known(self) -> dict[str, Descriptor]:
        """Read the set, once; with the lock held. Without it nothing is known."""
        if self._segments is None:
            self._segments = {}
            try:
                found = self._registry.manifest(self._reference)
                if found is None:
                    self._told(f"no finished segments are used: {self._reference} is not there")
                else:
                    self._segments = dict(parse_set(found.data, context=str(self._reference)))
            except BuilderError as error:
                self._told(f"no finished segments are used: {error}")
        return self._segments

    def _bring(self, key: str, descriptor: Descriptor) -> Path | None:
        try:
            path = self._local.put(KIND, key, self._registry.read_blob(self._reference.repository, descriptor))
        except RegistryError as error:
            # Each has been tried again and again by now: three hundred more would take longer than making them.
            with self._lock:
                given_up, self._segments = not self._segments, {}
            if not given_up:
                self._told(f"no more finished segments are used: {error}")
            return None
        except BuilderError as error:
            self._told(f"segment {key[:12]} is made here: {error.message}")
            return None
        if find_segment(key, self._local) is None:
            self._told(f"segment {key[:12]} is made here: what came is no segment")
            return None
        with self._lock:
            self.used += 1
            self.used_bytes += descriptor.size
        return path


def recorded_set(locks: Path, stack: str) -> Digest | None:
    """Find the set that `locks/segments.toml` pins for a stack; None where it pins none."""
    return _read_record(locks).get(stack)


def record_set(locks: Path, stack: str, digest: Digest) -> None:
    """Pin a set for a stack in `locks/segments.toml`."""
    path = locks / RECORD
    data = dump_record({**_read_record(locks), stack: digest})
    if not path.is_file() or path.read_bytes() != data:
        with replacing(path, mode=0o644, durable=True) as stream:
            stream.write(data)


def _read_record(locks: Path) -> Mapping[str, Digest]:
    path = locks / RECORD
    return parse_record(path.read_bytes(), file=f"locks/{RECORD}") if path.is_file() else {}


def used_segments(request: BuildRequest, tools: BuildTools) -> Mapping[str, Path]:
    """Assemble an image, and list the segments that are in it: by key, where each lies in the cache."""
    image = assemble_image(load_locks(request.locks, request.stack, memory=tools.memory), request, tools)
    keys = {key for built in image.platforms for layer in built.layers for key in layer.segment_keys}
    found = {key: find_segment(key, tools.artefacts) for key in sorted(keys)}
    return {key: segment.path for key, segment in found.items() if segment is not None}


def plan_segments(
    registry: Registry, repository: Repository, stack: str, segments: Mapping[str, Path], tags: Sequence[str]
) -> tuple[TransferPlan, Mapping[Digest, Path]]:
    """Find out which segments a repository lacks; nothing is written.

    Returns:
        The plan, and where each segment lies.
    """
    held = {key: _describe(path) for key, path in segments.items()}
    data = dump_set(stack, held)
    root = ManifestBytes(data=data, media_type=media.MANIFEST, digest=Digest.of(data))
    blobs = {one.digest: one for one in (describe(media.EMPTY, media.EMPTY_BYTES), *held.values())}
    shipment = Shipment(root=root, manifests=(root,), blobs=tuple(blobs.values()))
    places = {held[key].digest: path for key, path in segments.items()}
    # The set before, under the same tag, tells of nearly all segments in one question.
    return plan_push(registry, repository, shipment, tags, near=tags), places


def push_segments(
    registry: Registry,
    plan: TransferPlan,
    places: Mapping[Digest, Path],
    *,
    workers: int = DEFAULT_WORKERS,
    progress: Callable[[Descriptor, BlobPushed], None] = lambda *_: None,
) -> int:
    """Carry a plan out; returns the bytes that were sent."""
    return push(registry, plan, _Places(places), workers=workers, progress=progress).sent_bytes


class _Places:
    """A BlobSource of files in the cache."""

    def __init__(self, places: Mapping[Digest, Path]) -> None:
        self._places = places

    def open_at(self, descriptor: Descriptor, offset: int) -> Iterator[bytes]:
        if descriptor.digest == Digest.of(media.EMPTY_BYTES):
            yield media.EMPTY_BYTES[offset:]
            return
        with self._places[descriptor.digest].open("rb") as stream:
            stream.seek(offset)
            while chunk := stream.read(_CHUNK):
                yield chunk


def _describe(path: Path) -> Descriptor:
    import hashlib

    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
        return Descriptor(media_type=SEGMENT_TYPE, digest=Digest(digest), size=stream.tell())


def with_segments(tools: BuildTools, remote: RemoteSegments) -> BuildTools:
    """Build with segments of a set."""
    return replace(tools, artefacts=remote, prefetch=remote.bring_all)
