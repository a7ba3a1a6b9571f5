"""How the documents of a folder are called, and what an auditor is told of each topic."""

from __future__ import annotations

import base64
import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from typing import Any, Final

from builder.attest.bundle import dump_hinted
from builder.attest.dsse import Envelope
from builder.attest.kinds import CYCLONEDX, PROVENANCE, SPDX, kind_of
from builder.attest.statement import PAYLOAD_TYPE
from builder.audit.model import Document, Line, Made, Named, Topic
from builder.audit.verifier.entries import iter_named
from builder.digest import Digest
from builder.ledger.events import (
    Approved,
    Attested,
    Built,
    LicencesJudged,
    Locked,
    Promoted,
    Pushed,
    Requested,
    Scanned,
    Seen,
    Signed,
    Tested,
)

LOCK_DIFF: Final = "lock-diff.json"
_OPENVEX: Final = "https://openvex.dev/"
_TOPICS: Final = {
    Requested.kind: "request",
    Locked.kind: "lock",
    Built.kind: "build",
    Tested.kind: "tests",
    Scanned.kind: "scans",
    LicencesJudged.kind: "licences",
    Signed.kind: "signatures",
    Approved.kind: "approvals",
    Promoted.kind: "decisions",
    Pushed.kind: "pushes",
    Seen.kind: "deployments",
}
ASKED: Final = (
    *(
        "request",
        "lock",
        "lock diff",
        "build",
        "tests",
        "scans",
        "waivers",
        "licences",
        "sbom",
        "provenance",
        "signatures",
    ),
    *("approvals", "decisions", "pushes", "deployments"),
)
"""Topics that each folder answers, if only by `not on record`."""


def named_by(line: Line) -> dict[str, str]:
    """List the digests of documents that an entry names, each with the first place that does."""
    found: dict[str, str] = {}
    for place, digest in iter_named(dict(line.entry.data)):
        found.setdefault(digest, place)
    for position, document in enumerate(line.entry.documents):
        found.setdefault(document.digest, f"documents[{position}]")
    return found


def all_named(lines: Iterable[Line]) -> dict[str, tuple[Named, ...]]:
    """List the digests of documents that entries name, in their order, each with all places."""
    found: dict[str, tuple[Named, ...]] = {}
    for line in lines:
        for digest, place in named_by(line).items():
            found[digest] = (*found.get(digest, ()), Named(number=line.number, place=place))
    return found


def file_name(line: Line, place: str, data: bytes, taken: Iterable[str]) -> str:
    """Name a document by the entry that first names it: `000012-build-lock.toml`."""
    what = _plain(_place(line, place))
    if place.startswith("documents[") and is_openvex(data):
        what = "waivers"
    stem = f"{line.number:06d}-{_plain(_label(line))}-{what}"
    end, count = _suffix(data), 1
    name = f"{stem}{end}"
    while name in taken:
        count += 1
        name = f"{stem}-{count}{end}"
    return name


def _place(line: Line, place: str) -> str:
    """Name the place of a document in words: those of an image's own by its platforms."""
    platform = re.match(r"data\.platforms\[(\d+)\]\.(\w+)\Z", place)
    if isinstance(line.event, Built) and platform:
        return f"{platform[2]}-{line.event.platforms[int(platform[1])].platform}"
    return "index" if isinstance(line.event, Built) and place == "data.digest" else place.removeprefix("data.")


def is_openvex(data: bytes) -> bool:
    """Tell whether a document is one of waivers."""
    return bool(vex_statements(data))


def vex_statements(data: bytes) -> list[Mapping[str, Any]]:
    """List the statements of a document of waivers; none where it is something else."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return []
    if not isinstance(value, dict) or not str(value.get("@context", "")).startswith(_OPENVEX):
        return []
    statements = value.get("statements")
    return [one for one in statements if isinstance(one, dict)] if isinstance(statements, list) else []


def bundle_of(line: Line, statement: bytes | None) -> bytes | None:
    """Make the bundle of a key again, of statement and signature; None where it does not come out as it is on record."""
    event = line.event
    if not isinstance(event, Signed | Attested) or statement is None or not event.signature:
        return None
    try:
        signature = base64.b64decode(event.signature, validate=True)
        hint = base64.b64encode(bytes.fromhex(event.signer.removeprefix("sha256:"))).decode()
    except ValueError:
        return None
    envelope = Envelope(payload=statement, payload_type=PAYLOAD_TYPE, signatures=(signature,))
    bundle = dump_hinted(envelope, hint)
    return bundle if str(Digest.of(bundle)) == event.bundle else None


def list_topics(lines: Iterable[Line], documents: Iterable[Document], made: Iterable[Made]) -> tuple[Topic, ...]:
    """Sort entries and files by what auditors ask for; what they always ask for is there, if empty."""
    of_topic: dict[str, list[Line]] = {name: [] for name in ASKED}
    topic_of: dict[int, str] = {}
    for line in lines:
        topic_of[line.number] = topic = _topic(line)
        of_topic.setdefault(topic, []).append(line)
    files: dict[str, list[str]] = {name: [] for name in of_topic}
    for document in documents:
        first = document.named[0]
        topic = "waivers" if document.file.partition("-")[2].endswith("-waivers.json") else topic_of[first.number]
        files[topic].append(document.file)
    files["lock diff"] += [one.file for one in made if one.file == LOCK_DIFF]
    of_topic["waivers"] += [one for one in of_topic["scans"] if one.entry.data.get("result") == "waived"]
    return tuple(Topic(name=name, lines=tuple(of_topic[name]), files=tuple(sorted(files[name]))) for name in of_topic)


def _topic(line: Line) -> str:
    event = line.event
    if isinstance(event, Attested):
        kind = kind_of(event.predicate_type)
        return {CYCLONEDX: "sbom", SPDX: "sbom", PROVENANCE: "provenance"}.get(kind, "other statements")
    return _TOPICS.get(line.entry.kind, line.entry.kind)


def _label(line: Line) -> str:
    return kind_of(line.event.predicate_type) if isinstance(line.event, Attested) else line.entry.kind


def _plain(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:60]


def _suffix(data: bytes) -> str:
    """Tell by its content what a document is: nobody has kept its name."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return ".bin"
    for suffix, load in ((".json", json.loads), (".toml", tomllib.loads)):
        try:
            load(text)
        except (ValueError, RecursionError):
            continue
        return suffix
    return ".xml" if text.lstrip().startswith("<") else ".txt"
