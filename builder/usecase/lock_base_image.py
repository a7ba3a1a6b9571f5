"""Lock a base that is an image: its layers go into the store by digest, its Python is found and checked, nothing is run.

The same digest gives the same lock, wherever the image was pulled from.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

from builder.digest import Digest
from builder.errors import InvalidInputError, StackError
from builder.image.base_facts import BaseFacts, Image, find_facts
from builder.image.base_layers import iter_file
from builder.image.base_tree import read_tree
from builder.lock.base_image import layer_name
from builder.lock.model import BaseLock, LockedFile, LockedImage, LockedLayer
from builder.oci import media
from builder.oci.descriptor import Descriptor, verify_bytes
from builder.oci.fields import MAX_DOCUMENT_BYTES, Fields, parse_object
from builder.platform import PLATFORMS, Platform
from builder.registry.documents import MANIFESTS, media_type_of
from builder.registry.model import ManifestBytes
from builder.stack.inputs import base_inputs_digest
from builder.stack.model import Base, ImageOrigin
from builder.store.model import FileStore

_DOCKER_LAYERS: Final = {
    "application/vnd.docker.image.rootfs.diff.tar.gzip": media.LAYER_GZIP,
    "application/vnd.docker.image.rootfs.diff.tar": media.LAYER_TAR,
}


class ImageSource(Protocol):
    """Where an image lies: a registry or a layout."""

    def root(self) -> ManifestBytes:
        """Read its manifest or index, checked against the digest that the base names."""

    def blob(self, descriptor: Descriptor) -> Iterator[bytes]:
        """Iterate over a blob or a child manifest; raises where the whole is not what the descriptor says."""


class LayerStore(FileStore, Protocol):
    """A store of files that streams go into."""

    def add_stream(self, chunks: Iterable[bytes], expected: LockedFile | None = None) -> Digest:
        """Keep a stream that must be the expected file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """One platform's image."""

    manifest: Digest
    layers: tuple[LockedLayer, ...]
    created: int


def lock_image_base(
    base: Base, source: ImageSource, files: LayerStore, say: Callable[[str], object] = lambda _: None
) -> BaseLock:
    """Lock a base that is an image.

    Args:
        base: with `[image]` or `[dockerfile]`.
        source: where the image lies.
        files: takes its layers.
        say: told what is done.

    Raises:
        StackError: the image lacks a platform, or nothing of ours can stand on it.
        IntegrityError: a document or a layer is refused.
        RegistryError: it cannot be pulled.
    """
    where = f"base {base.name}"
    root = source.root()
    found = {
        platform: _read_image(source, descriptor, platform, where)
        for platform, descriptor in _choose(root, base, source).items()
    }
    images, facts = [], []
    for platform, image in sorted(found.items()):
        here = f"{where}: {platform}"
        say(f"{here}: {sum(layer.file.size for layer in image.layers) / 1e6:.0f} MB in {len(image.layers)} layers")
        _keep_layers(image.layers, source, files)
        fact = _look(image, platform, files, base, here)
        facts.append(fact)
        images.append(
            LockedImage(
                platform=platform,
                manifest=image.manifest,
                layers=image.layers,
                python=fact.python,
                python_build=fact.python_build,
                init=fact.init,
                passwd=fact.passwd,
                packages=fact.packages,
            )
        )
    return BaseLock(
        name=base.name,
        inputs=base_inputs_digest(base),
        release=_same([fact.release for fact in facts], "release", where),
        python_version=_same([fact.python_version for fact in facts], "Python", where),
        glibc=_same([fact.glibc for fact in facts], "glibc", where),
        created=max(image.created for image in found.values()),
        releases=(),
        debs=(),
        base=without_places(base),
        images=tuple(images),
    )


def without_places(base: Base) -> Base:
    """Take out of a base what no lock says: where its image is pulled from."""
    return replace(base, image=ImageOrigin(digest=base.image.digest)) if base.image else base


def _choose(root: ManifestBytes, base: Base, source: ImageSource) -> Mapping[Platform, Descriptor]:
    """Find the manifest of each of the base's platforms."""
    context = f"base {base.name}"
    if root.media_type in MANIFESTS:
        platform = _config_platform(root.data, source, context)
        available = {platform.name: root.descriptor} if platform else {}
    else:
        available = _children(root.data, context)
    missing = [platform.name for platform in base.platforms if platform.name not in available]
    if missing:
        has = ", ".join(sorted(available)) or "none that images are built for"
        raise StackError(
            f"the image is not for {', '.join(missing)}; it is for {has}",
            context=f"stacks/bases/{base.name}.toml",
            hint="state the platforms that it has as platforms, or take another image",
        )
    return {platform: available[platform.name] for platform in base.platforms}


