"""Attest: a statement about an image, made here or given in a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from builder.attest.kinds import PREDICATE_TYPES, SIGNATURE, kind_of, predicate_type
from builder.attest.statement import MAX_STATEMENT_BYTES, Statement, parse_statement
from builder.errors import IntegrityError, InvalidInputError
from builder.ledger.model import LedgerReader
from builder.oci.fields import parse_object
from builder.registry.model import Registry
from builder.usecase.attached import Artifact
from builder.usecase.image_inputs import Source, locks_of_archive, read_inputs, read_subject
from builder.usecase.predicates import Subject, Told, make_predicates
from builder.usecase.sbom import FactTools, iter_bills


def made_statements(
    registry: Registry,
    artifact: Artifact,
    kind: str,
    *,
    locks: Sequence[Source],
    ledger: LedgerReader | None,
    facts: FactTools,
    told: Told,
) -> tuple[Statement, ...]:
    """Make statements by our own makers: one, or of bills of materials one for each platform.

    Args:
        registry: that holds the image.
        artifact: the image's index, or the manifest of one platform.
        kind: as `predicate_type` takes it.
        locks: where locks may lie, beside the ledger and the image's archive.
        ledger: that may know it.
        facts: reads the files that the locks name.
        told: what the caller says of the build.

    Raises:
        BuilderError: of any family: what the maker needs is not there.
    """
    image = read_subject(registry, artifact)
    known = (ledger.document,) if ledger is not None else ()
    sources = (*locks, *known, locks_of_archive(registry, image.shipped))
    uri = predicate_type(kind)
    subject = Subject(
        digest=artifact.digest,
        image=image.built,
        inputs=lambda: read_inputs(image, sources),
        bills=lambda form: iter_bills(image, read_inputs(image, sources), form, facts),
        ledger=ledger,
        told=told,
    )
    return tuple(_statement(artifact, uri, predicate) for predicate in make_predicates(kind_of(uri), subject))


def statement_of_predicate(artifact: Artifact, kind: str, data: bytes, *, file: str) -> Statement:
    """Make a statement of a predicate in a file.

    Raises:
        InvalidInputError: it is of a plain signature, which says nothing.
        IntegrityError: it is no JSON object.
    """
    uri = predicate_type(kind)
    if uri == PREDICATE_TYPES[SIGNATURE]:
        raise InvalidInputError(
            "a signature says nothing beside the digest", context=kind, hint="use: airflow-kubler sign"
        )
    return _statement(artifact, uri, parse_object(data, context=file, most=MAX_STATEMENT_BYTES))


def statement_of_file(artifact: Artifact, kind: str, data: bytes, *, file: str) -> Statement:
    """Read a whole statement from a file, as `verify --rebuild --attest` writes it.

    Args:
        artifact: that it must be about.
        kind: that it must be of; empty for any.
        data: the file.
        file: its name, for errors.

    Raises:
        IntegrityError: it is no statement, about something else, or of another kind.
    """
    statement = parse_statement(data, context=file)
    if statement.digest != artifact.digest:
        raise IntegrityError(f"is about {statement.digest}, not {artifact.digest}", context=file)
    if kind and statement.predicate_type != predicate_type(kind):
        raise IntegrityError(f"is of the kind {kind_of(statement.predicate_type)}, not {kind}", context=file)
    return statement


def _statement(artifact: Artifact, uri: str, predicate: Mapping[str, Any]) -> Statement:
    return Statement(digest=artifact.digest, name=str(artifact.repository), predicate_type=uri, predicate=predicate)
