"""Verify what is signed of an image of ours, or of any other: the policy that its own documents and a ledger make."""

from __future__ import annotations

from collections.abc import Sequence

from builder.attest.kinds import PREDICATE_TYPES, PROVENANCE, REBUILD
from builder.attest.provenance_check import Claims, Expected, check_provenance
from builder.attest.sealing import Opener
from builder.attest.statement import Statement
from builder.attest.trust import Trust, TrustedKey
from builder.errors import InvalidInputError, SignatureError
from builder.ledger.model import LedgerReader
from builder.registry.model import Registry
from builder.usecase.attached import Artifact
from builder.usecase.image_inputs import ImageSubject, read_subject
from builder.usecase.record_signatures import first_seen
from builder.usecase.verify_signatures import Judge, Policy, Verified, judge_artifact, judge_rebuild


def verify_image(
    registry: Registry,
    artifact: Artifact,
    *,
    trust: Trust,
    openers: Sequence[Opener],
    now: int,
    ledger: LedgerReader | None,
    builders: Sequence[str] = (),
) -> Verified:
    """Find out what of an image's bundles holds.

    Args:
        registry: that holds it.
        artifact: an image's index, the manifest of a platform, or anything else.
        trust: what keys may.
        openers: what knows signers.
        now: seconds since the epoch.
        ledger: that may have seen bundles before.
        builders: ids that provenance may name; any of ours where empty.

    Raises:
        RegistryError: the registry fails.
    """
    image = _image(registry, artifact)
    uri = PREDICATE_TYPES[PROVENANCE]
    policy = Policy(
        openers=tuple(openers),
        trust=trust,
        stack=image.stack if image is not None else "",
        now=now,
        first_seen=(lambda digest, bundle: first_seen(ledger, digest, bundle)) if ledger is not None else _never,
        judges={
            PREDICATE_TYPES[REBUILD]: judge_rebuild,
            uri: _judge_provenance(image, builders) if image is not None else _refuse_provenance,
        },
    )
    return judge_artifact(registry, artifact, policy)


def _never(*_: object) -> None:
    return None


def _image(registry: Registry, artifact: Artifact) -> ImageSubject | None:
    """Read an image of ours; None for anything else that may be signed."""
    try:
        return read_subject(registry, artifact)
    except InvalidInputError:
        return None


def _judge_provenance(image: ImageSubject, builders: Sequence[str]) -> Judge:
    expected = Expected(stack=image.stack, lock=image.lock, image=image.built, builders=tuple(builders))

    def judge(statement: Statement, key: TrustedKey | None, context: str) -> Claims:
        claims = check_provenance(statement.predicate, expected, context=context)
        if key is not None and key.builders and claims.builder not in key.builders:
            raise SignatureError(f"names the builder {claims.builder[:120]!r}, which {key.name} may not speak for")
        return claims

    return judge


def _refuse_provenance(statement: Statement, key: TrustedKey | None, context: str) -> None:
    del statement, key
    raise SignatureError(
        "is of an image that says nothing of its lock: there is nothing to hold it against", context=context
    )
