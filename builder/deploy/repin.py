"""Texts of ConfigMaps with Airflow's image put in: pod templates and airflow.cfg. All else in them stays as it was written.

kustomize's `images` reaches fields of containers only, and a pod template in a ConfigMap is a text to it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from contextlib import suppress
from typing import Final

from builder.deploy.executor import REPOSITORY, TAG
from builder.deploy.image_name import parse_image_name
from builder.deploy.manifest import Array, ManifestSyntaxError, Node, Object, Scalar, parse_manifest
from builder.deploy.options import Patch
from builder.deploy.texts import looks_structured
from builder.deploy.yaml_text import quote_yaml

_OPTION: Final = re.compile(rf"^(?P<lead>(?P<option>{REPOSITORY}|{TAG})[ \t]*[=:])[^\n]*$", re.MULTILINE)


def find_patches(
    documents: Collection[Node], names: Collection[str], reference: str, worker: tuple[str, str], *, file: str
) -> Iterator[Patch]:
    """List the ConfigMaps' texts that name one of some images, each with ours in its place.

    Args:
        documents: of a file.
        names: repositories whose images are replaced, complete with registry.
        reference: of our image.
        worker: what the executor's two options shall say.
        file: for errors.
    """
    for node in _iter_config_maps(documents):
        about = node.object("metadata")
        for key, value in node.object("data").values.items():
            if not isinstance(value, Scalar):
                continue
            text = _put_in(key, value.text, names, reference, worker, file)
            if text != value.text:
                yield Patch(config_map=about.text("name"), namespace=about.text("namespace"), key=key, text=text)


def _iter_config_maps(documents: Collection[Node]) -> Iterator[Object]:
    for node in documents:
        if not isinstance(node, Object):
            continue
        items = node.values.get("items")
        if node.text("kind").endswith("List") and isinstance(items, Array):
            yield from _iter_config_maps(items.values)
        elif node.text("kind") == "ConfigMap":
            yield node


def _put_in(key: str, text: str, names: Collection[str], reference: str, worker: tuple[str, str], file: str) -> str:
    documents: tuple[Node, ...] = ()
    if looks_structured(key, text):
        with suppress(ManifestSyntaxError):  # settings may begin as JSON does
            documents = parse_manifest(text, file=f"{file}: {key}")
    spans = sorted(span for node in documents for span in _iter_spans(node, names))
    for start, end in reversed(spans):
        text = f"{text[:start]}{quote_yaml(reference)}{text[end:]}"
    if documents:
        return text
    said = dict(zip((REPOSITORY, TAG), worker, strict=True))
    return _OPTION.sub(lambda found: f"{found['lead']} {said[found['option']]}".rstrip(), text)


def _iter_spans(node: Node, names: Collection[str]) -> Iterator[tuple[int, int]]:
    """List where the images of containers stand that are to be replaced, in characters."""
    if isinstance(node, Array):
        for item in node.values:
            yield from _iter_spans(item, names)
    elif isinstance(node, Object):
        image = node.values.get("image")
        if isinstance(image, Scalar) and image.end:
            name = parse_image_name(image.text)
            if name is not None and name.repository in names:
                yield image.start, image.end
        for value in node.values.values():
            if not isinstance(value, Scalar):
                yield from _iter_spans(value, names)