def _children(data: bytes, context: str) -> dict[str, Descriptor]:
    found: dict[str, Descriptor] = {}
    for entry in Fields(parse_object(data, context=context), context=f"{context}: index").objects("manifests"):
        if entry.optional_text("mediaType") not in MANIFESTS or not entry.has("platform"):
            continue
        of = entry.child("platform")
        name = f"{of.optional_text('os')}/{of.optional_text('architecture')}"
        # An attestation of BuildKit calls itself unknown/unknown; amd64's variants are programs for newer machines only.
        if name in PLATFORMS and (of.optional_text("variant") in {"", "v8"}):
            descriptor = Descriptor(
                media_type=entry.text("mediaType"), digest=entry.digest("digest"), size=entry.count("size")
            )
            found.setdefault(name, descriptor)
    return found


def _config_platform(data: bytes, source: ImageSource, context: str) -> Platform | None:
    config = _config(data, source, context)
    return PLATFORMS.get(f"{config.optional_text('os')}/{config.optional_text('architecture')}")


def _config(manifest: bytes, source: ImageSource, context: str) -> Fields:
    child = Fields(parse_object(manifest, context=context), context=f"{context}: manifest").child("config")
    descriptor = _descriptor(child)
    return Fields(parse_object(_read(source, descriptor, context), context=context), context=f"{context}: config")


def _read(source: ImageSource, descriptor: Descriptor, context: str) -> bytes:
    if descriptor.size > MAX_DOCUMENT_BYTES:
        raise InvalidInputError(
            f"{descriptor.digest} has {descriptor.size} bytes; a manifest or config has at most {MAX_DOCUMENT_BYTES}",
            context=context,
        )
    return verify_bytes(descriptor, b"".join(source.blob(descriptor)))


def _descriptor(fields: Fields) -> Descriptor:
    return Descriptor(media_type=fields.text("mediaType"), digest=fields.digest("digest"), size=fields.count("size"))


def _read_image(source: ImageSource, descriptor: Descriptor, platform: Platform, where: str) -> _Found:
    context = f"{where}: {platform}"
    data = _read(source, descriptor, context)
    media_type_of(data, descriptor.media_type, context=context)
    config = _config(data, source, context)
    said = f"{config.optional_text('os')}/{config.optional_text('architecture')}"
    if said != platform.name:
        raise StackError(f"its config says {said}", context=context)
    descriptors = [
        _descriptor(item) for item in Fields(parse_object(data, context=context), context=context).objects("layers")
    ]
    diff_ids = config.child("rootfs").texts("diff_ids")
    if len(diff_ids) != len(descriptors) or not descriptors:
        raise StackError(f"{len(diff_ids)} diff_ids for {len(descriptors)} layers", context=context)
    return _Found(
        manifest=descriptor.digest,
        layers=tuple(_layer(layer, diff_id, context) for layer, diff_id in zip(descriptors, diff_ids, strict=True)),
        created=_time(config.optional_text("created")),
    )


def _layer(descriptor: Descriptor, diff_id: str, context: str) -> LockedLayer:
    media_type = _DOCKER_LAYERS.get(descriptor.media_type, descriptor.media_type)
    if media_type not in media.COMPRESSION_OF:
        raise StackError(
            f"a layer of kind {descriptor.media_type}", context=context, hint="layers are tar, plain, gzip or zstd"
        )
    name = layer_name(descriptor.digest)
    file = LockedFile(name=name, size=descriptor.size, sha256=descriptor.digest)
    return LockedLayer(media_type=media_type, file=file, diff_id=Digest.parse(diff_id))


def _time(text: str) -> int:
    """Read when an image was made; 0 where it does not say, or says nonsense."""
    try:
        made = dt.datetime.fromisoformat(text) if text else dt.datetime.fromtimestamp(0, dt.UTC)
        # Without a zone it would be this machine's, and the lock another one elsewhere.
        return max(0, int((made if made.tzinfo else made.replace(tzinfo=dt.UTC)).timestamp()))
    except (ValueError, OverflowError):
        return 0


def _keep_layers(layers: Sequence[LockedLayer], source: ImageSource, files: LayerStore) -> None:
    for layer in layers:
        if not files.has(layer.file.sha256):
            descriptor = Descriptor(media_type=layer.media_type, digest=layer.file.sha256, size=layer.file.size)
            files.add_stream(source.blob(descriptor), layer.file)


def _look(image: _Found, platform: Platform, files: FileStore, base: Base, where: str) -> BaseFacts:
    def open_layer(file: LockedFile) -> Iterator[bytes]:
        return iter_file(files, file)

    tree = read_tree(image.layers, open_layer, where=where)
    whole = Image(tree=tree, layers=image.layers, open_layer=open_layer, platform=platform, where=where)
    return find_facts(whole, minor=base.python, python_path=base.python_path)


def _same(values: Sequence[str], what: str, where: str) -> str:
    if len(set(values)) != 1:
        raise StackError(f"its platforms have different {what}: {', '.join(sorted(set(values)))}", context=where)
    return values[0]
