"""Read what a container says is installed in it: nothing of it is to be believed, and nothing raises but for what is no listing.

- what `airflow-kubler drift script` prints, and a container's Python runs: with files that are not as RECORD says;
- `pip list --format json`, `uv pip list --format json`;
- `pip freeze`, `uv pip freeze`: `name==version`, `name @ address`, `-e address`; pip leaves itself out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from packaging.utils import canonicalize_name

from builder.errors import InvalidInputError

MAX_BYTES: Final = 64 << 20
_OURS: Final = "airflow-kubler inside 1"
_LONGEST: Final = 300
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,200}\Z")
_PINNED: Final = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)\s*===?\s*(?P<version>[^\s;]+)\Z")
_DIRECT: Final = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)\s*@\s*(?P<address>\S+)")
_EDITABLE: Final = re.compile(r"(?:-e|--editable)\s+(?P<address>\S+)")
_EGG: Final = re.compile(r"#egg=(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)")
_WHEEL: Final = re.compile(r"/[^/]+?-(?P<version>[^/-]+)(?:-[^/]+)?\.(?:whl|tar\.gz|zip)\Z")
_USER: Final = re.compile(r"//[^/@]*@")
"""Credentials in an address."""
UNLISTED_BY_FREEZE: Final = frozenset(("pip", "setuptools", "wheel", "distribute"))
"""pip leaves these out of its freeze, some of them by its version."""
_MACHINES: Final = {"x86_64": "linux/amd64", "amd64": "linux/amd64", "aarch64": "linux/arm64", "arm64": "linux/arm64"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """A distribution that a container says it has."""

    project: str
    """PEP 503 normalised."""
    version: str
    """Empty where it does not say."""
    place: str = ""
    """The folder that it is in."""
    installer: str = ""
    changed: tuple[str, ...] = ()
    """Files that are not as RECORD says."""
    missing: tuple[str, ...] = ()
    more_changed: int = 0
    """Of both, that are not listed."""
    address: str = ""
    """Where it was installed from, if not from an index."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What a container says."""

    form: str
    """`inside`, `list` or `freeze`."""
    installed: tuple[Installed, ...]
    """By project and place."""
    platform: str = ""
    """As `linux/amd64`; empty where it does not say."""
    strays: tuple[str, ...] = ()
    """Files beside distributions that none of them names."""
    more_strays: int = 0


def parse_listing(data: bytes, *, context: str) -> Listing:
    """Read a listing of any form.

    Args:
        data: untrusted.
        context: where it is from, for errors.

    Raises:
        InvalidInputError: it is none.
    """
    if len(data) > MAX_BYTES:
        raise InvalidInputError(f"is {len(data)} bytes long, at most {MAX_BYTES} are read", context=context)
    text = data.decode("utf-8", "replace").strip()
    if text.startswith(("{", "[")):
        return _parse_json(text, context)
    installed = tuple(sorted(_iter_frozen(text, context), key=lambda one: one.project))
    if not installed:
        raise InvalidInputError(
            "lists no distribution",
            context=context,
            hint="give what `pip freeze`, `pip list --format json` or the script of `airflow-kubler drift script` prints",
        )
    return Listing(form="freeze", installed=installed)


def _parse_json(text: str, context: str) -> Listing:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidInputError(f"is not JSON: {str(error)[:200]}", context=context) from error
    if isinstance(value, list):
        rows = [row for row in value if isinstance(row, dict) and _NAME.match(_text(row.get("name")))]
        if not rows:
            raise InvalidInputError("lists no distribution", context=context)
        found = tuple(
            Installed(
                project=canonicalize_name(_text(row.get("name"))),
                version=_text(row.get("version")),
                address=_text(row.get("editable_project_location")),
            )
            for row in rows
        )
        return Listing(form="list", installed=tuple(sorted(found, key=lambda one: one.project)))
    if not isinstance(value, dict) or value.get("format") != _OURS or not isinstance(value.get("distributions"), list):
        raise InvalidInputError(
            "is no listing of distributions", context=context, hint=f"the script of this program says {_OURS!r}"
        )
    rows = [row for row in value["distributions"] if isinstance(row, dict)]
    return Listing(
        form="inside",
        installed=tuple(sorted(map(_installed, rows), key=lambda one: (one.project, one.place))),
        platform=_MACHINES.get(_text(value.get("machine")).lower(), ""),
        strays=_texts(value.get("strays")),
        more_strays=_count(value.get("more_strays")),
    )


def _installed(row: dict[str, Any]) -> Installed:
    return Installed(
        project=canonicalize_name(_text(row.get("name")) or "?"),
        version=_text(row.get("version")),
        place=_text(row.get("place")),
        installer=_text(row.get("installer")),
        changed=_texts(row.get("changed")),
        missing=_texts(row.get("missing")),
        more_changed=_count(row.get("more_changed")),
    )


def _iter_frozen(text: str, context: str) -> Iterator[Installed]:
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        if found := _PINNED.match(line.partition(";")[0].strip()):
            yield Installed(project=canonicalize_name(found["name"]), version=found["version"][:_LONGEST])
        elif found := _DIRECT.match(line):
            yield _direct(found["name"], found["address"])
        elif found := _EDITABLE.match(line):
            egg = _EGG.search(found["address"])
            name = egg["name"] if egg else found["address"].rstrip("/").rpartition("/")[2]
            yield _direct(name, found["address"])
        else:
            raise InvalidInputError(f"is no line of `pip freeze`: {line[:120]!r}", context=f"{context}: line {number}")


def _direct(name: str, address: str) -> Installed:
    version = _WHEEL.search(address.partition("#")[0])
    plain = _USER.sub("//", address.partition("#")[0])
    return Installed(
        project=canonicalize_name(name[:_LONGEST]),
        version=version["version"] if version else "",
        address=plain[:_LONGEST],
    )


def _text(value: object) -> str:
    return value[:_LONGEST].encode("utf-8", "replace").decode() if isinstance(value, str) else ""


def _texts(value: object) -> tuple[str, ...]:
    return tuple(_text(one) for one in value if isinstance(one, str)) if isinstance(value, list) else ()


def _count(value: object) -> int:
    return value if type(value) is int and value > 0 else 0
