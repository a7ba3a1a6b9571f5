"""Statements, envelopes, bundles: the same bytes each time, and what is refused."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from builder.attest.bundle import (
    BUNDLE,
    MAX_BUNDLE_BYTES,
    dump_bundle,
    dump_bundle_manifest,
    parse_bundle,
    parse_bundle_manifest,
)
from builder.attest.dsse import Envelope, pre_authentication, seal
from builder.attest.keys import PublicKey
from builder.attest.kinds import kind_of, predicate_type
from builder.attest.sealing import KeyOpener, open_bundle
from builder.attest.statement import MAX_STATEMENT_BYTES, PAYLOAD_TYPE, Statement, dump_statement, parse_statement
from builder.digest import Digest
from builder.errors import BuilderError, IntegrityError, InvalidInputError, SignatureError
from builder.oci import media
from builder.oci.descriptor import describe
from tests.support.signing import make_bundle, make_key, make_statement

IMAGE = Digest.of(b"image")
OTHER = Digest.of(b"other")
KNOWN = (KeyOpener((make_key().public, make_key(2).public)),)


def test_a_bundle_is_a_function_of_statement_and_key() -> None:
    first, second = make_bundle(IMAGE, "provenance", a=1), make_bundle(IMAGE, "provenance", a=1)
    assert first.data == second.data
    assert first.digest.hex == "0299c7e04dc393ea5b963ee18ec3594fe25562c16fd02b6b5dc674f7d418400e"


def test_a_statement_reads_back() -> None:
    statement = Statement(digest=IMAGE, name="x", predicate_type="urn:example:v1", predicate={"a": ["b"]})
    assert parse_statement(dump_statement(statement), context="s") == statement


def test_a_bundle_tells_who_signed_and_what() -> None:
    statement, signer = open_bundle(make_bundle(IMAGE, key=make_key(2)), KNOWN, context="bundle")
    assert (statement.digest, kind_of(statement.predicate_type)) == (IMAGE, "signature")
    assert signer == make_key(2).public.fingerprint


def test_a_hint_is_not_believed() -> None:
    bundle = make_bundle(IMAGE, key=make_key(3))
    value = json.loads(bundle.data)
    value["verificationMaterial"]["publicKey"]["hint"] = make_key().public.hint
    lying = parse_bundle(json.dumps(value).encode(), context="bundle")
    assert lying.hint == make_key().public.hint
    with pytest.raises(SignatureError, match="none of the keys"):
        open_bundle(lying, KNOWN, context="bundle")


def test_the_hint_is_that_of_cosign() -> None:
    key = make_key().public
    assert make_bundle(IMAGE).hint == base64.b64encode(hashlib.sha256(key.spki).digest()).decode()


def test_what_cosign_writes_is_read() -> None:
    """The statement that cosign 3.1.1 makes of `attest`, which is of in-toto's version before."""
    old = {
        "_type": "https://in-toto.io/Statement/v0.1",
        "subject": [{"name": "127.0.0.1:41737/a/b", "digest": {"sha256": IMAGE.hex}}],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {},
    }
    assert parse_statement(json.dumps(old).encode(), context="s").digest == IMAGE


@dataclass(frozen=True)
class Bad:
    """A bundle changed in one place, and what is said of it."""

    name: str
    change: Callable[[dict[str, Any]], None]
    says: str


def _envelope(key: str, value: object) -> Callable[[dict[str, Any]], None]:
    def change(bundle: dict[str, Any]) -> None:
        bundle["dsseEnvelope"][key] = value

    return change


def _put(key: str, value: object) -> Callable[[dict[str, Any]], None]:
    def change(bundle: dict[str, Any]) -> None:
        bundle[key] = value

    return change


def _loose(bundle: dict[str, Any]) -> None:
    """Write the last group of a base64 with a bit that means nothing."""
    text = bundle["dsseEnvelope"]["payload"]
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    body, pads = text.rstrip("="), len(text) - len(text.rstrip("="))
    assert pads
    bundle["dsseEnvelope"]["payload"] = body[:-1] + alphabet[alphabet.index(body[-1]) + 1] + "=" * pads


