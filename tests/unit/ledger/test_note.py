"""Checkpoints: the example of the specification's world, round trips, and what is refused."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.errors import InvalidInputError, LedgerError
from builder.ledger.note import (
    Checkpoint,
    SigningKey,
    parse_checkpoint,
    parse_signing_key,
    parse_verifying_key,
    sign,
    verify_checkpoint,
)

# From the documentation of Go's package golang.org/x/mod/sumdb/note.
GO_PRIVATE = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
GO_PUBLIC = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_NOTE = (
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)

KEY = SigningKey(name="example.org/airflow", seed=bytes(range(32)))
POINT = Checkpoint(origin="example.org/airflow", size=120, root=bytes(range(32)))


def test_keys_are_those_of_other_tools() -> None:
    key = parse_signing_key(GO_PRIVATE, file="key")
    assert str(key.verifying) == GO_PUBLIC
    assert str(key) == GO_PRIVATE
    assert parse_verifying_key(GO_PUBLIC + "\n", file="key") == key.verifying


def test_a_signature_is_that_of_other_tools() -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    text, _, line = GO_NOTE.partition("\n\n")
    key = parse_signing_key(GO_PRIVATE, file="key")
    signed = Ed25519PrivateKey.from_private_bytes(key.seed).sign(f"{text}\n".encode())
    assert base64.b64decode(line.split()[-1]) == key.verifying.id + signed


def test_a_checkpoint_comes_back_from_its_signed_form() -> None:
    signed = sign(POINT, KEY)
    assert signed.decode().startswith("example.org/airflow\n120\nAAECAwQF")
    assert sign(POINT, KEY) == signed
    assert verify_checkpoint(signed, [KEY.verifying], file="head") == POINT


def test_signatures_of_others_are_passed_over() -> None:
    other = SigningKey(name="witness.example.net", seed=b"w" * 32)
    both = sign(POINT, KEY) + sign(POINT, other).partition(b"\n\n")[2]
    assert verify_checkpoint(both, [other.verifying], file="head") == POINT
    assert len(parse_checkpoint(both, file="head")[1]) == 2


def test_an_unsigned_or_foreign_checkpoint_is_not_verified() -> None:
    with pytest.raises(LedgerError, match="signed by none of the keys given, but by nobody"):
        verify_checkpoint(POINT.text.encode(), [KEY.verifying], file="head")
    other = SigningKey(name="example.org/airflow", seed=b"o" * 32)
    with pytest.raises(LedgerError, match="signed by none of the keys given"):
        verify_checkpoint(sign(POINT, other), [KEY.verifying], file="head")


@given(st.integers(0, 2**16), st.integers(1, 255))
def test_no_changed_byte_is_verified(place: int, change: int) -> None:
    signed = bytearray(sign(POINT, KEY))
    signed[place % len(signed)] ^= change
    with pytest.raises((LedgerError, InvalidInputError)):
        verify_checkpoint(bytes(signed), [KEY.verifying], file="head")


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "too few lines"),
        (b"a\n1\n", "too few lines"),
        (b"a\n01\nAAAA\n", "not a number of entries: '01'"),
        (b"a\n-1\nAAAA\n", "not a number"),
        (b"a\n1\nAAAA\n", "its root is no sha256"),
        (b"a\n1\n!\n", "Only base64|Incorrect|Invalid"),
        (POINT.text.encode() + b"more\n", "lines of an extension"),
        (POINT.text.encode() + b"\nno signature\n", "a line of its signatures is none"),
        (b"a" * 70000, "too long"),
        (b"\xff\n1\n\n", "utf-8"),
    ],
)
def test_what_is_no_checkpoint_is_refused_with_the_file(data: bytes, why: str) -> None:
    with pytest.raises(InvalidInputError, match=f"head: is no checkpoint: .*({why})"):
        parse_checkpoint(data, file="head")


@pytest.mark.parametrize("text", ["", "x", GO_PUBLIC, GO_PRIVATE[:-4], GO_PRIVATE.replace("c74f20a3", "c74f20a4")])
def test_what_is_no_signing_key_is_refused_without_showing_it(text: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        parse_signing_key(text, file="key")
    assert "AYEKFALVFGy" not in str(caught.value)


def test_a_key_shows_nothing_of_itself_by_accident() -> None:
    assert repr(KEY) == "SigningKey(name='example.org/airflow')"
