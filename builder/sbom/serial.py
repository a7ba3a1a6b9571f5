"""Names of bills of materials: the same for the same content, and for no other."""

from __future__ import annotations

import uuid
from typing import Final

from builder import __version__
from builder.sbom.model import Inventory

_NAMESPACE: Final = uuid.UUID("7b0a6a5e-55f4-5d0c-8a5b-6c1d9d7c3f10")


def serial_of(inventory: Inventory, form: str) -> str:
    """Name a bill by all that decides about its bytes: the locks, the platform, the image, this program."""
    image = inventory.image
    made_of = image.layers if image is not None else ()
    parts = (
        str(inventory.lock),
        inventory.platform.name,
        str(image.manifest) if image is not None else "",
        str(image.index or "") if image is not None else "",
        f"{len(made_of)} layers",
        "files" if inventory.from_files else "locks",
        form,
        __version__,
    )
    return str(uuid.uuid5(_NAMESPACE, " ".join(parts)))
