"""Kinds of statements: the short names that people write, and the predicate types that stand in statements.

Source: in-toto/attestation, spec/predicates; sigstore/cosign, specs/COSIGN_VULN_ATTESTATION_SPEC.md.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from builder.errors import InvalidInputError

SIGNATURE: Final = "signature"
PROVENANCE: Final = "provenance"
CYCLONEDX: Final = "sbom-cyclonedx"
SPDX: Final = "sbom-spdx"
REBUILD: Final = "rebuild"
SCAN: Final = "scan"

PREDICATE_TYPES: Final[Mapping[str, str]] = {
    # Of a plain signature: it says nothing but that the digest was signed.
    SIGNATURE: "https://sigstore.dev/cosign/sign/v1",
    PROVENANCE: "https://slsa.dev/provenance/v1",
    CYCLONEDX: "https://cyclonedx.org/bom",
    SPDX: "https://spdx.dev/Document",
    REBUILD: "urn:airflow-kubler:rebuild:v1",
    SCAN: "https://cosign.sigstore.dev/attestation/vuln/v1",
}
"""By the short name."""

COSIGN_NAMES: Final[Mapping[str, str]] = {
    "slsaprovenance1": PROVENANCE,
    "cyclonedx": CYCLONEDX,
    "spdxjson": SPDX,
    "vuln": SCAN,
}
"""What cosign calls them: taken for the short name wherever a kind is named."""

_NAMES: Final = {uri: name for name, uri in PREDICATE_TYPES.items()}
_URI: Final = re.compile(r"(?:https?://|urn:)[!-~]{1,490}\Z")


def predicate_type(kind: str) -> str:
    """Find the predicate type of a kind: a short name, cosign's name, or a URI, which stands for itself.

    Raises:
        InvalidInputError: it is none of them.

    >>> predicate_type("spdxjson") == predicate_type("sbom-spdx")
    True
    """
    kind = COSIGN_NAMES.get(kind, kind)
    if kind in PREDICATE_TYPES:
        return PREDICATE_TYPES[kind]
    if not _URI.match(kind):
        raise InvalidInputError(
            f"not a kind of statement: {kind[:80]!r}",
            hint=f"one of {', '.join(PREDICATE_TYPES)}; or the URI of a predicate type",
        )
    return kind


def kind_of(uri: str) -> str:
    """Name a predicate type as people do; one that has no short name stands for itself.

    >>> kind_of("https://slsa.dev/provenance/v1")
    'provenance'
    """
    return _NAMES.get(uri, uri)
