"""A bill of materials as CycloneDX 1.6 JSON.

- Serial number and time are functions of the locks and the image; bytes are stable.
- What stands inside distributions is listed beside them, so that readers that look at one level only see it; libraries out of
  other systems are nested, so that none is taken for a package of this one.
- `airflow-kubler:` properties say in which layer an item is. Those of `aquasecurity:trivy:` tell Trivy the source package of a
  Debian package, by which Debian publishes what is wrong with it.

Source: CycloneDX 1.6; the property taxonomy of Trivy.
"""

from __future__ import annotations

import datetime as dt
import json
import uuid
from collections.abc import Iterable, Iterator
from typing import Final

from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, Property, XsUri
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.contact import OrganizationalEntity
from cyclonedx.model.license import DisjunctiveLicense, License, LicenseAcknowledgement, LicenseExpression
from cyclonedx.model.lifecycle import LifecyclePhase, PredefinedLifecycle
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.spdx import is_supported_id
from packageurl import PackageURL

from builder import __version__
from builder.digest import Digest
from builder.licence.model import NOASSERTION, Licence
from builder.lock.pylock_writer import TOOL
from builder.sbom.model import Inventory, Item, Kind
from builder.sbom.purls import image_purl
from builder.sbom.serial import serial_of

_TYPES: Final = {
    Kind.SYSTEM: ComponentType.OPERATING_SYSTEM,
    Kind.DEB: ComponentType.LIBRARY,
    Kind.INTERPRETER: ComponentType.PLATFORM,
    Kind.DISTRIBUTION: ComponentType.LIBRARY,
    Kind.CARRIED: ComponentType.LIBRARY,
    Kind.FOREIGN: ComponentType.LIBRARY,
    Kind.FILE: ComponentType.FILE,
}


