"""From locks to an image: segments, layers, config, manifests, index. Reads locks and the store, nothing else.

1. List the layers of each platform as sources (parts.py).
2. Have a segment for each source: from the cache, or made, big ones first.
3. Check that every path has one owner; a file that distributions install alike is left to the first (settle.py).
4. Have a layer for each list of segments, all directories from one map.
5. Write config and manifest for each platform, and one index.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from builder.canonical import dump_json
from builder.digest import Digest
from builder.entry import Entry
from builder.image.compress import Compressor
from builder.image.contract import DUMB_INIT, contract_config
from builder.image.directories import directory_map, layer_directories
from builder.image.layer import Layer, find_layer, layer_key, make_layer
from builder.image.memory import ImageMemory
from builder.image.parts import LayerParts, plan_parts
from builder.image.segment import DamagedSegmentError, Segment, find_segment, make_segment
from builder.image.settle import Settling, settle
from builder.image.sources import DebSource, Intake, Source, WheelSource, read_source, source_key
from builder.image.tasks import run_all
from builder.lock.model import BaseLock, StackLock
from builder.oci import media
from builder.oci.config import Config, History, RunConfig, dump_config, format_time
from builder.oci.descriptor import Descriptor, describe
from builder.oci.index import Index, dump_index
from builder.oci.manifest import Manifest, dump_manifest
from builder.platform import Platform
from builder.store.model import ArtefactStore, Progress

if TYPE_CHECKING:
    from builder.image.base_layers import BaseImage

MEMORY_BUDGET = 240_000_000
"""Bytes of sources in work at a time, unpacked; with interpreter, workers and buffers the whole stays below 700 MB."""
_UNPACKED = 6
"""A source unpacked, with bytecode and copies, is about this many times its file's size."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltLayer:
    """A layer of an image, and what is in it."""

    name: str
    parts: LayerParts
    segment_keys: tuple[str, ...]
    """Of the parts' sources, in their order."""
    layer: Layer
    media_type: str = ""
    """Of a base's layer; empty for the compressor's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltPlatform:
    """One platform of an image."""

    platform: Platform
    layers: tuple[BuiltLayer, ...]
    config: bytes
    manifest: bytes
    descriptor: Descriptor
    """Of the manifest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltImage:
    """An image: its documents whole, its layers in the cache."""

    stack: str
    platforms: tuple[BuiltPlatform, ...]
    index: bytes
    descriptor: Descriptor
    """Of the index."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assembly:
    """What an image is assembled with.

    Args:
        intake: how sources are read.
        compressor: of segments and layers.
        artefacts: the cache.
        threads: most pieces of work at a time.
        progress: told the bytes of sources done.
        prefetch: told the keys of segments before they are looked for in the cache.
        memory: what other images of this process found out.
    """

    intake: Intake
    compressor: Compressor
    artefacts: ArtefactStore
    threads: int
    progress: Progress | None = None
    prefetch: Callable[[Iterable[str]], None] | None = None
    memory: ImageMemory = field(default_factory=ImageMemory)


def assemble(
    stack: StackLock, base: BaseLock, *, lock_digest: Digest, platforms: Sequence[Platform], assembly: Assembly
) -> BuiltImage:
    """Make an image.

    Args:
        stack: the stack's lock.
        base: the lock that it was made on.
        lock_digest: of the stack lock's bytes.
        platforms: of the lock's, which ones.
        assembly: what to make it with.

    Raises:
        IntegrityError: an input is refused.
        MissingBlobError: the store does not hold an input.
        BuildError: inputs do not go together.
    """
    parts = {platform: plan_parts(stack, base, platform) for platform in platforms}
    layers = ensure_platforms(parts, base, assembly)
    built = tuple(
        _write_platform(stack, base, platform, layers[platform], lock_digest, assembly.compressor.compression)
        for platform in platforms
    )
    index = dump_index(
        Index(manifests=tuple(image.descriptor for image in built), annotations=_annotations(stack)),
    )
    return BuiltImage(stack=stack.stack, platforms=built, index=index, descriptor=describe(media.INDEX, index))


def ensure_platforms(
    parts: Mapping[Platform, tuple[LayerParts, ...]], base: BaseLock, assembly: Assembly
) -> Mapping[Platform, tuple[BuiltLayer, ...]]:
    """Have the layers of each platform: steps 2 to 4, over the layers of a base that is an image."""
    below = {platform: _open_base(base, platform, assembly) for platform in parts}
    keys = _source_keys(parts.values(), assembly)
    for attempts_left in reversed(range(len(keys) + 1)):
        try:
            segments = _ensure_segments(keys, assembly)
            settled = {
                platform: settle(layers, segments, _settling(segments, assembly, below[platform]))
                for platform, layers in parts.items()
            }
            if settled != parts:
                segments = _ensure_added(settled.values(), segments, assembly)
            return {
                platform: _ensure_layers(layers, segments, assembly, below[platform])
                for platform, layers in settled.items()
            }
        except DamagedSegmentError:
            # It has been removed from the cache: the next attempt makes it again. Each removes at least one. Where one is gone, others
            # may be: all are looked for anew.
            assembly.memory.segments.clear()
            if not attempts_left:
                raise
    raise AssertionError  # The last attempt returns or raises.


def total_size(stack: StackLock, base: BaseLock, platforms: Sequence[Platform]) -> int:
    """Sum the bytes of all sources, for progress."""
    sources = {
        source for platform in platforms for layer in plan_parts(stack, base, platform) for source in layer.sources
    }
    return sum(source.size for source in sources)


def _source_keys(parts: Iterable[Sequence[LayerParts]], assembly: Assembly) -> Mapping[str, Source]:
    sources = dict.fromkeys(source for layers in parts for layer in layers for source in layer.sources)
    return {source_key(source, assembly.intake): source for source in sources}


def _ensure_segments(sources: Mapping[str, Source], assembly: Assembly) -> Mapping[Source, Segment]:
    """Step 2."""
    if assembly.prefetch is not None:
        assembly.prefetch(sources)
    known = assembly.memory.segments
    segments = {key: known.get(key) or find_segment(key, assembly.artefacts) for key in sources}
    missing = [key for key, segment in segments.items() if segment is None]
    report = assembly.progress or (lambda _: None)
    report(sum(source.size for key, source in sources.items() if segments[key] is not None))

    def make(key: str) -> Segment:
        source = sources[key]
        segment = make_segment(key, read_source(source, assembly.intake), assembly.compressor, assembly.artefacts)
        report(source.size)
        return segment

    made = run_all(
        missing,
        make,
        cost=lambda key: sources[key].size * _UNPACKED,
        threads=assembly.threads,
        budget=MEMORY_BUDGET,
    )
    found = {
        key: segment
        for key, segment in (segments | dict(zip(missing, made, strict=True))).items()
        if segment is not None
    }
    for key, segment in found.items():
        known.put(key, segment)
    return {source: found[key] for key, source in sources.items()}


def _ensure_added(
    parts: Iterable[Sequence[LayerParts]], segments: Mapping[Source, Segment], assembly: Assembly
) -> Mapping[Source, Segment]:
    """Add the segments of sources that have none yet."""
    keys = _source_keys(parts, assembly)
    return {
        **segments,
        **_ensure_segments({key: source for key, source in keys.items() if source not in segments}, assembly),
    }


def _settling(segments: Mapping[Source, Segment], assembly: Assembly, below: BaseImage | None) -> Settling:
    return Settling(
        intake=assembly.intake,
        artefacts=assembly.artefacts,
        memory=assembly.memory,
        ensure=lambda layers: _ensure_added((layers,), segments, assembly),
        below=below,
    )


def _open_base(base: BaseLock, platform: Platform, assembly: Assembly) -> BaseImage | None:
    """Open the layers of a base that is an image; None for one of Debian packages."""
    image = base.image_for(platform)
    if image is None:
        return None
    from builder.image.base_layers import open_base_image

    return open_base_image(base, image, assembly.intake.files, assembly.artefacts, assembly.memory.trees)


def _ensure_layers(
    parts: Sequence[LayerParts], segments: Mapping[Source, Segment], assembly: Assembly, below: BaseImage | None
) -> tuple[BuiltLayer, ...]:
    """Step 4, for one platform."""
    contents = [[segments[source] for source in layer.sources] for layer in parts]
    stated = _StatedDirectories(parts, segments, below)
    keys = [_layer_key(content, stated, assembly) for content in contents]
    found = {number: layer for number, key in enumerate(keys) if (layer := find_layer(key, assembly.artefacts))}
    missing = [number for number in range(len(parts)) if number not in found]

    def make(number: int) -> Layer:
        directories = layer_directories(contents[number], stated.known)
        return make_layer(keys[number], contents[number], directories, assembly.compressor, assembly.artefacts)

    # Threads are begun for what is to be done alone: most layers of a fleet's stack are there.
    made = run_all(
        missing,
        make,
        cost=lambda number: 2 * max(segment.size for segment in contents[number]),
        threads=assembly.threads,
        budget=MEMORY_BUDGET,
    )
    found |= dict(zip(missing, made, strict=True))
    ours = tuple(
        BuiltLayer(
            name=layer.name,
            parts=layer,
            segment_keys=tuple(segments[source].key for source in layer.sources),
            layer=found[number],
        )
        for number, layer in enumerate(parts)
    )
    return (*_base_layers(below), *ours)


def _base_layers(below: BaseImage | None) -> tuple[BuiltLayer, ...]:
    """List a base's own layers, which hold no source of ours."""
    pairs = zip(below.layers, below.media_types, strict=True) if below else ()
    return tuple(
        BuiltLayer(
            name=f"base-{number}",
            parts=LayerParts(name=f"base-{number}", sources=()),
            segment_keys=(),
            layer=layer,
            media_type=media_type,
        )
        for number, (layer, media_type) in enumerate(pairs)
    )


