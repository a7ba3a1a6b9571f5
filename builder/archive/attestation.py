"""Statements on rebuilds: who made an image again, from what, and whether it came out the same. Pure; not signed here.

Source: in-toto/attestation, spec/v1/statement.md.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from builder.canonical import dump_json
from builder.digest import Digest
from builder.oci.config import format_time
from builder.oci.fields import Fields, parse_object

STATEMENT_TYPE: Final = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE: Final = "urn:airflow-kubler:rebuild:v1"
SAME: Final = "same"
DIFFERENT: Final = "different"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuild:
    """One rebuild."""

    name: str
    """Of the image, as `registry.example.org/team/airflow`."""
    digest: Digest
    """Of the image index."""
    stack: str
    lock: Digest
    archive: Digest
    rebuilder: str
    """Who and where, as `alice@build-7`: only a signature proves it."""
    version: str
    """Of this program."""
    started: int
    """Seconds since the epoch."""
    finished: int
    rebuilt: Digest
    """What came out."""
    first_difference: str = ""
    """Empty where it is the same."""

    @property
    def is_same(self) -> bool:
        """Tell whether the digest came out again."""
        return self.rebuilt == self.digest


def dump_statement(rebuild: Rebuild) -> bytes:
    """Write an in-toto statement; bytes are stable."""
    predicate: dict[str, Any] = {
        "verdict": SAME if rebuild.is_same else DIFFERENT,
        "rebuilt": {"sha256": rebuild.rebuilt.hex},
        "rebuilder": {"id": rebuild.rebuilder, "version": rebuild.version},
        "stack": rebuild.stack,
        "materials": [
            {"name": "lock", "digest": {"sha256": rebuild.lock.hex}},
            {"name": "archive", "digest": {"sha256": rebuild.archive.hex}},
        ],
        "startedOn": format_time(rebuild.started),
        "finishedOn": format_time(rebuild.finished),
    }
    if rebuild.first_difference:
        predicate["firstDifference"] = rebuild.first_difference
    return dump_json(
        {
            "_type": STATEMENT_TYPE,
            "subject": [{"name": rebuild.name, "digest": {"sha256": rebuild.digest.hex}}],
            "predicateType": PREDICATE_TYPE,
            "predicate": predicate,
        }
    )


def count_rebuilders(statements: Iterable[bytes], digest: Digest) -> int:
    """Count who says that an image came out the same, each once: for policies that want N of M.

    Args:
        statements: whose signatures were checked by the caller.
        digest: of the image index.

    Raises:
        IntegrityError: one is no statement on a rebuild.
    """
    found = set()
    for number, data in enumerate(statements):
        context = f"statement {number + 1}"
        fields = Fields(parse_object(data, context=context), context=context)
        fields.exactly("_type", STATEMENT_TYPE)
        fields.exactly("predicateType", PREDICATE_TYPE)
        predicate = fields.child("predicate")
        named = any(subject.child("digest").text("sha256") == digest.hex for subject in fields.objects("subject"))
        if named and predicate.text("verdict") == SAME and predicate.child("rebuilt").text("sha256") == digest.hex:
            found.add(predicate.child("rebuilder").text("id"))
    return len(found)