SIGNATURE = {"sig": "AAAA"}
BAD = [
    Bad("another media type", _put("mediaType", "application/vnd.dev.sigstore.bundle+json;version=0.1"), "mediaType"),
    Bad("neither key nor certificate", _put("verificationMaterial", {}), "must name a key or hold a certificate"),
    Bad(
        "both key and certificate",
        _put("verificationMaterial", {"publicKey": {"hint": "x"}, "certificate": {"rawBytes": "AA=="}}),
        "must name a key or hold a certificate",
    ),
    Bad("no envelope", _put("dsseEnvelope", None), "only statements are read"),
    Bad("no signature", _envelope("signatures", []), "has no signature"),
    Bad("endless signatures", _envelope("signatures", [SIGNATURE] * 9), "has 9 signatures"),
    Bad("a signature that is no base64", _envelope("signatures", [{"sig": "!"}]), "is no base64"),
    Bad("a payload with white space", _envelope("payload", "e30 ="), "is no base64"),
    Bad("a payload of the other alphabet", _envelope("payload", "_-8="), "is no base64"),
    Bad("a payload in loose base64", _loose, "bits that mean nothing"),
    Bad("a payload that is a number", _envelope("payload", 7), "payload must be a string"),
]


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.name)
def test_a_bundle_of_another_form_is_refused(bad: Bad) -> None:
    value = json.loads(make_bundle(IMAGE, a="x").data)
    bad.change(value)
    with pytest.raises(IntegrityError, match=bad.says):
        parse_bundle(json.dumps(value).encode(), context="bundle")


def test_a_key_that_stands_twice_is_refused() -> None:
    data = make_bundle(IMAGE).data
    twice = data.replace(b'"payloadType":', b'"payload":"e30=","payloadType":')
    with pytest.raises(IntegrityError, match="'payload' stands twice"):
        parse_bundle(twice, context="bundle")
    statement = make_statement(IMAGE).replace(b'"predicateType":', b'"predicateType":"urn:other","predicateType":')
    with pytest.raises(IntegrityError, match="'predicateType' stands twice"):
        open_bundle(_sealed(statement), KNOWN, context="bundle")


def test_giant_bundles_and_statements_are_not_read() -> None:
    with pytest.raises(IntegrityError, match="more than the"):
        parse_bundle(b" " * (MAX_BUNDLE_BYTES + 1), context="bundle")
    with pytest.raises(IntegrityError, match="more than the"):
        parse_statement(b" " * (MAX_STATEMENT_BYTES + 1), context="statement")
    with pytest.raises(InvalidInputError, match="at most"):
        make_statement(IMAGE, "sbom-spdx", text="x" * MAX_STATEMENT_BYTES)


def _sealed(signed: bytes, kind: str = PAYLOAD_TYPE, **change: Any) -> Any:
    envelope = replace(seal(signed, kind, make_key()), **change)
    return parse_bundle(dump_bundle(envelope, make_key().public), context="bundle")


SUBJECT = {"digest": {"sha256": IMAGE.hex}}


def _statement(**fields: Any) -> bytes:
    value = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [SUBJECT],
        "predicateType": "urn:x",
        "predicate": {},
    }
    return json.dumps(value | fields).encode()


