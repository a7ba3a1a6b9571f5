"""One image, as its documents tell: index, manifests, configs, and the locks that it was made from.

Documents are found by their digests, so what is read here is what was built. What is not at hand is said, with the reason.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from builder.digest import Digest
from builder.errors import BuilderError, IntegrityError
from builder.image.contract import LOCK_LABEL, STACK_LABEL
from builder.image.view import PlatformView, view_platform
from builder.ledger.entry import Entry
from builder.ledger.events import Built
from builder.lock.model import BaseLock, StackLock
from builder.oci.config import parse_config
from builder.oci.descriptor import Descriptor, verify_bytes
from builder.oci.index import parse_index
from builder.oci.layout import PlatformImage
from builder.oci.manifest import Manifest, parse_manifest
from builder.platform import Platform

ReadDocument = Callable[[Digest], bytes | None]
"""Reads a document by its digest; None where it is not at hand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRecord:
    """An image and what is known of it."""

    name: str
    """As it was asked for, or its short digest."""
    digest: str
    """Of its index, as `sha256:...`."""
    stack: str
    lock_digest: str
    index_size: int
    """Bytes of the index; 0 where it is not at hand."""
    platforms: tuple[PlatformImage, ...]
    """By platform; empty where its documents are not at hand."""
    lock: StackLock | None
    base: BaseLock | None
    missing: tuple[str, ...] = ()
    """What of it is not at hand, and why."""
    entry: Entry | None = None
    """Of its build; None where the ledger has none."""
    built: Built | None = None

    @property
    def short(self) -> str:
        """Name it in a few letters: `cc9974d5cd82`."""
        return short_digest(self.digest)

    def views(self) -> tuple[PlatformView, ...]:
        """Read its layers, platform by platform."""
        return tuple(view_platform(image) for image in self.platforms)

    def platform(self, platform: Platform) -> PlatformImage | None:
        """Find what one platform has."""
        return next((image for image in self.platforms if image.platform == platform), None)


def short_digest(digest: str) -> str:
    """Cut a digest to the letters that people compare.

    >>> short_digest("sha256:cc9974d5cd82aaaa")
    'cc9974d5cd82'
    """
    return digest.removeprefix("sha256:")[:12]


def read_record(
    built: Built, entry: Entry, read: ReadDocument, *, name: str = "", like: ImageRecord | None = None
) -> ImageRecord:
    """Read what a ledger keeps of a build.

    Args:
        built: the build.
        entry: that tells of it.
        read: gives documents.
        name: what it was asked for by.
        like: an image that may be of the same locks, which then are not read again.
    """
    missing: list[str] = []
    index_size, platforms, gone = read_platforms(built, read)
    missing += gone
    if like is not None and like.lock is not None and like.lock_digest == built.lock:
        lock: StackLock | None = like.lock
    else:
        lock = _read_lock(built.lock, read, missing)
    if (
        like is not None
        and like.lock is not None
        and like.base is not None
        and str(like.lock.base_lock) == built.base_lock
    ):
        base: BaseLock | None = like.base
    else:
        base = _read_base(built.base_lock, built.base, read, missing)
    return ImageRecord(
        name=name or short_digest(built.digest),
        digest=built.digest,
        stack=built.stack,
        lock_digest=built.lock,
        index_size=index_size,
        platforms=platforms,
        lock=lock,
        base=base,
        missing=tuple(missing),
        entry=entry,
        built=built,
    )


def record_of(
    platforms: tuple[PlatformImage, ...], digest: str, index_size: int, read: ReadDocument, *, name: str
) -> ImageRecord:
    """Tell of an image that no build is recorded of, by its own documents; locks by the digests that it states.

    Raises:
        IntegrityError: it does not say which stack and lock it is of.
    """
    labels = dict(platforms[0].config.run.labels) if platforms else {}
    stack, lock_digest = labels.get(STACK_LABEL, ""), labels.get(LOCK_LABEL, "")
    if not stack or not lock_digest:
        raise IntegrityError(
            "does not say which lock it was built from", context=name, hint="name an image that airflow-kubler built"
        )
    missing: list[str] = []
    lock = _read_lock(lock_digest, read, missing)
    return ImageRecord(
        name=name,
        digest=digest,
        stack=stack,
        lock_digest=lock_digest,
        index_size=index_size,
        platforms=tuple(sorted(platforms, key=lambda image: image.platform)),
        lock=lock,
        base=_read_base(str(lock.base_lock), lock.base, read, missing) if lock else None,
        missing=tuple(missing),
    )


def read_platforms(built: Built, read: ReadDocument) -> tuple[int, tuple[PlatformImage, ...], tuple[str, ...]]:
    """Read an image's own documents: the size of its index, its platforms, and what is not at hand."""
    missing: list[str] = []
    data = _read(built.digest, "its index", read, missing)
    found = []
    try:
        for descriptor in parse_index(data).manifests if data is not None else ():
            manifest_data = _read(str(descriptor.digest), "the manifest", read, missing)
            if manifest_data is None or descriptor.platform is None:
                continue
            manifest = parse_manifest(verify_bytes(descriptor, manifest_data))
            config_data = _read(str(manifest.config.digest), "the config", read, missing)
            if config_data is not None:
                found.append(_platform(descriptor.platform, descriptor, manifest, config_data))
    except BuilderError as error:
        missing.append(f"its documents cannot be read: {error}")
    return len(data or b""), tuple(sorted(found, key=lambda image: image.platform)), tuple(missing)


def _platform(platform: Platform, descriptor: Descriptor, manifest: Manifest, data: bytes) -> PlatformImage:
    config = parse_config(verify_bytes(manifest.config, data))
    if config.platform != platform or len(config.diff_ids) != len(manifest.layers):
        raise IntegrityError("config and manifest are not of one image", context=str(descriptor.digest))
    return PlatformImage(platform=platform, descriptor=descriptor, manifest=manifest, config=config)


def _read_lock(digest: str, read: ReadDocument, missing: list[str]) -> StackLock | None:
    from builder.lock.pylock import parse_stack_lock

    data = _read(digest, "its lock", read, missing)
    try:
        return parse_stack_lock(data, file=f"lock {short_digest(digest)}") if data is not None else None
    except BuilderError as error:
        missing.append(f"its lock cannot be read by this program: {error}")
        return None


def _read_base(digest: str, name: str, read: ReadDocument, missing: list[str]) -> BaseLock | None:
    from builder.lock.base import parse_base_lock

    data = _read(digest, f"the lock of its base {name}", read, missing)
    try:
        return parse_base_lock(data, file=f"base lock {short_digest(digest)}") if data is not None else None
    except BuilderError as error:
        missing.append(f"the lock of its base cannot be read by this program: {error}")
        return None


def _read(digest: str, what: str, read: ReadDocument, missing: list[str]) -> bytes | None:
    data = read(Digest.parse(digest))
    if data is None:
        missing.append(f"{what} {short_digest(digest)} is not in the ledger")
    return data
