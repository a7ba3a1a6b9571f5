"""A bill of materials as SPDX 2.3 JSON.

- The document's name and time are functions of the locks and the image; bytes are stable.
- Files of the stack are packages of the purpose FILE: as files SPDX would want SHA-1 of them, which no lock has.
- What is not known is NOASSERTION, with what was said in the comment on the licence.

Source: SPDX 2.3; its JSON schema.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from typing import Final

from spdx_tools.spdx.jsonschema.document_converter import DocumentConverter
from spdx_tools.spdx.model.actor import Actor, ActorType
from spdx_tools.spdx.model.checksum import Checksum, ChecksumAlgorithm
from spdx_tools.spdx.model.document import CreationInfo, Document
from spdx_tools.spdx.model.extracted_licensing_info import ExtractedLicensingInfo
from spdx_tools.spdx.model.package import ExternalPackageRef, ExternalPackageRefCategory, Package, PackagePurpose
from spdx_tools.spdx.model.relationship import Relationship, RelationshipType
from spdx_tools.spdx.model.spdx_no_assertion import SpdxNoAssertion

from builder import __version__
from builder.digest import Digest
from builder.licence.expression import is_licence_ref, licences_of, parse_canonical
from builder.licence.model import Licence
from builder.lock.pylock_writer import TOOL
from builder.sbom.model import Inventory, Item, Kind
from builder.sbom.purls import image_purl
from builder.sbom.serial import serial_of
from builder.sbom.spdx_ids import DOCUMENT, IMAGE, element_ids

_PURPOSES: Final = {
    Kind.SYSTEM: PackagePurpose.OPERATING_SYSTEM,
    Kind.DEB: PackagePurpose.LIBRARY,
    Kind.INTERPRETER: PackagePurpose.APPLICATION,
    Kind.DISTRIBUTION: PackagePurpose.LIBRARY,
    Kind.CARRIED: PackagePurpose.LIBRARY,
    Kind.FOREIGN: PackagePurpose.LIBRARY,
    Kind.FILE: PackagePurpose.FILE,
}
_NO_TEXT: Final = "The text stands in the package; it is no part of this document."


def dump_spdx(inventory: Inventory) -> bytes:
    """Write the bill; bytes are stable."""
    ids = element_ids(inventory.items)
    document = Document(
        creation_info=_creation(inventory),
        packages=[_image(inventory), *(_package(item, ids[item.ref]) for item in inventory.items)],
        relationships=list(_relationships(inventory, ids)),
        extracted_licensing_info=list(_extracted(inventory)),
    )
    values = DocumentConverter().convert(document)  # type: ignore[no-untyped-call]
    return (json.dumps(values, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()


def _creation(inventory: Inventory) -> CreationInfo:
    said = [f"{TOOL}:lock={inventory.lock}", f"{TOOL}:base-lock={inventory.base_lock}"]
    said += [f"{TOOL}:platform={inventory.platform}", f"{TOOL}:airflow-version={inventory.airflow_version}"]
    said += [f"{TOOL}:made-from={'locks and files' if inventory.from_files else 'locks'}"]
    return CreationInfo(
        spdx_version="SPDX-2.3",
        spdx_id=DOCUMENT,
        name=f"{inventory.stack} {inventory.platform}",
        document_namespace=f"urn:uuid:{serial_of(inventory, 'spdx')}",
        creators=[Actor(ActorType.TOOL, f"{TOOL}-{__version__}")],
        # Without offset: the library writes Z behind whatever it is given.
        created=dt.datetime.fromtimestamp(inventory.created, dt.UTC).replace(tzinfo=None),
        document_comment="\n".join(said),
    )


def _image(inventory: Inventory) -> Package:
    image = inventory.image
    refs = [_purl(image_purl(inventory.stack, image.manifest, inventory.platform.architecture))] if image else []
    return Package(
        spdx_id=IMAGE,
        name=inventory.stack,
        version=str(image.manifest) if image else None,
        download_location=SpdxNoAssertion(),
        files_analyzed=False,
        description=inventory.description or None,
        checksums=[_checksum(image.manifest)] if image else [],
        external_references=refs,
        license_concluded=SpdxNoAssertion(),
        license_declared=SpdxNoAssertion(),
        copyright_text=SpdxNoAssertion(),
        primary_package_purpose=PackagePurpose.CONTAINER,
    )


def _package(item: Item, identifier: str) -> Package:
    licence = item.licence
    return Package(
        spdx_id=identifier,
        name=item.name,
        version=item.version or None,
        file_name=item.file_name or None,
        download_location=SpdxNoAssertion(),
        supplier=Actor(ActorType.ORGANIZATION, item.supplier) if item.supplier else SpdxNoAssertion(),
        files_analyzed=False,
        checksums=[_checksum(item.sha256)] if item.sha256 else [],
        # Trivy reads the source package here, by which Debian publishes what is wrong with it.
        source_info=f"built package from: {item.source[0]} {item.source[1]}" if item.source[0] else None,
        license_concluded=SpdxNoAssertion(),
        license_declared=parse_canonical(licence.expression) if licence.is_known else SpdxNoAssertion(),
        license_comment=_licence_comment(licence),
        copyright_text=SpdxNoAssertion(),
        summary=item.summary or None,
        comment="\n".join(f"{TOOL}:{name}={value}" for name, value in _iter_said(item)) or None,
        # A library out of another system is no package of this one: readers that go by such references would take it for one.
        external_references=[_purl(item.purl)] if item.purl and item.kind is not Kind.FOREIGN else [],
        primary_package_purpose=_PURPOSES[item.kind],
    )


def _checksum(digest: Digest) -> Checksum:
    return Checksum(ChecksumAlgorithm.SHA256, digest.hex)


def _purl(purl: str) -> ExternalPackageRef:
    return ExternalPackageRef(ExternalPackageRefCategory.PACKAGE_MANAGER, "purl", purl)


def _licence_comment(licence: Licence) -> str | None:
    if licence.is_known:
        return f"From {licence.source}." if licence.source else None
    if licence.said_digest:
        return f"Says: {licence.said} (statements {licence.said_digest})"
    return None


def _iter_said(item: Item) -> Iterator[tuple[str, str]]:
    if item.layer is not None:
        yield "layer", item.layer.name
        if item.layer.stack:
            yield "layer-stack", item.layer.stack
        if item.layer.digest and item.layer.diff_id:
            yield "layer-digest", str(item.layer.digest)
            yield "layer-diff-id", str(item.layer.diff_id)
    yield from (("wanted-by", who) for who in item.wanted_by)
    if item.found_at:
        yield "found-at", item.found_at
    if item.kind is Kind.FOREIGN:
        yield "purl", item.purl
    yield from (("bill", f"{path} {digest}") for path, digest in item.sboms)


def _relationships(inventory: Inventory, ids: dict[str, str]) -> Iterator[Relationship]:
    yield Relationship(DOCUMENT, RelationshipType.DESCRIBES, IMAGE)
    for item in inventory.items:
        holder = ids[item.inside] if item.inside else IMAGE
        yield Relationship(holder, RelationshipType.CONTAINS, ids[item.ref])
        contains = item.kind is Kind.SYSTEM
        kind = RelationshipType.CONTAINS if contains else RelationshipType.DEPENDS_ON
        yield from (Relationship(ids[item.ref], kind, ids[ref]) for ref in item.needs)
    yield from (Relationship(IMAGE, RelationshipType.DEPENDS_ON, ids[ref]) for ref in inventory.top)


def _extracted(inventory: Inventory) -> Iterator[ExtractedLicensingInfo]:
    """Give the texts of licences that SPDX's list does not have; several packages may name one, and mean the same text."""
    names: dict[str, str] = {}
    texts: dict[str, set[str]] = {}
    for item in inventory.items:
        for identifier in licences_of(item.licence.expression) if item.licence.is_known else ():
            if is_licence_ref(identifier):
                texts.setdefault(identifier, set())
        for ref in item.licence.refs:
            names[ref.id] = ref.name
            texts.setdefault(ref.id, set()).update({ref.text} - {""})
    for identifier in sorted(texts):
        text = "\n\n".join(sorted(texts[identifier]))
        yield ExtractedLicensingInfo(
            license_id=identifier, extracted_text=text or _NO_TEXT, license_name=names.get(identifier) or None
        )
