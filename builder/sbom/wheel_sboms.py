"""What a wheel's own bills of materials name: libraries copied in by auditwheel, crates that were compiled in.

Taken from `<name>.dist-info/sboms/` only, where PEP 770 puts them, and as what they are: the word of whoever built the wheel. What
has no version is a wish and no content, and the wheel itself is none of its own parts.

Source: PEP 770; CycloneDX JSON; SPDX 2.3 JSON.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from packaging.utils import canonicalize_name

from builder.licence.expression import canonical_expression
from builder.licence.model import Licence
from builder.sbom.facts import Carried
from builder.sbom.purls import parse_purl

_LARGEST: Final = 32 << 20
_MOST: Final = 50_000
"""Components of one bill."""


def read_wheel_sbom(data: bytes, path: str, *, project: str) -> tuple[Carried, ...]:
    """Read one.

    Args:
        data: untrusted.
        path: in the wheel.
        project: whose wheel it is.

    Returns:
        What it names, in its order; nothing where it is of no known form.
    """
    try:
        value = json.loads(data) if len(data) <= _LARGEST else None
    except (ValueError, RecursionError):
        return ()
    if not isinstance(value, dict):
        return ()
    found: list[Carried] = []
    for purl, licences in _iter_named(value):
        parsed = parse_purl(purl)
        if len(found) >= _MOST:
            break
        if parsed is None or (parsed.type == "pypi" and canonicalize_name(parsed.name) == project):
            continue
        found.append(Carried(purl=parsed.to_string(), path=path, licence=_licence(licences)))
    return tuple(found)


def _iter_named(value: Mapping[str, Any]) -> Iterator[tuple[str, list[str]]]:
    if value.get("bomFormat") == "CycloneDX":
        yield from _iter_components(value.get("components"))
    elif str(value.get("spdxVersion", "")).startswith("SPDX-2"):
        for package in _dicts(value.get("packages")):
            stated = [
                text for key in ("licenseConcluded", "licenseDeclared") if isinstance(text := package.get(key), str)
            ]
            for reference in _dicts(package.get("externalRefs")):
                if reference.get("referenceType") == "purl" and isinstance(reference.get("referenceLocator"), str):
                    yield reference["referenceLocator"], stated


def _iter_components(components: Any) -> Iterator[tuple[str, list[str]]]:
    waiting = list(reversed(list(_dicts(components))))
    while waiting:
        component = waiting.pop()
        if isinstance(component.get("purl"), str):
            yield component["purl"], list(_iter_licences(component.get("licenses")))
        waiting.extend(reversed(list(_dicts(component.get("components")))))


def _iter_licences(licences: Any) -> Iterator[str]:
    for one in _dicts(licences):
        inner = one.get("license")
        named = inner.get("id") if isinstance(inner, dict) else None
        for text in (one.get("expression"), named):
            if isinstance(text, str):
                yield text


def _licence(stated: list[str]) -> Licence:
    """Take a licence where exactly one is stated that is an expression."""
    found = {expression for text in stated if (expression := canonical_expression(text))}
    return Licence(expression=found.pop(), source="the wheel's own bill of materials") if len(found) == 1 else Licence()


def _dicts(value: Any) -> Iterator[dict[str, Any]]:
    return (item for item in value if isinstance(item, dict)) if isinstance(value, list) else iter(())