def dump_cyclonedx(inventory: Inventory) -> bytes:
    """Write the bill; bytes are stable."""
    bom = Bom(serial_number=uuid.UUID(serial_of(inventory, "cyclonedx")), version=1)
    root = _root(inventory)
    _describe(bom, root, inventory)
    components = {item.ref: _component(item) for item in inventory.items}
    within: dict[str, list[Component]] = {}
    for item in inventory.items:
        if item.kind is Kind.FOREIGN and item.inside in components:
            components[item.inside].components.add(components[item.ref])
            continue
        bom.components.add(components[item.ref])
        if item.inside:
            within.setdefault(item.inside, []).append(components[item.ref])
    bom.register_dependency(root, [components[ref] for ref in inventory.top])
    for item in inventory.items:
        needs = [components[ref] for ref in item.needs]
        bom.register_dependency(components[item.ref], [*needs, *within.get(item.ref, ())])
    # Written again, so that the layout of the bytes is ours and not the library's.
    values = json.loads(JsonV1Dot6(bom).output_as_string())
    return (json.dumps(values, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()


def _describe(bom: Bom, root: Component, inventory: Inventory) -> None:
    """Say what the bill is of, and what it was made from."""
    image = inventory.image
    bom.metadata.timestamp = dt.datetime.fromtimestamp(inventory.created, dt.UTC)
    bom.metadata.component = root
    bom.metadata.tools.components.add(Component(type=ComponentType.APPLICATION, name=TOOL, version=__version__))
    bom.metadata.lifecycles.add(PredefinedLifecycle(LifecyclePhase.BUILD if image else LifecyclePhase.PRE_BUILD))
    said = {
        "lock": str(inventory.lock),
        "airflow-version": inventory.airflow_version,
        "python-version": inventory.python_version,
        "base": inventory.base,
        "base-lock": str(inventory.base_lock),
        "platform": inventory.platform.name,
        "made-from": "locks and files" if inventory.from_files else "locks",
    }
    if image is not None:
        said |= {"manifest": str(image.manifest), "config": str(image.config)}
        said |= {"index": str(image.index)} if image.index else {}
    bom.metadata.properties.update(_properties(said.items()))


def _root(inventory: Inventory) -> Component:
    image = inventory.image
    purl = image_purl(inventory.stack, image.manifest, inventory.platform.architecture) if image else ""
    return Component(
        type=ComponentType.CONTAINER,
        name=inventory.stack,
        version=str(image.manifest) if image else None,
        bom_ref=inventory.root,
        purl=PackageURL.from_string(purl) if purl else None,
        description=inventory.description,
        hashes=[_hash(image.manifest)] if image else [],
    )


def _component(item: Item) -> Component:
    return Component(
        type=_TYPES[item.kind],
        name=item.name,
        version=item.version or None,
        bom_ref=item.ref,
        purl=PackageURL.from_string(item.purl) if item.purl else None,
        description=item.summary or None,
        supplier=OrganizationalEntity(name=item.supplier) if item.supplier else None,
        hashes=[_hash(item.sha256)] if item.sha256 else [],
        licenses=list(_licences(item.licence)),
        external_references=list(_references(item)),
        properties=list(_properties(_iter_properties(item))),
    )


def _hash(digest: Digest) -> HashType:
    return HashType(alg=HashAlgorithm.SHA_256, content=digest.hex)


def _licences(licence: Licence) -> Iterator[License]:
    """Write what a package declares; where that is no expression, as it says it."""
    declared = LicenseAcknowledgement.DECLARED
    if is_supported_id(licence.expression):
        yield DisjunctiveLicense(id=licence.expression, acknowledgement=declared)
    elif licence.expression:
        yield LicenseExpression(value=licence.expression, acknowledgement=declared)
    elif licence.said and not licence.source:
        yield DisjunctiveLicense(name=licence.said, acknowledgement=declared)


def _references(item: Item) -> Iterator[ExternalReference]:
    if item.location and item.sha256:
        yield ExternalReference(
            type=ExternalReferenceType.DISTRIBUTION,
            url=XsUri(item.location),
            comment=item.file_name,
            hashes=[_hash(item.sha256)],
        )
    for path, digest in item.sboms:
        yield ExternalReference(type=ExternalReferenceType.BOM, url=XsUri(path), hashes=[_hash(digest)])


def _properties(said: Iterable[tuple[str, str]]) -> Iterator[Property]:
    for name, value in said:
        yield Property(name=name if ":" in name else f"{TOOL}:{name}", value=value)


def _iter_properties(item: Item) -> Iterator[tuple[str, str]]:
    if item.layer is not None:
        yield "layer", item.layer.name
        if item.layer.stack:
            yield "layer-stack", item.layer.stack
        if item.layer.digest and item.layer.diff_id:
            yield "layer-digest", str(item.layer.digest)
            yield "layer-diff-id", str(item.layer.diff_id)
    yield from (("wanted-by", who) for who in item.wanted_by)
    if item.inside:
        yield "inside", item.inside
    if item.found_at:
        yield "found-at", item.found_at
    if item.kind in {Kind.DEB, Kind.DISTRIBUTION}:
        yield from _iter_licence(item.licence)
    yield from _iter_for_trivy(item)


def _iter_licence(licence: Licence) -> Iterator[tuple[str, str]]:
    if licence.is_known:
        yield "licence-source", licence.source
        return
    yield "licence", NOASSERTION
    if licence.said_digest:
        yield "licence-says", licence.said
        yield "licence-statements", str(licence.said_digest)


def _iter_for_trivy(item: Item) -> Iterator[tuple[str, str]]:
    if item.kind is Kind.SYSTEM:
        yield "aquasecurity:trivy:Class", "os-pkgs"
        yield "aquasecurity:trivy:Type", item.name
    if item.kind is not Kind.DEB:
        return
    name, version = item.source
    epoch, colon, rest = version.rpartition(":")
    upstream, _, release = rest.rpartition("-") if "-" in rest else (rest, "", "")
    yield "aquasecurity:trivy:SrcName", name
    yield "aquasecurity:trivy:SrcVersion", upstream
    if release:
        yield "aquasecurity:trivy:SrcRelease", release
    if colon:
        yield "aquasecurity:trivy:SrcEpoch", epoch
