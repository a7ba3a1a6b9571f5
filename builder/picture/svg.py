"""Words of SVG: elements as text, everything escaped; numbers are whole, so that bytes are the same on every machine."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import Final

CHAR_EM: Final = 0.65
"""Width of a letter of monospaced fonts, in units of their size: those that browsers take have up to 0.61, rounded up to whole pixels."""
FONT: Final = "ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, 'Liberation Mono', monospace"


def element(name: str, /, *content: str, **attributes: str | int) -> str:
    """Write an element; content is markup already, attributes are escaped, `_` in their names stands for `-`.

    >>> element("a", "x", class_="b", data_c='"')
    '<a class="b" data-c="&quot;">x</a>'
    """
    given = "".join(f' {key.rstrip("_").replace("_", "-")}="{escape(str(value))}"' for key, value in attributes.items())
    return f"<{name}{given}>{''.join(content)}</{name}>" if content else f"<{name}{given}/>"


def text(x: int, y: int, content: str, *, class_: str = "", anchor: str = "") -> str:
    """Write a line of text with its foot at y."""
    more: dict[str, str] = {"class_": class_} if class_ else {}
    if anchor:
        more["text_anchor"] = anchor
    return element("text", escape(clean(content)), x=x, y=y, **more)


def clean(content: str) -> str:
    """Take out what no XML may hold, and what cannot be seen."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in content)


def cut(content: str, most: int) -> str:
    """Cut a text that is longer than what there is room for.

    >>> cut("abcdef", 4)
    'abc…'
    """
    return content if len(content) <= most else f"{content[: most - 1]}…"


def text_width(content: str, size: int) -> int:
    """Find how wide a text may come out, in the pixels that its size is given in."""
    return int(len(content) * size * CHAR_EM) + 1


def document(width: int, height: int, *, title: str, description: str, style: str, content: Iterable[str]) -> str:
    """Write a whole picture, which screen readers tell by its title and description."""
    body = "\n".join(content)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'role="img" aria-labelledby="title description">\n'
        f'<title id="title">{escape(clean(title))}</title>\n<desc id="description">{escape(clean(description))}</desc>\n'
        f"<style>\n{style}</style>\n{body}\n</svg>\n"
    )
