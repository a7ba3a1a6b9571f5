"""What entries of a ledger are about, as JSON has them: kinds that are not known are read too."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from builder.audit.verifier.trees import leaf

DIGEST = re.compile(r"sha256:[0-9a-f]{64}\Z")
NAMES_NO_DOCUMENT = ("before", "checks", "database", "images", "digests", "key", "signer", "tags")
"""Keys of entries whose digests are those of keys or of other images."""
COLUMNS = ("number", "time", "kind", "stack", "channel", "digest", "by", "method", "host", "hash", "folders")
"""Of population.csv."""


def iter_named(value: Any, place: str = "data") -> Iterator[tuple[str, str]]:
    """Iterate over the digests of documents that an entry names: where, and which."""
    if isinstance(value, dict):
        for key, one in value.items():
            if key not in NAMES_NO_DOCUMENT:
                yield from iter_named(one, f"{place}.{key}")
    elif isinstance(value, list):
        for position, one in enumerate(value):
            yield from iter_named(one, f"{place}[{position}]")
    elif isinstance(value, str) and DIGEST.match(value):
        yield place, value


def about(data: dict[str, Any]) -> list[str]:
    """List the digests of the images that an entry is about, whatever its kind."""
    images = data.get("images", [])
    found = [one.get("digest") for one in images if isinstance(one, dict)] if isinstance(images, list) else []
    return [one for one in (*found, data.get("digest")) if isinstance(one, str) and DIGEST.match(one)]


def leaned_on(number: int, data: dict[str, Any]) -> set[int]:
    """List the earlier entries that a promotion names as what it leans on."""
    named = {other for check in data.get("checks", []) for other in check.get("evidence", [])}
    return {other for other in named if 0 <= other < number}


def population_row(line: bytes, folders: list[str]) -> list[str]:
    """Write an entry's row of population.csv; no cell is taken for a formula."""
    entry = json.loads(line)
    data, actor = entry["data"], entry["actor"]
    stack = data.get("stack") or " ".join(data.get("stacks", []))
    row = [str(entry["number"]), entry["time"], entry["kind"], stack, data.get("channel", ""), data.get("digest", "")]
    row += [actor["name"], actor["method"], actor.get("host", ""), leaf(line).hex(), " ".join(folders)]
    return [plain_cell(cell) for cell in row]


def plain_cell(text: str) -> str:
    """Write a cell that no spreadsheet takes for a formula."""
    return f"'{text}" if text[:1] in tuple("=+-@\t\r") else text
