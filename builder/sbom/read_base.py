"""Facts of a base that is an image: its Debian packages and Python distributions, read from its layers once."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, Final

from builder.canonical import dump_json
from builder.digest import Digest
from builder.image.base_layers import ensure_tree, iter_file
from builder.image.base_tree import BaseTree, read_contents
from builder.licence.debian import parse_copyright
from builder.licence.model import Licence
from builder.lock.model import BaseLock, LockedImage
from builder.sbom.facts import (
    BaseFacts,
    DebFacts,
    SystemFacts,
    carried_from_list,
    carried_to_list,
    deb_from_dict,
    deb_to_dict,
    system_from_list,
    system_to_list,
)
from builder.sbom.kept import keep
from builder.sbom.nested import find_carried, names_package
from builder.sbom.read_deb import DEBIAN_VERSION, DOCS, OS_RELEASE, control_facts, system_facts
from builder.store.model import ArtefactStore, FileStore

_STATUS: Final = "var/lib/dpkg/status"
_MOST: Final = 64 << 20
"""Bytes of one file that is read here."""
_FIELD: Final = re.compile(r"^([A-Za-z-]+):[ \t]*(.*)$", re.MULTILINE)
_WANTED: Final = ("Package", "Version", "Architecture")
Found = tuple[BaseFacts, SystemFacts | None]


def base_facts(image: LockedImage, base: BaseLock, files: FileStore, artefacts: ArtefactStore) -> Found:
    """Read what a base's layers hold for one platform, or recall it.

    Raises:
        MissingBlobError: the store does not hold a layer.
        IntegrityError: one is refused.
    """

    def read() -> Found:
        where = f"base {base.name}"
        tree = ensure_tree(image, files, artefacts, where=where)
        wanted = {real for path in _wanted(tree) if (real := tree.find_file(path))}
        open_layer = partial(iter_file, files)
        contents = dict(read_contents(tree, image.layers, open_layer, wanted, where=where, most=_MOST))
        return read_base(tree, contents)

    layers = Digest.of(dump_json([layer.file.sha256.hex for layer in image.layers])).hex
    return keep(f"base-{layers}", artefacts, read, _to_dict, _from_dict)


def read_base(tree: BaseTree, contents: Mapping[str, bytes]) -> Found:
    """Read a base from its tree and the files that may matter, by path with links followed."""

    def read_text(path: str) -> str:
        real = tree.find_file(path)
        return contents.get(real, b"").decode("utf-8", "replace") if real else ""

    folder = [path for path in sorted(contents) if path.startswith(f"{_STATUS}.d/") and not path.endswith(".md5sums")]
    paragraphs = [text for path in (_STATUS, *folder) for text in read_text(path).split("\n\n")]
    debs = {(one.package, one.architecture): one for one in _iter_debs(paragraphs, read_text)}
    readers = {path: partial(bytes, contents[path]) for path in contents if names_package(path)}
    return (
        BaseFacts(
            debs=tuple(debs[key] for key in sorted(debs)),
            distributions=find_carried(readers, own=()),
        ),
        system_facts(read_text),
    )


def _wanted(tree: BaseTree) -> Iterator[str]:
    yield from (*OS_RELEASE, DEBIAN_VERSION, _STATUS)
    for path, node in tree.nodes.items():
        copyright_file = path.startswith(f"{DOCS}/") and path.endswith("/copyright")
        if node.size <= _MOST and (copyright_file or path.startswith(f"{_STATUS}.d/") or names_package(path)):
            yield path


def _iter_debs(paragraphs: list[str], read_text: Any) -> Iterator[DebFacts]:
    for paragraph in paragraphs:
        fields: dict[str, str] = dict(_FIELD.findall(paragraph))
        installed = fields.get("Status", "install ok installed").endswith(" installed")
        if not installed or not all(fields.get(key) for key in _WANTED):
            continue
        source = fields.get("Source", fields["Package"]).split()[0]
        text = read_text(f"{DOCS}/{fields['Package']}/copyright")
        licence = parse_copyright(text.encode(), source=source) if text else Licence()
        yield control_facts(fields, licence)


def _to_dict(found: Found) -> dict[str, Any]:
    facts, system = found
    return {
        "debs": [deb_to_dict(deb) for deb in facts.debs],
        "distributions": carried_to_list(facts.distributions),
        "system": system_to_list(system),
    }


def _from_dict(value: dict[str, Any]) -> Found:
    facts = BaseFacts(
        debs=tuple(deb_from_dict(deb) for deb in value["debs"]),
        distributions=carried_from_list(value["distributions"]),
    )
    return facts, system_from_list(value["system"])
