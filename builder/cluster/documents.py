"""What `kubectl get ... -o json` printed: lists and single objects, one document after another, in files or on standard input."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from builder.errors import ClusterError, InvalidInputError

_WAY_OUT: Final = "give what `kubectl get pods -o json` prints"


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """What was printed."""

    data: bytes
    """Untrusted."""
    file: str
    """For errors."""


def iter_objects(document: Document) -> Iterator[object]:
    """Iterate over the objects that a document holds; lists are taken apart.

    Raises:
        ClusterError: it is empty or an error of kubectl: nothing is known about what runs.
        InvalidInputError: it is not what kubectl prints.
    """
    text = document.data.decode("utf-8", "replace").lstrip("\ufeff \t\r\n")
    if not text:
        raise ClusterError("is empty: kubectl said nothing", context=document.file, hint=_WAY_OUT)
    decoder = json.JSONDecoder()
    position = 0
    while position < len(text):
        try:
            value, end = decoder.raw_decode(text, position)
        except (ValueError, RecursionError) as error:
            where = f"{document.file}: byte {position}" if position else document.file
            raise InvalidInputError(f"is not JSON: {str(error)[:120]}", context=where, hint=_WAY_OUT) from error
        yield from _take_apart(value, document.file)
        position = len(text) - len(text[end:].lstrip())


def _take_apart(value: object, file: str) -> Iterator[object]:
    if not isinstance(value, dict) or not isinstance(value.get("kind"), str):
        raise InvalidInputError("is no object of Kubernetes", context=file, hint=_WAY_OUT)
    kind = value["kind"]
    if kind == "Status":
        said = value.get("message")
        raise ClusterError(f"is an error of kubectl: {str(said)[:200]}", context=file)
    if not kind.endswith("List"):
        yield value
        return
    items = value.get("items")
    if not isinstance(items, list):
        raise InvalidInputError(f"is a {kind[:80]} without items", context=file, hint=_WAY_OUT)
    metadata = value.get("metadata")
    if isinstance(metadata, dict) and metadata.get("continue"):
        raise InvalidInputError("is one page of a longer list", context=file, hint="leave --chunk-size to kubectl")
    for item in items:
        yield with_kind(item, kind)


def with_kind(item: object, list_kind: str) -> object:
    """Give an item the kind that its list has: the API leaves it out of items."""
    if isinstance(item, dict) and "kind" not in item and list_kind != "List":
        return {**item, "kind": list_kind.removesuffix("List")}
    return item


class PrintedCluster:
    """A Cluster of what was printed: nothing can be asked for anew, nor run.

    Args:
        name: of the cluster.
        documents: what was printed.
    """

    def __init__(self, name: str, documents: Sequence[Document]) -> None:
        self.name = name
        self.context = ""
        self._documents = tuple(documents)

    def objects(self, namespaces: Sequence[str]) -> Iterator[object]:
        """Iterate over all that was printed of some namespaces; all where none are named."""
        for document in self._documents:
            for value in iter_objects(document):
                place = _namespace(value)
                # What has no namespace is no pod that can be passed over: it is told as one that cannot be read.
                if not namespaces or place in namespaces or not isinstance(place, str):
                    yield value

    def notes(self) -> tuple[str, ...]:
        """List nothing: what was not printed was not asked for."""
        return ()

    def run(self, namespace: str, pod: str, container: str, command: Sequence[str]) -> bytes:
        """Refuse: what was printed runs nothing."""
        del container, command
        raise ClusterError(
            "what kubectl printed runs nothing",
            context=f"{namespace}/{pod}",
            hint="ask the cluster itself, without files",
        )


def _namespace(value: object) -> object:
    metadata = value.get("metadata") if isinstance(value, dict) else None
    return metadata.get("namespace") if isinstance(metadata, dict) else None
