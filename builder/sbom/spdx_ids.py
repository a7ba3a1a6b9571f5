"""Names of elements within an SPDX document. Trivy tells by their beginnings what an element is."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from typing import Final

from builder.sbom.model import Item, Kind

DOCUMENT: Final = "SPDXRef-DOCUMENT"
IMAGE: Final = "SPDXRef-ContainerImage"
_OTHER: Final = re.compile(r"[^A-Za-z0-9.-]+")
_DIGITS: Final = 12
_BEGINNINGS: Final = {Kind.SYSTEM: "OperatingSystem", Kind.FILE: "StackFile", Kind.INTERPRETER: "Interpreter"}


def element_ids(items: Iterable[Item]) -> dict[str, str]:
    """Name items by what they are, their name, and so much of the hash of their ref that no two are alike."""
    return {item.ref: _element_id(item) for item in items}


def _element_id(item: Item) -> str:
    beginning = _BEGINNINGS.get(item.kind, "Package")
    name = _OTHER.sub("-", item.name).strip("-.")
    digest = hashlib.sha256(item.ref.encode()).hexdigest()[:_DIGITS]
    return f"SPDXRef-{beginning}-{name}-{digest}" if name else f"SPDXRef-{beginning}-{digest}"
