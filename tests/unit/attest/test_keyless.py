"""Signing by identity: the seam, with a fake in the place of Fulcio and Rekor, which cannot be had here."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import Any

import pytest
from sigstore.errors import VerificationError

from builder.attest.bundle import Bundle, parse_bundle
from builder.attest.keyless import KeylessOpener, KeylessSealer, make_keyless_opener
from builder.attest.sealing import KeyOpener, open_bundle
from builder.digest import Digest
from builder.errors import SignatureError, ToolError
from tests.support.signing import make_bundle, make_key, make_statement

IMAGE = Digest.of(b"image")


def keyless_bundle() -> Bundle:
    """Make what looks like a bundle of an identity: a certificate in place of the key."""
    value = json.loads(make_bundle(IMAGE).data)
    value["verificationMaterial"] = {
        "certificate": {"rawBytes": "AAAA"},
        "tlogEntries": [],
        "timestampVerificationData": {"rfc3161Timestamps": []},
    }
    return parse_bundle(json.dumps(value).encode(), context="bundle")


@dataclass(frozen=True)
class FakeSigning:
    """Gives one bundle for everything."""

    def sign_dsse(self, input_: Any) -> Any:
        del input_

        class Given:
            def to_json(self) -> str:
                return keyless_bundle().data.decode()

        return Given()


def test_a_sealer_gives_what_sigstore_gives() -> None:
    sealer = KeylessSealer(signer=FakeSigning(), name="me (issuer)")
    bundle = parse_bundle(sealer.seal(make_statement(IMAGE)), context="bundle")
    assert bundle.is_keyless
    assert bundle.hint == ""


def test_a_certificate_is_no_key_and_a_key_no_certificate() -> None:
    with pytest.raises(SignatureError, match="by an identity, and only keys are known"):
        open_bundle(keyless_bundle(), (KeyOpener((make_key().public,)),), context="bundle")
    opener = KeylessOpener(verifier=Fake(), identity="me", issuer="issuer")
    with pytest.raises(SignatureError, match="by a key, and an identity is wanted"):
        opener.signer_of(make_bundle(IMAGE), context="bundle")


class Fake:
    """Stands for sigstore's verifier."""

    def __init__(self, *, payload: bytes = b"", holds: bool = True) -> None:
        self.payload, self.holds = payload, holds

    def verify_dsse(self, bundle: Any, policy: Any) -> tuple[str, bytes]:
        del bundle, policy
        if not self.holds:
            raise VerificationError("certificate's SAN is another")
        return "application/vnd.in-toto+json", self.payload


def test_a_bundle_that_sigstore_cannot_read_does_not_hold() -> None:
    """The real library reads it: this one has no entry of the log."""
    opener = KeylessOpener(verifier=Fake(), identity="me", issuer="issuer")
    with pytest.raises(SignatureError, match="does not hold"):
        open_bundle(keyless_bundle(), (opener,), context="bundle")


def test_without_the_library_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sigstore.errors", None)
    with pytest.raises(ToolError, match=r"pip install \"airflow-kubler\[keyless\]\""):
        make_keyless_opener("me", "issuer")
