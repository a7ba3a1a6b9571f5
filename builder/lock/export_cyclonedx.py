"""A lock as a CycloneDX 1.6 bill of materials: what the stack holds, by purl and sha256, and what requires what.

It lists the distributions of the lock. Debian packages stand in the base's lock, which it names. Serial number and time
are functions of the lock, so the same lock gives the same bytes.
"""

from __future__ import annotations

import datetime as dt
import json
import uuid

from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, Property, XsUri
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from builder.lock.export import Export
from builder.lock.model import LockedCandidate, LockedFile
from builder.lock.pylock_writer import TOOL, wheel_path

_NAMESPACE = uuid.UUID("7b0a6a5e-55f4-5d0c-8a5b-6c1d9d7c3f10")
"""Of serial numbers made here; the rest of them is the digest of the lock and the platforms."""
_STACK_PREFIX = "stack:"


def dump_cyclonedx(export: Export) -> bytes:
    """Write the bill of materials; bytes are stable."""
    lock = export.lock
    root = Component(
        type=ComponentType.CONTAINER, name=lock.stack, bom_ref=f"stack:{lock.stack}", description=lock.description
    )
    serial = uuid.uuid5(_NAMESPACE, f"{export.digest} {export.made_for()}")
    bom = Bom(serial_number=serial, version=1)
    bom.metadata.timestamp = dt.datetime.fromtimestamp(lock.created, dt.UTC)
    bom.metadata.component = root
    bom.metadata.properties.update(
        Property(name=f"{TOOL}:{name}", value=value)
        for name, value in (
            ("lock", str(export.digest)),
            ("airflow-version", lock.airflow_version),
            ("python-version", lock.python_version),
            ("base", lock.base),
            ("base-lock", str(lock.base_lock)),
            ("platforms", ", ".join(platform.name for platform in export.platforms)),
        )
    )
    components = [(candidate, _component(export, candidate)) for candidate in export.candidates()]
    by_project: dict[str, list[Component]] = {}
    for candidate, component in components:
        bom.components.add(component)
        by_project.setdefault(candidate.project, []).append(component)
    asked = [one for candidate, one in components if any(who.startswith(_STACK_PREFIX) for who in candidate.wanted_by)]
    # A lock in which nobody asks for anything depends on all of it: a root without edges is no bill of materials.
    bom.register_dependency(root, asked or [one for _, one in components])
    for candidate, component in components:
        needs = [one for project in candidate.dependencies for one in by_project.get(project, ())]
        bom.register_dependency(component, needs)
    # Written again, so that the layout of the bytes is ours and not the library's.
    values = json.loads(JsonV1Dot6(bom).output_as_string())
    return (json.dumps(values, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()


def _component(export: Export, candidate: LockedCandidate) -> Component:
    files = export.wheels(candidate)
    purl = PackageURL(type="pypi", name=candidate.project, version=candidate.version)
    return Component(
        type=ComponentType.LIBRARY,
        name=candidate.project,
        version=candidate.version,
        purl=purl,
        bom_ref=purl.to_string(),
        # Of a candidate with several wheels each stands with its own, below.
        hashes=[_hash(files[0])] if len(files) == 1 else [],
        external_references=[
            ExternalReference(
                type=ExternalReferenceType.DISTRIBUTION,
                url=XsUri(wheel_path(file)),
                comment=file.name,
                hashes=[_hash(file)],
            )
            for file in files
        ],
        properties=[Property(name=f"{TOOL}:wanted-by", value=who) for who in candidate.wanted_by],
    )


def _hash(file: LockedFile) -> HashType:
    return HashType(alg=HashAlgorithm.SHA_256, content=file.sha256.hex)
