"""Manifests as trees: YAML of many documents, or JSON, read within bounds whoever wrote them.

- Nothing is constructed: scalars stay texts, so that `tag: 1.10` is `1.10`. Tags other than YAML's own are refused.
- A file is at most 32 MiB; nesting, documents and values are counted while reading. Aliases stay shared and are counted unfolded: a
  bomb is refused before anything walks it. An alias within its own value is refused.
- A key that stands twice is refused: readers differ in which they take.
- What is wrong is told by file and line, never by what stands there: a Secret may.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NoReturn, TypeAlias

import yaml

from builder.errors import InvalidInputError

MAX_BYTES: Final = 32 << 20
MAX_DEPTH: Final = 200
MAX_VALUES: Final = 1_000_000
"""Unfolded, in one file."""
MAX_DOCUMENTS: Final = 20_000
_LOADER: Final[type[Any]] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_YAML_TAGS: Final = frozenset(
    {f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "null", "map", "seq", "timestamp")} | {"!"}
)
_NOTHING: Final = frozenset({"", "~", "null", "Null", "NULL"})


class ManifestError(InvalidInputError):
    """A manifest cannot be read, or is not to be trusted with reading."""


class ManifestSyntaxError(ManifestError):
    """It is neither YAML nor JSON, or says a thing twice: what stands within a text may be so and do no harm."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scalar:
    """A value that is one text."""

    text: str
    is_null: bool = False
    line: int = 0
    """From 1; 0 where it is not known."""
    start: int = 0
    """Where it begins in the text that was read, in characters; with `end`, 0 where not known."""
    end: int = 0
    literal: bool = False
    """Its lines stand as they are from the next line on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Object:
    """A mapping, in the order written."""

    values: Mapping[str, Node]
    line: int = 0
    count: int = 1
    """Of values in it and below, unfolded."""

    def text(self, key: str) -> str:
        """Read a text; empty where there is none."""
        value = self.values.get(key)
        return value.text if isinstance(value, Scalar) and not value.is_null else ""

    def object(self, key: str) -> Object:
        """Read an object; an empty one where there is none."""
        value = self.values.get(key)
        return value if isinstance(value, Object) else _EMPTY


@dataclass(frozen=True, slots=True, kw_only=True)
class Array:
    """A list."""

    values: tuple[Node, ...]
    line: int = 0
    count: int = 1


Node: TypeAlias = Scalar | Object | Array
_EMPTY: Final = Object(values={})


@dataclass(slots=True)
class _Open:
    """A collection that is being read."""

    is_object: bool
    anchor: str | None
    line: int
    children: list[Node] = field(default_factory=list)
    count: int = 1


def parse_manifest(text: str, *, file: str) -> tuple[Node, ...]:
    """Read all documents of a file; empty ones are left out.

    Args:
        text: untrusted.
        file: what to call it in errors.

    Raises:
        ManifestError: it is refused.
        ManifestSyntaxError: it cannot be read.
    """
    if len(text) > MAX_BYTES:
        raise ManifestError(f"is longer than {MAX_BYTES >> 20} MiB", context=file, hint="give it in several files")
    if text.lstrip()[:1] in {"{", "["}:
        try:
            return (_parse_json(text, file),)
        except json.JSONDecodeError:
            pass  # YAML may begin so as well
    try:
        return tuple(_Reader(file).iter_documents(text))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{file}:{mark.line + 1}" if mark is not None else file
        problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "unreadable"
        raise ManifestSyntaxError(f"is neither YAML nor JSON: {problem}", context=where) from None


class _Reader:
    """Puts trees together from YAML's events, without recursion."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._stack: list[_Open] = []
        self._anchors: dict[str, Node | None] = {}
        self._values = 0

    def iter_documents(self, text: str) -> Iterator[Node]:
        documents = 0
        done: Node | None = None
        for event in yaml.parse(text, Loader=_LOADER):
            match event:
                case yaml.DocumentStartEvent():
                    documents += 1
                    self._anchors, done = {}, None
                    if documents > MAX_DOCUMENTS:
                        self._refuse(f"holds more than {MAX_DOCUMENTS} documents", event)
                case yaml.DocumentEndEvent() if done is not None and not (isinstance(done, Scalar) and done.is_null):
                    yield done
                case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                    self._open(event)
                case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                    done = self._close(event)
                case yaml.ScalarEvent():
                    done = self._add(self._scalar(event), event.anchor, event)
                case yaml.AliasEvent():
                    done = self._add(self._alias(event), None, event)

    def _open(self, event: yaml.CollectionStartEvent) -> None:
        self._check_tag(event)
        if len(self._stack) >= MAX_DEPTH:
            self._refuse(f"is nested deeper than {MAX_DEPTH}", event)
        if event.anchor:
            self._anchors[event.anchor] = None
        is_object = isinstance(event, yaml.MappingStartEvent)
        self._stack.append(_Open(is_object=is_object, anchor=event.anchor, line=_line(event)))

    def _close(self, event: yaml.Event) -> Node:
        ready = self._stack.pop()
        node: Node
        if ready.is_object:
            node = Object(values=self._pair(ready.children, event), line=ready.line, count=ready.count)
        else:
            node = Array(values=tuple(ready.children), line=ready.line, count=ready.count)
        return self._add(node, ready.anchor, event)

    def _add(self, node: Node, anchor: str | None, event: yaml.Event) -> Node:
        """Hand a value to what it stands in."""
        if anchor:
            self._anchors[anchor] = node
        count = 1 if isinstance(node, Scalar) else node.count
        if self._stack:
            self._stack[-1].children.append(node)
            self._stack[-1].count += count
            count = self._stack[-1].count
        else:
            self._values += count
        if count > MAX_VALUES or self._values > MAX_VALUES:
            self._refuse(f"holds more than {MAX_VALUES} values, aliases unfolded", event)
        return node

    def _scalar(self, event: yaml.ScalarEvent) -> Scalar:
        self._check_tag(event)
        return Scalar(
            text=event.value,
            is_null=event.implicit[0] and not event.style and event.value in _NOTHING,
            line=_line(event),
            start=event.start_mark.index if event.start_mark else 0,
            end=event.end_mark.index if event.end_mark else 0,
            literal=event.style == "|",
        )

    def _alias(self, event: yaml.AliasEvent) -> Node:
        if event.anchor not in self._anchors:
            self._broken("an alias of nothing", event)
        node = self._anchors[event.anchor]
        if node is None:
            self._refuse("has an alias within its own value", event)
        return node

    def _check_tag(self, event: yaml.NodeEvent) -> None:
        tag = getattr(event, "tag", None)
        if tag is not None and tag not in _YAML_TAGS:
            self._refuse("has a tag that no manifest has", event)

    def _pair(self, children: list[Node], event: yaml.Event) -> Mapping[str, Node]:
        found: dict[str, Node] = {}
        merged: list[Node] = []
        for key, value in zip(children[::2], children[1::2], strict=True):
            if not isinstance(key, Scalar):
                self._broken("a key that is no text", event)
            if key.text in found or (key.text == "<<" and merged):
                self._broken("a key stands twice", event, line=key.line)
            if key.text == "<<":
                merged.append(value)
            else:
                found[key.text] = value
        for value in merged:
            for one in value.values if isinstance(value, Array) else (value,):
                if not isinstance(one, Object):
                    self._broken("`<<` merges what is no mapping", event)
                found = {**one.values, **found}
        return found

    def _broken(self, what: str, event: yaml.Event, *, line: int = 0) -> NoReturn:
        where = f"{self._file}:{line or _line(event)}"
        raise ManifestSyntaxError(f"cannot be read one way only: {what}", context=where)

    def _refuse(self, what: str, event: yaml.Event) -> NoReturn:
        raise ManifestError(what, context=f"{self._file}:{_line(event)}")


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 0


