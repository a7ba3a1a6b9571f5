"""Made-up facts and bills of materials, and what validators and readers say of documents."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from builder.digest import Digest
from builder.licence.model import Licence, LicenceRef
from builder.lock.model import BaseLock, StackLock
from builder.platform import AMD64, Platform
from builder.sbom.facts import Carried, DebFacts, Facts, SystemFacts, WheelFacts
from builder.sbom.inventory import make_inventory
from builder.sbom.model import ImageIdentity, Inventory
from tests.support.made_up import World

LOCK = Digest.of(b"lock")
TRIXIE = SystemFacts(id="debian", version_id="13", version="13.8")
OWN = LicenceRef(id="LicenseRef-demo-own", name="own", text="Do what you like.")
MIT = Licence(expression="MIT", source="License-Expression")


def deb_facts(package: str = "demo", version: str = "1.0-1", **changes: Any) -> DebFacts:
    """Make up what a deb tells."""
    made: dict[str, Any] = {
        "package": package,
        "version": version,
        "architecture": "amd64",
        "source": package,
        "source_version": version,
        "depends": (),
        "provides": (),
        "maintainer": "Somebody",
        "summary": "made up",
        "licence": Licence(expression="GPL-2.0-or-later", source="copyright"),
        **changes,
    }
    return DebFacts(**made)


def wheel_facts(licence: Licence = MIT, carried: tuple[Carried, ...] = (), **changes: Any) -> WheelFacts:
    """Make up what a wheel tells."""
    made = {"summary": "made up", "supplier": "Somebody", **changes}
    return WheelFacts(licence=licence, carried=carried, **made)


def facts_for(stack: StackLock, base: BaseLock, platform: Platform = AMD64) -> Facts:
    """Make up facts of every file of some locks."""
    return Facts(
        system=TRIXIE,
        wheels={candidate.wheels[platform.name].sha256: wheel_facts() for candidate in stack.candidates_for(platform)},
        debs={
            deb.file.sha256: deb_facts(deb.package, deb.version, architecture=deb.architecture)
            for deb in base.debs
            if platform in deb.platforms
        },
    )


def inventory_of(
    world: World, facts: Facts | None = None, *, platform: Platform = AMD64, image: ImageIdentity | None = None
) -> Inventory:
    """List what is in a made-up image."""
    known = facts or facts_for(world.stack, world.base, platform)
    return make_inventory(world.stack, world.base, lock=LOCK, platform=platform, facts=known, image=image)


def iter_components(bill: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Iterate over the components of a CycloneDX bill, nested ones too."""
    waiting = list(bill.get("components", ()))
    while waiting:
        component = waiting.pop()
        yield component
        waiting.extend(component.get("components", ()))


def properties_of(component: dict[str, Any]) -> dict[str, str]:
    """Read properties, of which each stands once."""
    return {row["name"]: row["value"] for row in component.get("properties", ())}


def check_cyclonedx(data: bytes) -> None:
    """Hold a document against the schema of CycloneDX 1.6, strictly."""
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(data.decode()) is None


def check_spdx(data: bytes, folder: Path) -> None:
    """Have the validator of SPDX's own tools read a document."""
    from spdx_tools.spdx.parser.parse_anything import parse_file
    from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

    path = folder / "bill.spdx.json"
    path.write_bytes(data)
    found = validate_full_spdx_document(parse_file(str(path)))
    assert [message.validation_message for message in found] == []
    assert json.loads(data)["spdxVersion"] == "SPDX-2.3"
