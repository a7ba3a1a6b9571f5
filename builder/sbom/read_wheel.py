"""Facts of a wheel, read once and kept by its hash."""

from __future__ import annotations

import email.utils
import re
from collections.abc import Mapping
from functools import partial
from typing import Final

from builder.digest import Digest
from builder.licence.declared import Statements, conclude
from builder.lock.model import LockedFile
from builder.sbom.facts import Carried, WheelFacts, wheel_from_dict, wheel_to_dict
from builder.sbom.kept import keep
from builder.sbom.nested import find_carried, names_package
from builder.sbom.wheel_sboms import read_wheel_sbom
from builder.store.model import ArtefactStore, FileStore
from builder.wheel.archive import read_archive
from builder.wheel.metadata import parse_headers
from builder.wheel.refusal import Refusal, WheelRefusedError

_METADATA: Final = re.compile(r"[^/]+\.dist-info/METADATA\Z")
_LICENCE: Final = re.compile(r"licen[cs]e|copying", re.IGNORECASE)
_LONGEST: Final = 200


def wheel_facts(wheel: LockedFile, files: FileStore, artefacts: ArtefactStore) -> WheelFacts:
    """Read what a wheel tells of itself, or recall it.

    Raises:
        MissingBlobError: the store does not hold it.
        IntegrityError: it is refused.
    """

    def read() -> WheelFacts:
        members = read_archive(files.read(wheel), file_name=wheel.name)
        return read_wheel_facts({member.name: member.data for member in members}, wheel.name)

    return keep(f"wheel-{wheel.sha256.hex}", artefacts, read, wheel_to_dict, wheel_from_dict)


def read_wheel_facts(files: Mapping[str, bytes], name: str) -> WheelFacts:
    """Read them from a wheel's files.

    Raises:
        WheelRefusedError: it has no METADATA, or several.
    """
    metadata = [path for path in files if _METADATA.match(path)]
    if len(metadata) != 1:
        message = f"{len(metadata)} METADATA files, not one"
        raise WheelRefusedError(Refusal.DIST_INFO_MISSING, message, wheel=name)
    info = metadata[0].rpartition("/")[0]
    headers = parse_headers(files[metadata[0]], wheel=name, entry=metadata[0], kind=Refusal.METADATA)
    statements = Statements(
        expression=_first(headers, "license-expression"),
        field=_first(headers, "license"),
        classifiers=headers.get("classifier", ()),
        texts=tuple(
            (path, files[path].decode("utf-8", "replace"))
            for path in sorted(files)
            if path.startswith(f"{info}/") and _LICENCE.search(path.rpartition("/")[2])
        ),
    )
    sboms = tuple(path for path in sorted(files) if path.startswith(f"{info}/sboms/"))
    return WheelFacts(
        summary=_short(_first(headers, "summary")),
        supplier=_supplier(headers),
        licence=conclude(statements),
        carried=_carried(files, metadata[0], sboms, project=_project(headers)),
        sboms=tuple((path, Digest.of(files[path])) for path in sboms),
    )


def _carried(files: Mapping[str, bytes], own: str, sboms: tuple[str, ...], *, project: str) -> tuple[Carried, ...]:
    readers = {path: partial(bytes, files[path]) for path in files if names_package(path)}
    found = {one.purl: one for path in reversed(sboms) for one in read_wheel_sbom(files[path], path, project=project)}
    # What stands there in person says more than what is only named.
    found |= {one.purl: one for one in find_carried(readers, own=(own,))}
    return tuple(found[purl] for purl in sorted(found))


def _project(headers: Mapping[str, tuple[str, ...]]) -> str:
    from packaging.utils import canonicalize_name

    return canonicalize_name(_first(headers, "name"))


def _supplier(headers: Mapping[str, tuple[str, ...]]) -> str:
    """Name who made it, without addresses: they are of no use in a bill, and people's own."""
    for kind in ("author", "maintainer"):
        if plain := _first(headers, kind):
            return _short(plain)
        named = [name for name, _ in email.utils.getaddresses([_first(headers, f"{kind}-email")]) if name]
        if named:
            return _short(", ".join(named))
    return ""


def _first(headers: Mapping[str, tuple[str, ...]], name: str) -> str:
    return headers.get(name, ("",))[0]


def _short(text: str) -> str:
    words = " ".join(text.split())
    return "" if words.upper() == "UNKNOWN" else words[:_LONGEST]
