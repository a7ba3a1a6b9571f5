"""Waivers in files, in the form of OpenVEX 0.2.0: read strictly, written with stable bytes.

OpenVEX has neither an end nor an owner of a statement, and its schema allows no fields of others; what tools do not know they
drop when they merge documents. So both stand where every tool keeps them, as the last lines of `status_notes`:

    airflow-kubler.owner: team:finance-data
    airflow-kubler.expires: 2027-03-31

A statement without them is refused: nothing is waived by nobody, or for ever.

Source: github.com/openvex/spec, OPENVEX-SPEC.md and openvex_json_schema.json; purl of packages as github.com/package-url has it.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from packageurl import PackageURL

from builder.canonical import dump_json
from builder.digest import Digest
from builder.errors import BuilderError, IntegrityError, InvalidInputError, IssuesError
from builder.oci.fields import Fields, parse_object

CONTEXT: Final = "https://openvex.dev/ns/v0.2.0"
STATUSES: Final = ("not_affected", "affected", "fixed", "under_investigation")
JUSTIFICATIONS: Final = (
    "component_not_present",
    "vulnerable_code_not_present",
    "vulnerable_code_not_in_execute_path",
    "vulnerable_code_cannot_be_controlled_by_adversary",
    "inline_mitigations_already_exist",
)
OWNER: Final = "airflow-kubler.owner"
EXPIRES: Final = "airflow-kubler.expires"
_DOCUMENT: Final = (
    "@context",
    "@id",
    "author",
    "role",
    "timestamp",
    "last_updated",
    "version",
    "tooling",
    "statements",
)
_STATEMENT: Final = (
    *("@id", "version", "vulnerability", "timestamp", "last_updated", "products", "status", "supplier"),
    *("status_notes", "justification", "impact_statement", "action_statement", "action_statement_timestamp"),
)
_TRAILER: Final = re.compile(r"(airflow-kubler\.[a-z]+): (\S.*)\Z")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{2,99}\Z")


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Waiver:
    """A statement that a finding may pass, until a day."""

    file: str
    """As `stacks/core/vex/requests.openvex.json`."""
    number: int
    """Of the statement in its file, from 0."""
    stack: str
    """The stack, with its children, that it is for; empty for all."""
    id: str
    """Of the weakness."""
    aliases: tuple[str, ...] = ()
    products: tuple[str, ...]
    """Package URLs, with a version or for all."""
    status: str
    justification: str = ""
    statement: str = ""
    """`impact_statement` of what is not affected, `action_statement` of what is."""
    reason: str
    """The notes, without their last lines."""
    owner: str
    expires: dt.date
    """The last day on which it holds."""
    issued: str
    """RFC 3339."""

    @property
    def place(self) -> str:
        """Say where it stands, as `stacks/vex/a.openvex.json#0`."""
        return f"{self.file}#{self.number}"


def parse_vex(data: bytes, *, file: str, stack: str = "") -> tuple[Waiver, ...]:
    """Read a file of waivers.

    Args:
        data: its bytes.
        file: how errors name it.
        stack: whose folder it lies in; empty for that of all stacks.

    Raises:
        IssuesError: with everything that is wrong.
        InvalidInputError: it is no OpenVEX document at all.
    """
    try:
        top = Fields(parse_object(data, context=file), context=file)
        top.only(_DOCUMENT)
        if not top.text("@context").startswith("https://openvex.dev/ns"):
            raise InvalidInputError("is no OpenVEX document", context=f"{file}: @context", hint=f"write {CONTEXT}")
        for key in ("@id", "author", "timestamp"):
            top.text(key)
        top.count("version")
        rows, issued = top.objects("statements"), top.text("timestamp")
    except IntegrityError as error:
        raise InvalidInputError(error.message, context=error.context, hint="docs/scanning.md shows one") from error
    found: list[Waiver] = []
    issues: list[BuilderError] = []
    for number, row in enumerate(rows):
        try:
            found.append(_read_statement(row, file=file, number=number, stack=stack, issued=issued))
        except InvalidInputError as error:
            issues.append(
                InvalidInputError(error.message, context=error.context or row.context, hint=error.hint)
                if isinstance(error, IntegrityError)
                else error
            )
    if issues:
        raise IssuesError(issues)
    return tuple(found)


def _read_statement(row: Fields, *, file: str, number: int, stack: str, issued: str) -> Waiver:
    row.only(_STATEMENT)
    vulnerability = row.child("vulnerability")
    vulnerability.only(("@id", "name", "description", "aliases"))
    status, reason, trailers = row.text("status"), *_split_notes(row.optional_text("status_notes"))
    waiver = Waiver(
        file=file,
        number=number,
        stack=stack,
        id=vulnerability.text("name"),
        aliases=vulnerability.texts("aliases"),
        products=_read_products(row),
        status=status,
        justification=row.optional_text("justification"),
        statement=row.optional_text("action_statement" if status == "affected" else "impact_statement"),
        reason=reason,
        owner=trailers.get(OWNER, ""),
        expires=_read_end(trailers, row.context),
        issued=row.optional_text("timestamp") or issued,
    )
    check_waiver(waiver, context=row.context)
    unknown = sorted(trailers.keys() - {OWNER, EXPIRES})
    if unknown:
        raise InvalidInputError(f"unknown line {unknown[0]!r}", context=f"{row.context}: status_notes")
    return waiver


def check_waiver(waiver: Waiver, *, context: str) -> None:
    """Refuse a waiver that says too little; raises InvalidInputError."""

    def refuse(key: str, message: str, hint: str) -> None:
        raise InvalidInputError(message, context=f"{context}: {key}" if context else key, hint=hint)

    if not _NAME.match(waiver.id):
        refuse("vulnerability", f"{waiver.id[:80]!r} names no weakness", "as CVE-2026-1234")
    if waiver.status not in STATUSES:
        refuse("status", f"unknown status {waiver.status[:80]!r}", f"one of: {', '.join(STATUSES)}")
    if not waiver.products:
        refuse("products", "names no package", 'as [{"@id": "pkg:pypi/requests@2.19.0"}]')
    if waiver.status == "not_affected" and bool(waiver.justification) == bool(waiver.statement):
        hint = f"state one of them; justifications: {', '.join(JUSTIFICATIONS)}"
        refuse("justification", "not_affected needs a justification or an impact_statement", hint)
    if waiver.justification and waiver.justification not in JUSTIFICATIONS:
        refuse("justification", f"unknown {waiver.justification[:80]!r}", f"one of: {', '.join(JUSTIFICATIONS)}")
    if waiver.status == "affected" and not waiver.statement:
        refuse("action_statement", "affected needs an action_statement", "say what is done about it, and when")
    if not waiver.reason.strip():
        refuse("status_notes", "gives no reason", "say how it is known that it may pass")
    if not waiver.owner:
        refuse("status_notes", "names no owner", f"end the notes with the line: {OWNER}: team:name")


def _read_end(trailers: Mapping[str, str], context: str) -> dt.date:
    hint = f"end the notes with the line: {EXPIRES}: 2027-03-31"
    text = trailers.get(EXPIRES, "")
    if not text:
        raise InvalidInputError("never expires", context=f"{context}: status_notes", hint=hint)
    try:
        return dt.date.fromisoformat(text)
    except ValueError as error:
        raise InvalidInputError(f"{text[:80]!r} is no date", context=f"{context}: status_notes", hint=hint) from error


def _read_products(row: Fields) -> tuple[str, ...]:
    found = []
    for product in row.objects("products"):
        product.only(("@id", "identifiers", "hashes", "subcomponents"))
        if product.has("subcomponents"):
            hint = "name the package itself: which stacks it is for, its folder says"
            raise InvalidInputError("subcomponents are not read", context=product.context, hint=hint)
        text = product.optional_text("@id")
        if not text.startswith("pkg:") and product.has("identifiers"):
            text = product.child("identifiers").optional_text("purl")
        found.append(check_product(text, context=product.context))
    return tuple(found)


def check_product(text: str, *, context: str) -> str:
    """Give a package URL back in its canonical form.

    Raises:
        InvalidInputError: it is none, or has qualifiers, which differ from platform to platform.
    """
    hint = "as pkg:pypi/requests@2.19.0 or pkg:deb/debian/openssl@3.5.1-1; without a version it is for all of them"
    try:
        product = PackageURL.from_string(text)
    except ValueError as error:
        raise InvalidInputError(f"{text[:120]!r} is no package URL", context=context, hint=hint) from error
    if product.qualifiers or product.subpath:
        raise InvalidInputError("has qualifiers", context=context, hint=f"leave out what stands behind `?`: {hint}")
    return product.to_string()


def _split_notes(notes: str) -> tuple[str, Mapping[str, str]]:
    """Part notes into what is for people, and the last lines that are ours."""
    lines = notes.rstrip().split("\n")
    trailers: dict[str, str] = {}
    while lines and (found := _TRAILER.match(lines[-1].strip())):
        trailers.setdefault(found[1], found[2].strip())
        lines.pop()
    return "\n".join(lines).rstrip(), trailers


def dump_vex(waivers: Sequence[Waiver], *, author: str) -> bytes:
    """Write waivers as one document; bytes are stable, and its name follows from them.

    The notes are those of each statement; `trivy --vex` leaves out what is `not_affected` or `fixed`.
    """
    statements = [_statement_to_json(waiver) for waiver in sorted(waivers)]
    issued = max((waiver.issued for waiver in waivers), default="")
    body = {"author": author, "timestamp": issued, "version": 1, "statements": statements}
    name = f"urn:airflow-kubler:vex:{Digest.of(dump_json(body)).hex}"
    text = json.dumps({"@context": CONTEXT, "@id": name, **body}, indent=2, ensure_ascii=False)
    return f"{text}\n".encode()


def _statement_to_json(waiver: Waiver) -> dict[str, Any]:
    vulnerability: dict[str, Any] = {"name": waiver.id}
    if waiver.aliases:
        vulnerability["aliases"] = list(waiver.aliases)
    value: dict[str, Any] = {
        "vulnerability": vulnerability,
        "timestamp": waiver.issued,
        "products": [{"@id": product} for product in waiver.products],
        "status": waiver.status,
        "status_notes": f"{waiver.reason}\n\n{OWNER}: {waiver.owner}\n{EXPIRES}: {waiver.expires.isoformat()}",
    }
    if waiver.justification:
        value["justification"] = waiver.justification
    if waiver.statement:
        value["action_statement" if waiver.status == "affected" else "impact_statement"] = waiver.statement
    return value


def products_of(purls: Iterable[str]) -> tuple[str, ...]:
    """List package URLs for a waiver, each once, sorted."""
    return tuple(sorted(set(purls)))
