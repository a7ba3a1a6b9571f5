"""In-toto statements: a predicate on an artifact that is named by digest.

A statement here has one subject. In-toto lets it have several; then nobody can tell which of them a bill of materials or a
provenance is about, and a signature over a good artifact and a bad one would serve for both.

Source: in-toto/attestation, spec/v1/statement.md and resource_descriptor.md; spec/v0.1.0, which cosign 3.1 still writes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from builder.canonical import dump_json
from builder.digest import Digest
from builder.errors import IntegrityError, InvalidInputError
from builder.oci.fields import Fields, parse_object

STATEMENT_TYPE: Final = "https://in-toto.io/Statement/v1"
_OLD_TYPE: Final = "https://in-toto.io/Statement/v0.1"
"""Differs in nothing that is read here."""
PAYLOAD_TYPE: Final = "application/vnd.in-toto+json"
"""Of a statement in an envelope."""
MAX_STATEMENT_BYTES: Final = 12 << 20
"""A bill of materials of a thousand components has about two MiB."""
_LONGEST_TYPE: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """A statement."""

    digest: Digest
    """What it is about."""
    name: str = ""
    """Of that, for readers: only the digest counts."""
    predicate_type: str
    predicate: Mapping[str, Any]


def dump_statement(statement: Statement) -> bytes:
    """Write a statement; bytes are stable.

    Raises:
        InvalidInputError: it is longer than what is read.
    """
    data = dump_json(
        {
            "_type": STATEMENT_TYPE,
            "subject": [
                {
                    **({"name": statement.name} if statement.name else {}),
                    "digest": {"sha256": statement.digest.hex},
                }
            ],
            "predicateType": statement.predicate_type,
            "predicate": statement.predicate,
        }
    )
    if len(data) > MAX_STATEMENT_BYTES:
        raise InvalidInputError(
            f"a statement of {len(data)} bytes; at most {MAX_STATEMENT_BYTES} are read",
            context=statement.predicate_type,
            hint="leave out what is not about the image, as lists of files",
        )
    return data


def parse_statement(data: bytes, *, context: str) -> Statement:
    """Read a statement.

    Args:
        data: untrusted.
        context: where it stands, for errors.

    Raises:
        IntegrityError: it is none, is about several artifacts, or names its own otherwise than by sha256.
    """
    fields = Fields(parse_object(data, context=context, most=MAX_STATEMENT_BYTES), context=context)
    if fields.text("_type") != _OLD_TYPE:
        fields.exactly("_type", STATEMENT_TYPE)
    subjects = fields.objects("subject")
    if len(subjects) != 1:
        raise IntegrityError(f"is about {len(subjects)} artifacts, and must be about one", context=context)
    predicate_type = fields.text("predicateType")
    if not predicate_type.isprintable() or len(predicate_type) > _LONGEST_TYPE:
        raise IntegrityError("predicateType is no URI", context=context)
    return Statement(
        digest=_parse_digest(subjects[0]),
        name=subjects[0].optional_text("name"),
        predicate_type=predicate_type,
        # cosign's own statements say nothing beside their type.
        predicate=fields.child("predicate").value if fields.has("predicate") else {},
    )


def _parse_digest(subject: Fields) -> Digest:
    found = subject.child("digest").text("sha256")
    try:
        return Digest(found)
    except InvalidInputError as error:
        raise IntegrityError(error.message, context=subject.context) from error