class _StatedDirectories:
    """The one map of directories of a platform; made when a layer of it is not known."""

    def __init__(
        self, parts: Sequence[LayerParts], segments: Mapping[Source, Segment], below: BaseImage | None
    ) -> None:
        sources = [source for layer in parts for source in layer.sources if not isinstance(source, WheelSource)]
        self._debs = [segments[source] for source in sources if isinstance(source, DebSource)]
        self._ours = [segments[source] for source in sources if not isinstance(source, DebSource)]
        self._below = below

    @cached_property
    def known(self) -> Mapping[str, Entry]:
        """By path, with mode and owner."""
        return {**(self._below.directories() if self._below else {}), **directory_map((self._debs, self._ours))}

    @cached_property
    def made_of(self) -> str:
        """Names all that decides about it."""
        parts = [[segment.key for segment in group] for group in (self._debs, self._ours)]
        below = [layer.key for layer in self._below.layers] if self._below else []
        return Digest.of(dump_json([*parts, below])).hex


def _layer_key(content: Sequence[Segment], stated: _StatedDirectories, assembly: Assembly) -> str:
    name = assembly.compressor.name, stated.made_of, *(segment.key for segment in content)
    key = assembly.memory.layer_keys.get(name)
    if key is None:
        key = layer_key(content, layer_directories(content, stated.known), assembly.compressor)
        assembly.memory.layer_keys.put(name, key)
    return key