def _parse_json(text: str, file: str) -> Node:
    """Read JSON, whose escapes YAML's reader does not know all; lines are not known then."""

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(items)
        if len(found) != len(items):
            raise ManifestSyntaxError("cannot be read one way only: a key stands twice", context=file)
        return found

    try:
        value = json.loads(text, object_pairs_hook=pairs, parse_int=str, parse_float=str, parse_constant=str)
    except RecursionError:
        raise ManifestError(f"is nested deeper than {MAX_DEPTH}", context=file) from None
    node = _to_node(value, file, 0)
    if _count(node) > MAX_VALUES:
        raise ManifestError(f"holds more than {MAX_VALUES} values", context=file)
    return node


def _to_node(value: Any, file: str, depth: int) -> Node:
    if depth > MAX_DEPTH:
        raise ManifestError(f"is nested deeper than {MAX_DEPTH}", context=file)
    match value:
        case dict():
            objects = {key: _to_node(item, file, depth + 1) for key, item in value.items()}
            return Object(values=objects, count=1 + sum(map(_count, objects.values())))
        case list():
            items = tuple(_to_node(item, file, depth + 1) for item in value)
            return Array(values=items, count=1 + sum(map(_count, items)))
        case None:
            return Scalar(text="", is_null=True)
        case bool():
            return Scalar(text="true" if value else "false")
        case _:
            return Scalar(text=str(value))


def _count(node: Node) -> int:
    return 1 if isinstance(node, Scalar) else node.count
