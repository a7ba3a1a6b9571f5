"""Readers of bundles, their manifests, statements and files of keys take any bytes, and end in a value or an error of ours."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builder.attest.bundle import dump_bundle_manifest, parse_bundle, parse_bundle_manifest
from builder.attest.keys import parse_private_key, parse_public_key
from builder.attest.pkcs11_uri import parse_uri
from builder.attest.sealing import KeyOpener, open_bundle
from builder.attest.statement import Statement, dump_statement, parse_statement
from builder.attest.trust import parse_trust
from builder.digest import Digest
from builder.errors import BuilderError
from builder.oci import media
from builder.oci.descriptor import describe
from tests.support.signing import make_bundle, make_key, make_statement

IMAGE = Digest.of(b"image")
BUNDLE = make_bundle(IMAGE, "provenance", a=1).data
MANIFEST = dump_bundle_manifest(describe(media.INDEX, b"image"), BUNDLE, "urn:x", "")
KEYS = f'[[keys]]\nname = "a"\npublic = """\n{make_key().public.pem().decode()}"""\nmay = ["signature"]\n'.encode()

READERS: dict[str, tuple[bytes, Callable[[bytes], object]]] = {
    "bundle": (BUNDLE, lambda data: parse_bundle(data, context="x")),
    "manifest": (MANIFEST, lambda data: parse_bundle_manifest(data, context="x")),
    "statement": (make_statement(IMAGE), lambda data: parse_statement(data, context="x")),
    "keys.toml": (KEYS, lambda data: parse_trust(data, stacks=("core",))),
    "public key": (make_key().public.pem(), lambda data: parse_public_key(data, file="x")),
    "private key": (b"-----BEGIN PRIVATE KEY-----\n", lambda data: parse_private_key(data, b"p", file="x")),
    "uri": (b"pkcs11:token=a;object=b", lambda data: parse_uri(data.decode("latin-1"))),
}


@pytest.mark.parametrize("name", READERS)
@given(data=st.data())
@settings(deadline=None, max_examples=60)
def test_readers_end_in_a_value_or_an_error_of_ours(name: str, data: st.DataObject) -> None:
    good, read = READERS[name]
    begin = data.draw(st.integers(0, len(good)))
    end = data.draw(st.integers(begin, len(good)))
    bent = good[:begin] + data.draw(st.binary(max_size=40)) + good[end:]
    with suppress(BuilderError):
        read(bent)


_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


@pytest.mark.parametrize("name", ["bundle", "manifest", "statement"])
@given(data=st.data())
@settings(deadline=None, max_examples=60)
def test_a_field_may_hold_anything(name: str, data: st.DataObject) -> None:
    good, read = READERS[name]
    value = json.loads(good)
    at = value
    key = data.draw(st.sampled_from(sorted(at)))
    while isinstance(at[key], dict) and at[key] and data.draw(st.booleans()):
        at = at[key]
        key = data.draw(st.sampled_from(sorted(at)))
    at[key] = data.draw(_values)
    with suppress(BuilderError):
        read(json.dumps(value).encode())


@given(place=st.integers(0, len(BUNDLE) - 1), change=st.integers(1, 255))
@settings(deadline=None, max_examples=200)
def test_no_changed_byte_of_a_bundle_says_something_else(place: int, change: int) -> None:
    """What is read of a changed bundle is what was signed, or nothing: the hint alone may be another."""
    bent = bytearray(BUNDLE)
    bent[place] ^= change
    try:
        bundle = parse_bundle(bytes(bent), context="x")
        statement, signer = open_bundle(bundle, (KeyOpener((make_key().public,)),), context="x")
    except BuilderError:
        return
    assert signer == make_key().public.fingerprint
    assert bundle.envelope.payload == make_statement(IMAGE, "provenance", a=1)
    assert statement.digest == IMAGE


@given(
    predicate=st.dictionaries(st.text(max_size=5), _values, max_size=3),
    name=st.text(st.characters(codec="utf-8"), max_size=10),
)
@settings(deadline=None)
def test_statements_read_back(predicate: dict[str, Any], name: str) -> None:
    statement = Statement(digest=IMAGE, name=name, predicate_type="urn:x:y", predicate=predicate)
    try:
        data = dump_statement(statement)
    except UnicodeEncodeError:
        return
    assert parse_statement(data, context="x") == statement