def _write_platform(
    stack: StackLock,
    base: BaseLock,
    platform: Platform,
    layers: tuple[BuiltLayer, ...],
    lock_digest: Digest,
    compression: str,
) -> BuiltPlatform:
    image = base.image_for(platform)
    run = contract_config(stack, lock_digest, image.init if image else DUMB_INIT)
    return write_platform(
        platform, layers, run, created=stack.created, compression=compression, annotations=_annotations(stack)
    )


def write_platform(
    platform: Platform,
    layers: tuple[BuiltLayer, ...],
    run: RunConfig,
    *,
    created: int,
    compression: str,
    annotations: tuple[tuple[str, str], ...],
) -> BuiltPlatform:
    """Step 5, for one platform."""
    config = dump_config(
        Config(
            platform=platform,
            created=created,
            run=run,
            diff_ids=tuple(built.layer.diff_id for built in layers),
            history=tuple(History(created=created, created_by=_history(built)) for built in layers),
        ),
    )
    media_type = media.LAYERS[compression]
    manifest = dump_manifest(
        Manifest(
            config=describe(media.CONFIG, config),
            layers=tuple(
                Descriptor(media_type=built.media_type or media_type, digest=built.layer.digest, size=built.layer.size)
                for built in layers
            ),
            annotations=annotations,
        ),
    )
    plain = describe(media.MANIFEST, manifest)
    return BuiltPlatform(
        platform=platform,
        layers=layers,
        config=config,
        manifest=manifest,
        descriptor=Descriptor(media_type=plain.media_type, digest=plain.digest, size=plain.size, platform=platform),
    )


def _history(built: BuiltLayer) -> str:
    if built.media_type:
        return f"airflow-kubler {built.name}: {built.layer.digest}, as it is"
    return f"airflow-kubler {built.name}: {' '.join(source.name for source in built.parts.sources)}"


def _annotations(stack: StackLock) -> tuple[tuple[str, str], ...]:
    values = {
        "org.opencontainers.image.created": format_time(stack.created),
        "org.opencontainers.image.description": stack.description,
        "org.opencontainers.image.title": f"airflow-{stack.stack}",
        "org.opencontainers.image.version": stack.airflow_version,
    }
    return tuple(sorted((key, value) for key, value in values.items() if value))
