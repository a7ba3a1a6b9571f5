"""Provenance held against what is expected of an image, once it is known who has signed it. Pure.

A verifier that knows some fields and passes over others can be told anything in those others. So every external parameter must
be known, and the image's own word (its labels) must agree. Provenance of another build type is another's to judge.

Source: slsa-framework/slsa, docs/spec/v1.1/verifying-artifacts.md, "Step 2: Check expectations".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from builder.attest.provenance import BUILD_TYPE, BUILDER, PARAMETERS, BuiltImage
from builder.digest import Digest
from builder.errors import SignatureError
from builder.oci.fields import Fields


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What an image says itself."""

    stack: str
    lock: Digest
    image: BuiltImage
    builders: tuple[str, ...] = ()
    """Ids that are allowed; any of ours where empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """What a provenance says that holds only as far as its signer is believed."""

    builder: str
    hermetic: bool
    pinned_dependencies: str
    """`all`, or empty."""
    invocation: str
    dependencies: int


def check_provenance(predicate: Mapping[str, Any], expected: Expected, *, context: str) -> Claims:
    """Hold a provenance against an image.

    Args:
        predicate: of a statement whose signer is trusted.
        expected: of the image that it is about.
        context: for errors.

    Raises:
        SignatureError: it is of another build type, builder, lock, stack, platform or compression, or says more than is known.
        IntegrityError: it has not the shape of provenance.
    """
    top = Fields(predicate, context=context)
    definition, details = top.child("buildDefinition"), top.child("runDetails")
    if definition.text("buildType") != BUILD_TYPE:
        raise _refusal(f"is of the build type {definition.text('buildType')[:80]!r}, not {BUILD_TYPE}", context)
    builder = details.child("builder").text("id")
    if not _is_allowed(builder, expected.builders):
        allowed = ", ".join(expected.builders) or f"{BUILDER}:..."
        raise _refusal(f"names the builder {builder[:120]!r}; allowed are {allowed}", context)
    _check_parameters(definition.child("externalParameters"), expected, context)
    inner = definition.child("internalParameters") if definition.has("internalParameters") else Fields({}, context="")
    metadata = details.child("metadata") if details.has("metadata") else Fields({}, context="")
    return Claims(
        builder=builder,
        hermetic=inner.value.get("hermetic") is True,
        pinned_dependencies="all" if inner.value.get("pinnedDependencies") == "all" else "",
        invocation=metadata.optional_text("invocationId"),
        dependencies=len(definition.objects("resolvedDependencies")),
    )


def _is_allowed(builder: str, allowed: Sequence[str]) -> bool:
    return builder in allowed if allowed else builder.startswith(f"{BUILDER}:")


def _check_parameters(found: Fields, expected: Expected, context: str) -> None:
    unknown = sorted(set(found.value) - set(PARAMETERS))
    if unknown:
        raise _refusal(f"has an external parameter that is not known: {unknown[0][:80]!r}", context)
    wanted: dict[str, Any] = {
        "stack": expected.stack,
        "lock": str(expected.lock),
        "platforms": [platform.name for platform, _ in expected.image.platforms],
        "compression": expected.image.compression,
    }
    for name in PARAMETERS:
        if found.value.get(name) != wanted[name]:
            raise _refusal(f"says {name} {found.value.get(name)!r:.120}, and the image {wanted[name]!r:.120}", context)


def _refusal(message: str, context: str) -> SignatureError:
    return SignatureError(message, context=context)
