"""Signing by an identity instead of a key: the sigstore library, behind the seam of sealing.py.

The runner's own token (of GitHub Actions, GitLab and the like) is exchanged for a short-lived certificate at Fulcio, and the signature is
written into the transparency log Rekor: both need the network, and both publish who signed and when. What is verified is the
identity in the certificate, the issuer that vouches for it, and that the log has the signature.

A thin adapter on purpose: the library knows the protocol, its roots of trust and their rotation.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from builder.attest.bundle import Bundle
from builder.errors import InvalidInputError, SignatureError, ToolError

if TYPE_CHECKING:
    from sigstore.models import Bundle as SigstoreBundle

KEYLESS: Final = "keyless"
"""What stands in place of a key."""
_INSTALL: Final = 'install it with: pip install "airflow-kubler[keyless]"'


class _Signing(Protocol):
    """sigstore.sign.Signer, as far as it is used."""

    def sign_dsse(self, input_: Any) -> SigstoreBundle:
        """Sign a statement."""


class _Verifying(Protocol):
    """sigstore.verify.Verifier, as far as it is used."""

    def verify_dsse(self, bundle: SigstoreBundle, policy: Any) -> tuple[str, bytes]:
        """Verify a bundle; gives type and bytes of what was signed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeylessSealer:
    """Seals by an identity."""

    signer: _Signing
    name: str
    """As `https://github.com/team/repo/.github/workflows/w.yml@refs/heads/main (https://token...)`."""

    def seal(self, statement: bytes) -> bytes:
        """Sign a statement; another time gives another bundle."""
        from sigstore.dsse import Statement
        from sigstore.errors import Error

        try:
            return self.signer.sign_dsse(Statement(statement)).to_json().encode()
        except Error as error:
            raise SignatureError(f"sigstore does not sign: {error}", context=self.name) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class KeylessOpener:
    """Knows one identity."""

    verifier: _Verifying
    identity: str
    issuer: str

    def signer_of(self, bundle: Bundle, *, context: str) -> str:
        """Tell that the identity has signed."""
        if not bundle.is_keyless:
            raise SignatureError("is signed by a key, and an identity is wanted", context=context)
        from sigstore.errors import Error
        from sigstore.models import Bundle as SigstoreBundle
        from sigstore.verify.policy import Identity

        try:
            parsed = SigstoreBundle.from_json(bundle.data)
            policy = Identity(identity=self.identity, issuer=self.issuer)
            kind, payload = self.verifier.verify_dsse(parsed, policy)
        except (Error, ValueError) as error:
            # ValueError: certificates that are none.
            raise SignatureError(f"does not hold: {error}", context=context) from error
        if (kind, payload) != (bundle.envelope.payload_type, bundle.envelope.payload):
            # Two readers of one bundle must not see two things.
            raise SignatureError("holds for something else than what stands in it", context=context)
        return f"{self.identity} ({self.issuer})"


@contextmanager
def open_keyless_sealer() -> Iterator[KeylessSealer]:
    """Get a certificate for the identity that this runner has.

    Raises:
        InvalidInputError: it has none.
        ToolError: sigstore is not installed, or cannot be reached.
    """
    with _sigstore():
        from sigstore.models import ClientTrustConfig
        from sigstore.oidc import IdentityToken, detect_credential
        from sigstore.sign import SigningContext

        token = detect_credential()
        if token is None:
            raise InvalidInputError(
                "this machine has no identity that a certificate is given for",
                context=KEYLESS,
                hint="on GitHub Actions add `permissions: id-token: write`; elsewhere sign by a key",
            )
        identity = IdentityToken(token)
        context = SigningContext.from_trust_config(ClientTrustConfig.production())
        with context.signer(identity) as signer:
            yield KeylessSealer(signer=signer, name=f"{identity.identity} ({identity.federated_issuer})")


def make_keyless_opener(identity: str, issuer: str) -> KeylessOpener:
    """Make what knows one identity; raises ToolError where sigstore is not installed, or its roots cannot be had."""
    with _sigstore():
        from sigstore.verify import Verifier

        return KeylessOpener(verifier=Verifier.production(), identity=identity, issuer=issuer)


@contextmanager
def _sigstore() -> Iterator[None]:
    try:
        import sigstore.errors
    except ImportError as error:
        raise ToolError("signing by identity needs sigstore", hint=_INSTALL) from error
    try:
        yield
    except sigstore.errors.Error as error:
        raise ToolError(f"sigstore cannot be used: {error}", hint="it needs the network, and an identity") from error
