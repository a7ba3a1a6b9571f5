"""Pages that need nothing from outside: no script, no font, no picture; what others wrote is escaped, and cannot act.

A page forbids itself, by its own Content-Security-Policy, to run or load anything: should an escape ever fail, it stays text.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from builder.history.image import short_digest
from builder.picture.svg import clean, cut
from builder.sizes import render_count, render_size

if TYPE_CHECKING:
    from jinja2 import Environment


def render_page(template: str, **values: object) -> str:
    """Render a page of pages/; bytes are stable."""
    return _environment().get_template(template).render(**values)


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

    environment = Environment(
        loader=PackageLoader("builder.picture", "pages"),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=_finalize,
    )
    environment.filters |= {
        "size": render_size,
        "count": render_count,
        "short": short_digest,
        "cut": cut,
        "moment": lambda text: text.replace("T", " ").removesuffix("Z")[:16],
        "percent": lambda value: f"{value:.2f}%",
    }
    environment.tests["address"] = is_address
    return environment


def _finalize(value: Any) -> Any:
    """Take out of each value what cannot be seen: letters that turn the direction of a line, controls of a terminal."""
    return clean(value) if type(value) is str else value


def is_address(value: object) -> bool:
    """Tell whether a value may be a link: of the web, with a host.

    >>> is_address("https://ci.example.org/run/1"), is_address("javascript:alert(1)")
    (True, False)
    """
    if not isinstance(value, str) or not value.isprintable() or " " in value:
        return False
    try:
        parts = urlsplit(value)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname)
