"""YAML as this project writes it: block style, in the order given, each text so quoted that no reader takes it for another thing.

Bytes are a function of the value alone, so that a form may be compared, committed and hashed. A library's dumper would keep no
comments, which Flux reads, and would be free to wrap lines otherwise in its next version.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

_PLAIN: Final = re.compile(r"[A-Za-z][A-Za-z0-9/_.-]*\Z")
# What YAML 1.1 takes for a truth value or for nothing.
_WORDS: Final = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})


@dataclass(frozen=True, slots=True)
class Marked:
    """A text with a comment behind it."""

    text: str
    comment: str


@dataclass(frozen=True, slots=True)
class Inline:
    """A mapping of texts on one line: it is there whole, or not at all."""

    values: Mapping[str, str]


Tree: TypeAlias = "str | int | bool | Marked | Inline | Mapping[str, Tree] | Sequence[Tree]"


def inline_leaves(tree: Mapping[str, Tree]) -> Mapping[str, Tree]:
    """Put each mapping below that has nothing but texts on a line of its own."""

    def inline(value: Tree) -> Tree:
        if not isinstance(value, Mapping):
            return value
        texts = {key: item for key, item in value.items() if isinstance(item, str)}
        return Inline(texts) if len(texts) == len(value) else inline_leaves(value)

    return {key: inline(value) for key, value in tree.items()}


def render_yaml(*documents: Tree, header: str = "") -> str:
    """Render documents.

    Args:
        documents: mappings, lists and texts.
        header: a comment of one line above all.
    """
    above = f"# {header}\n" if header else ""
    return above + "---\n".join("".join(f"{line}\n" for line in _iter_block(value)) for value in documents)


def quote_yaml(text: str) -> str:
    r"""Write a text on one line: bare where every reader takes it for this text, else in double quotes.

    >>> quote_yaml("on"), quote_yaml("apps/v1"), quote_yaml("a: b")
    ('"on"', 'apps/v1', '"a: b"')
    """
    if _PLAIN.match(text) and text.lower() not in _WORDS:
        return text
    return f'"{"".join(map(_escape, text))}"'


def _escape(letter: str) -> str:
    if letter in '"\\':
        return f"\\{letter}"
    if letter == "\n":
        return "\\n"
    return letter if letter.isprintable() else f"\\U{ord(letter):08X}"


def _iter_block(value: Tree) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _iter_item(f"{quote_yaml(key)}:", item, "  ")
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for item in value:
            yield from _iter_item("-", item, "  ")
    else:
        yield _scalar(value)


def _iter_item(lead: str, value: Tree, indent: str) -> Iterator[str]:
    """Write a value behind its key or its dash."""
    if isinstance(value, str) and _is_block(value):
        yield f"{lead} |{'2' if value.lstrip(chr(10)).startswith(' ') else ''}{_chomping(value)}"
        for line in value.removesuffix("\n").split("\n"):
            yield f"{indent}{line}" if line else ""
        return
    if isinstance(value, Mapping | Sequence) and not isinstance(value, str):
        if not value:
            yield f"{lead} {'{}' if isinstance(value, Mapping) else '[]'}"
            return
        lines = list(_iter_block(value))
        if lead == "-":
            yield f"- {lines[0]}"
            yield from (f"{indent}{line}" if line else "" for line in lines[1:])
            return
        yield lead
        yield from (f"{indent}{line}" if line else "" for line in lines)
        return
    yield f"{lead} {_scalar(value)}"


def _scalar(value: str | int | Marked | Inline) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, Inline):
        return f"{{{', '.join(f'{quote_yaml(key)}: {quote_yaml(text)}' for key, text in value.values.items())}}}"
    if isinstance(value, Marked):
        return f"{quote_yaml(value.text)} # {value.comment}"
    return quote_yaml(value)


def _is_block(text: str) -> bool:
    """Tell a text of several lines that may stand as it is."""
    lines = text.split("\n")
    return len(lines) > 1 and bool(text.strip("\n")) and all(line.isprintable() for line in lines)


def _chomping(text: str) -> str:
    if not text.endswith("\n"):
        return "-"
    return "+" if text.endswith("\n\n") else ""
