"""Sign: statements about an image, sealed by a key or an identity, and put beside it in its registry.

What a key has signed once is not signed again: keys in tokens give another signature each time, and two bundles that say the same
are one too many. By a key in a file the same statement gives the same bytes on any machine.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

from builder.attest.bundle import Bundle, parse_bundle
from builder.attest.kinds import SIGNATURE, predicate_type
from builder.attest.sealing import Opener, Sealer, open_bundle
from builder.attest.statement import Statement, dump_statement
from builder.digest import Digest
from builder.errors import IntegrityError, SignatureError
from builder.registry.model import Registry
from builder.usecase.attached import Artifact, attach_bundle, created_of, find_bundles, platforms_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Signatory:
    """Who signs, and what knows his signatures again."""

    sealer: Sealer
    opener: Opener | None = None
    """None for an identity, whose signatures are not looked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """A bundle that is beside an artifact now."""

    artifact: Artifact
    predicate_type: str
    manifest: Digest
    bundle: Bundle
    signer: str
    is_new: bool
    """It was not there before."""


def sign_artifacts(
    registry: Registry, artifact: Artifact, signatory: Signatory, *, recursive: bool, created: str = ""
) -> tuple[Sealed, ...]:
    """Sign the digest of an artifact, and, where it is an index, of each manifest that it lists.

    Args:
        registry: that holds it.
        artifact: there.
        signatory: who signs.
        recursive: the manifests of an index too.
        created: RFC 3339, of the bundles' manifests; empty for the artifact's own.

    Returns:
        The artifact's own first.

    Raises:
        SignatureError: the key cannot be used.
        RegistryError: the registry refuses or fails.
    """
    artifacts = (artifact, *(platforms_of(registry, artifact) if recursive else ()))
    created = created or created_of(registry, artifact)
    uri = predicate_type(SIGNATURE)
    return tuple(
        seal_and_attach(
            registry,
            one,
            Statement(digest=one.digest, name=str(one.repository), predicate_type=uri, predicate={}),
            signatory,
            created=created,
        )
        for one in artifacts
    )


def seal_and_attach(
    registry: Registry, artifact: Artifact, statement: Statement, signatory: Signatory, *, created: str = ""
) -> Sealed:
    """Seal a statement and put it beside what it is about.

    Raises:
        SignatureError: it is about something else, or the key cannot be used.
        RegistryError: the registry refuses or fails.
    """
    if statement.digest != artifact.digest:
        raise SignatureError(
            f"the statement is about {statement.digest}",
            context=str(artifact.reference),
            hint="name the image that it was made for",
        )
    payload = dump_statement(statement)
    kind, sealer = statement.predicate_type, signatory.sealer
    there = _find_same(registry, artifact, payload, signatory.opener)
    if there is not None:
        manifest, bundle = there
    else:
        data = sealer.seal(payload)
        bundle = parse_bundle(data, context=sealer.name)
        manifest = attach_bundle(registry, artifact, data, kind, created or created_of(registry, artifact))
    return Sealed(
        artifact=artifact,
        predicate_type=kind,
        manifest=manifest,
        bundle=bundle,
        signer=sealer.name,
        is_new=there is None,
    )


def _find_same(
    registry: Registry, artifact: Artifact, payload: bytes, opener: Opener | None
) -> tuple[Digest, Bundle] | None:
    """Find a bundle in which the same signer says the same."""
    if opener is None:
        return None
    for one in find_bundles(registry, artifact)[0]:
        with contextlib.suppress(SignatureError, IntegrityError):
            if one.bundle.envelope.payload == payload and open_bundle(one.bundle, (opener,), context=str(one.manifest)):
                return one.manifest, one.bundle
    return None
