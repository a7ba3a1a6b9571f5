"""What stands in a layer, by the history of its config, and what decides about the bytes of each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from builder.history.causes import CauseKind
from builder.history.image import ImageRecord
from builder.image.view import LayerView
from builder.lock.model import BaseLock, StackLock
from builder.platform import Platform


class ItemKind(StrEnum):
    """What sort of thing a layer holds."""

    DISTRIBUTION = "distribution"
    DEB = "deb"
    DECLARED = "declared"
    """What the base declares in the place of maintainer scripts."""
    CONTRACT = "contract"
    FILES = "files"
    """The stack's own."""
    FOREIGN = "foreign"
    """A layer of the image that a base is."""


@dataclass(frozen=True, slots=True, order=True)
class Item:
    """One thing in a layer."""

    kind: ItemKind
    name: str
    version: str
    """Of a distribution or deb; of a foreign layer, its digest."""


def items_of(layer: LayerView | None) -> dict[tuple[ItemKind, str], Item]:
    """Read what a layer holds, by kind and name; nothing of no layer."""
    if layer is None:
        return {}
    if layer.contents[1:] == ("as", "it", "is"):
        return {(ItemKind.FOREIGN, layer.name): Item(ItemKind.FOREIGN, layer.name, layer.contents[0].rstrip(","))}
    items = [_parse(text) for text in layer.contents]
    return {(item.kind, item.name): item for item in items}


def _parse(text: str) -> Item:
    name, equals, version = text.partition("==")
    if equals:
        return Item(ItemKind.DISTRIBUTION, name, version)
    name, equals, version = text.partition("=")
    if equals:
        return Item(ItemKind.DEB, name, version)
    if text == "files":
        return Item(ItemKind.FILES, text, "")
    kind = ItemKind.DECLARED if text.startswith("base:") else ItemKind.CONTRACT
    return Item(kind, text, "")


def tell_move(name: str, before: Item | None, after: Item | None) -> str:
    """Tell what became of something, where no lock is at hand to say it."""
    if before is None or after is None:
        return f"{name} {after.version} is new" if after else f"{name} {before.version if before else ''} is gone"
    return f"{name} {before.version} -> {after.version}"


def explain_kept(
    item: Item, platform: Platform, records: tuple[ImageRecord, ImageRecord]
) -> Iterator[tuple[CauseKind, str]]:
    """Name what may have changed the bytes of something whose name and version stayed."""
    (old, old_base), (new, new_base) = ((record.lock, record.base) for record in records)
    if old is None or new is None or old_base is None or new_base is None:
        return
    match item.kind:
        case ItemKind.DISTRIBUTION:
            if _wheel(old, item, platform) != _wheel(new, item, platform):
                yield CauseKind.DISTRIBUTION, item.name
            yield from _of_interpreter(old_base, new_base, platform)
        case ItemKind.DEB:
            yield from _of_deb(item, old_base, new_base, platform)
        case ItemKind.DECLARED:
            yield from ((CauseKind.BASE, "files"), (CauseKind.DEB, "ca-certificates"))
        case ItemKind.FILES:
            yield CauseKind.FILES, "files"
        case ItemKind.CONTRACT | ItemKind.FOREIGN:
            yield from _of_interpreter(old_base, new_base, platform)


def _of_deb(item: Item, old: BaseLock, new: BaseLock, platform: Platform) -> Iterator[tuple[CauseKind, str]]:
    if _debs(old, item, platform) != _debs(new, item, platform):
        yield CauseKind.DEB, item.name
    yield CauseKind.BASE, "exclude"
    if item.name.startswith((f"python{new.base.python}-", f"libpython{new.base.python}-")):
        yield from _of_interpreter(old, new, platform)


def _of_interpreter(old: BaseLock, new: BaseLock, platform: Platform) -> Iterator[tuple[CauseKind, str]]:
    """What compiles bytecode, and where it lies."""
    minor = ".".join(new.python_version.split(".")[:2])
    yield CauseKind.PYTHON, ""
    # Another revision of the same Python may compile to other bytecode: layers that differ for no other reason say so.
    yield CauseKind.DEB, f"python{minor}-minimal"
    images = [base.image_for(platform) for base in (old, new)]
    facts = [image and (image.python, image.python_build, image.init, image.passwd) for image in images]
    if facts[0] != facts[1]:
        yield CauseKind.BASE, "image"


def _wheel(lock: StackLock, item: Item, platform: Platform) -> str:
    return next(
        (
            candidate.wheels[platform.name].sha256.hex
            for candidate in lock.candidates
            if (candidate.project, candidate.version) == (item.name, item.version) and platform.name in candidate.wheels
        ),
        "",
    )


def _debs(base: BaseLock, item: Item, platform: Platform) -> tuple[str, ...]:
    return tuple(
        deb.file.sha256.hex
        for deb in base.debs
        if (deb.package, deb.version) == (item.name, item.version) and platform in deb.platforms
    )
