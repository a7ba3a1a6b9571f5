"""All hostile material: one list, in the order of the threats."""

from __future__ import annotations

from tests.hostile.archives import DEBS, SDISTS
from tests.hostile.images import LAYERS, LAYOUTS, MANIFESTS
from tests.hostile.indexes import PACKAGES, PAGES, RELEASES
from tests.hostile.model import Material
from tests.hostile.stores import ANSWERS, EXCHANGED, PAIRS, STORES
from tests.hostile.texts import TEXTS
from tests.support.hostile_wheels import HOSTILE

WHEELS: tuple[Material, ...] = tuple(
    Material(
        threat=wheel.threat,
        kind="wheel",
        name=wheel.name,
        make=wheel.make,
        refused=f"[{wheel.kind}]",
        file_name=wheel.file_name,
    )
    for wheel in HOSTILE
)

MATERIALS: tuple[Material, ...] = tuple(
    sorted(
        (
            *WHEELS,
            *PAIRS,
            *DEBS,
            *SDISTS,
            *LAYERS,
            *LAYOUTS,
            *MANIFESTS,
            *PACKAGES,
            *RELEASES,
            *PAGES,
            *ANSWERS,
            *TEXTS,
            *STORES,
            *EXCHANGED,
        ),
        key=lambda material: material.threat,
    )
)
"""By threat; within one in the order of the modules."""
