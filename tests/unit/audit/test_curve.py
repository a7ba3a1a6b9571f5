"""Ed25519 of the auditor's program, against the vectors of RFC 8032 and the real library."""

from __future__ import annotations

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st

from builder.audit.verifier.curve import BASE, L, P, ed25519_verifies, read_point

# RFC 8032, 7.1: tests 1, 2, 3 and SHA(abc): public key, message, signature.
VECTORS = [
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
    (
        "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
        "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704",
    ),
]


@pytest.mark.parametrize(("public", "message", "signature"), VECTORS, ids=["1", "2", "3", "sha-abc"])
def test_published_signatures_hold(public: str, message: str, signature: str) -> None:
    assert ed25519_verifies(bytes.fromhex(public), bytes.fromhex(signature), bytes.fromhex(message))


@pytest.mark.parametrize("place", range(0, 64, 3))
def test_a_signature_with_another_bit_does_not_hold(place: int) -> None:
    public, message, signature = map(bytes.fromhex, VECTORS[2])
    for bit in (0, 7):
        other = bytearray(signature)
        other[place] ^= 1 << bit
        assert not ed25519_verifies(public, bytes(other), message)


@settings(max_examples=40)
@given(seed=st.binary(min_size=32, max_size=32), message=st.binary(max_size=200), flip=st.integers(0, 8 * 96 - 1))
def test_it_says_what_the_real_library_says(seed: bytes, message: bytes, flip: int) -> None:
    key = Ed25519PrivateKey.from_private_bytes(seed)
    public, signature = key.public_key().public_bytes_raw(), key.sign(message)
    assert ed25519_verifies(public, signature, message)
    assert not ed25519_verifies(public, signature, message + b"x")
    both = bytearray(public + signature)
    both[flip // 8] ^= 1 << flip % 8
    assert ed25519_verifies(bytes(both[:32]), bytes(both[32:]), message) == _real(both[:32], both[32:], message)


def _real(public: bytearray, signature: bytearray, message: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(bytes(public)).verify(bytes(signature), message)
    except (InvalidSignature, ValueError):
        return False
    return True


def test_a_signature_has_one_form() -> None:
    public, message, signature = map(bytes.fromhex, VECTORS[1])
    larger = int.from_bytes(signature[32:], "little") + L
    assert not ed25519_verifies(public, signature[:32] + larger.to_bytes(32, "little"), message)
    assert not ed25519_verifies(public, signature + b"\0", message)
    assert not ed25519_verifies(public, signature[:63], message)
    assert not ed25519_verifies(public[:31], signature, message)
    assert not ed25519_verifies(public, b"", message)


def test_a_point_has_one_form() -> None:
    assert BASE is not None
    assert read_point(P.to_bytes(32, "little")) is None
    assert read_point((1 | 1 << 255).to_bytes(32, "little")) is None
    assert read_point((2).to_bytes(32, "little")) is None
    assert read_point(b"\1") is None
