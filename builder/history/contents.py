"""What is in an image: distributions and Debian packages, by its locks; where these are not at hand, by its own history."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from builder.history.image import ImageRecord
from builder.history.items import ItemKind, items_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Something in an image."""

    name: str
    version: str
    size: int
    """Bytes of its largest file over the platforms; 0 where that is not known."""
    platforms: tuple[str, ...]
    """Those that have it; empty for all of the image's."""
    digest: str = ""
    """Of its file, where all platforms have the same."""


def distributions_of(record: ImageRecord) -> tuple[Row, ...]:
    """List the distributions of an image, by project."""
    names = [image.platform.name for image in record.platforms]
    if record.lock is None:
        return _by_history(record, ItemKind.DISTRIBUTION)
    rows = []
    for candidate in record.lock.candidates:
        files = {name: file for name, file in candidate.wheels.items() if not names or name in names}
        if files:
            hashes = {file.sha256.hex for file in files.values()}
            rows.append(
                Row(
                    name=candidate.project,
                    version=candidate.version,
                    size=max(file.size for file in files.values()),
                    platforms=() if len(files) == (len(names) or len(record.lock.platforms)) else tuple(sorted(files)),
                    digest=hashes.pop() if len(hashes) == 1 else "",
                )
            )
    return tuple(rows)


def debs_of(record: ImageRecord) -> tuple[Row, ...]:
    """List the Debian packages of an image, by package."""
    base = record.base
    if base is None:
        return _by_history(record, ItemKind.DEB)
    names = tuple(image.platform.name for image in record.platforms)
    found = [
        (deb.package, deb.version, deb.file.size, tuple(one.name for one in deb.platforms if one.name in names))
        for deb in base.debs
    ]
    for image in base.images:
        if image.platform.name in names:
            found += [(*_split(text), 0, (image.platform.name,)) for text in image.packages]
    return _join(found, names)


def _split(text: str) -> tuple[str, str]:
    name, _, version = text.partition("=")
    return name, version


def _by_history(record: ImageRecord, kind: ItemKind) -> tuple[Row, ...]:
    names = tuple(image.platform.name for image in record.platforms)
    found = [
        (item.name, item.version, 0, (view.platform.name,))
        for view in record.views()
        for layer in view.layers
        for item in items_of(layer).values()
        if item.kind is kind
    ]
    return _join(found, names)


def _join(found: Iterable[tuple[str, str, int, tuple[str, ...]]], names: tuple[str, ...]) -> tuple[Row, ...]:
    """Put the platforms of one name and version together."""
    sizes: dict[tuple[str, str], int] = {}
    platforms: dict[tuple[str, str], set[str]] = {}
    for name, version, size, where in found:
        sizes[name, version] = max(size, sizes.get((name, version), 0))
        platforms.setdefault((name, version), set()).update(where)
    return tuple(
        Row(
            name=name,
            version=version,
            size=sizes[name, version],
            platforms=() if where == set(names) else tuple(sorted(where)),
        )
        for (name, version), where in sorted(platforms.items())
        if where
    )