@pytest.mark.parametrize(
    ("bundle", "error", "says"),
    [
        (_sealed(make_statement(IMAGE), "text/plain"), IntegrityError, "is no statement but 'text/plain'"),
        (_sealed(make_statement(IMAGE), payload=make_statement(OTHER)), SignatureError, "none of the keys"),
        (_sealed(make_statement(IMAGE), "a", payload_type=PAYLOAD_TYPE), SignatureError, "none of the keys"),
        (_sealed(b"[]"), IntegrityError, "not a JSON object"),
        (_sealed(b'{"a": NaN}'), IntegrityError, "not JSON"),
        (_sealed(b"[" * 100_000), IntegrityError, "not JSON"),
        (_sealed(_statement(_type="https://in-toto.io/Statement/v2")), IntegrityError, "_type must be"),
        (_sealed(_statement(subject=[])), IntegrityError, "about 0 artifacts"),
        (
            _sealed(_statement(subject=[SUBJECT, {"digest": {"sha256": OTHER.hex}}])),
            IntegrityError,
            "about 2 artifacts",
        ),
        (_sealed(_statement(subject=[{"digest": {"sha512": "00"}}])), IntegrityError, "sha256 must be"),
        (_sealed(_statement(subject=[{"digest": {"sha256": IMAGE.hex.upper()}}])), IntegrityError, "subject"),
        (_sealed(_statement(predicateType="")), IntegrityError, "predicateType must be"),
        (_sealed(_statement(predicate=[])), IntegrityError, "not a JSON object"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_signed_is_looked_at_too(bundle: Any, error: type[BuilderError], says: str) -> None:
    with pytest.raises(error, match=says):
        open_bundle(bundle, KNOWN, context="bundle")


def test_a_signer_that_lies_about_its_key_is_found_before_anything_is_written() -> None:
    class Mixed:
        public: PublicKey = make_key(1).public

        def sign(self, data: bytes) -> bytes:
            return make_key(2).sign(data)

    with pytest.raises(SignatureError, match="its public key does not verify"):
        seal(b"x", "y", Mixed())


def test_type_and_payload_cannot_lend_each_other_bytes() -> None:
    assert pre_authentication("ab", b"c") != pre_authentication("a", b"bc")


def test_a_manifest_of_a_bundle_reads_back_and_is_stable() -> None:
    subject, bundle = describe(media.INDEX, b"image"), make_bundle(IMAGE)
    data = dump_bundle_manifest(subject, bundle.data, predicate_type("signature"), "2026-11-30T00:00:00Z")
    assert data == dump_bundle_manifest(subject, bundle.data, predicate_type("signature"), "2026-11-30T00:00:00Z")
    found = parse_bundle_manifest(data, context="m")
    assert found is not None
    assert (found.subject, found.layer.digest, found.created) == (IMAGE, bundle.digest, "2026-11-30T00:00:00Z")
    assert kind_of(found.predicate_type) == "signature"


def test_manifests_of_other_things_are_passed_over_and_bad_ones_refused() -> None:
    data = dump_bundle_manifest(describe(media.INDEX, b"image"), b"{}", "urn:x", "")
    value = json.loads(data)
    assert "org.opencontainers.image.created" not in value["annotations"]
    assert parse_bundle_manifest(json.dumps(value | {"artifactType": "x/y"}).encode(), context="m") is None
    with pytest.raises(IntegrityError, match="has 2 layers"):
        parse_bundle_manifest(json.dumps(value | {"layers": value["layers"] * 2}).encode(), context="m")
    large = {"mediaType": BUNDLE, "digest": str(IMAGE), "size": MAX_BUNDLE_BYTES + 1}
    with pytest.raises(IntegrityError, match="at most"):
        parse_bundle_manifest(json.dumps(value | {"layers": [large]}).encode(), context="m")


def test_kinds_have_short_names_and_uris_stand_for_themselves() -> None:
    assert predicate_type("provenance") == "https://slsa.dev/provenance/v1"
    assert predicate_type("https://example.org/x/v1") == kind_of("https://example.org/x/v1")
    for wrong in ("sbom", "ftp://x", "https://a b", "urn:"):
        with pytest.raises(InvalidInputError, match="not a kind of statement"):
            predicate_type(wrong)


def test_an_envelope_is_verified_whichever_of_its_signatures_is_ours() -> None:
    ours = seal(make_statement(IMAGE), PAYLOAD_TYPE, make_key())
    theirs = seal(make_statement(IMAGE), PAYLOAD_TYPE, make_key(9))
    both = Envelope(payload=ours.payload, payload_type=PAYLOAD_TYPE, signatures=(*theirs.signatures, *ours.signatures))
    bundle = parse_bundle(dump_bundle(both, make_key(9).public), context="bundle")
    assert open_bundle(bundle, KNOWN, context="bundle")[1] == make_key().public.fingerprint
