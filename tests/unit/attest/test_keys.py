"""Keys: where they lie, what is refused, and that passwords and secrets are told to nobody."""

from __future__ import annotations

import base64
import shlex
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from builder.attest.command_signer import CommandSigner
from builder.attest.cosign_key import decrypt_cosign_key
from builder.attest.key_place import open_key, open_public_key, password_of
from builder.attest.keys import dump_private_key, generate_key, parse_private_key, parse_public_key, read_signature
from builder.attest.pkcs11_uri import TokenKey, parse_uri
from builder.errors import BuilderError, InvalidInputError, SignatureError, ToolError
from tests.support.signing import make_cosign_key, make_key

DATA = b"what is signed"


def test_the_same_data_gives_the_same_signature() -> None:
    key = make_key()
    assert key.sign(DATA) == key.sign(DATA)
    assert key.public.verifies(key.sign(DATA), DATA)
    assert not key.public.verifies(key.sign(DATA), DATA + b".")
    assert not make_key(2).public.verifies(key.sign(DATA), DATA)
    for junk in (b"", b"\x30\x00", bytes(64), key.sign(DATA) + b"\0"):
        assert not key.public.verifies(junk, DATA)


@pytest.mark.parametrize("password", [None, b"secret", "pässword".encode()])
def test_a_private_key_reads_back(password: bytes | None) -> None:
    key = generate_key()
    data = dump_private_key(key, password)
    assert parse_private_key(data, password, file="k").public == key.public
    assert parse_public_key(key.public.pem(), file="k") == key.public


def test_a_key_does_not_open_by_a_wrong_password_or_none() -> None:
    sealed, plain = dump_private_key(make_key(), b"secret"), dump_private_key(make_key(), None)
    for data, password, says in (
        (sealed, b"wrong", "the password is wrong"),
        (sealed, None, "does not go with the password"),
        (plain, b"secret", "does not go with the password"),
    ):
        with pytest.raises(InvalidInputError, match=says) as caught:
            parse_private_key(data, password, file="k")
        assert "secret" not in str(caught.value)
        assert "wrong" not in str(caught.value).replace("is wrong", "")


def test_keys_of_other_kinds_are_refused_by_name() -> None:
    others = (ed25519.Ed25519PrivateKey.generate(), ec.generate_private_key(ec.SECP384R1()))
    for key in others:
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        public = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        with pytest.raises(InvalidInputError, match="is no key of ECDSA on P-256"):
            parse_private_key(private, None, file="k")
        with pytest.raises(InvalidInputError, match="is no key of ECDSA on P-256"):
            parse_public_key(public, file="k")
    with pytest.raises(InvalidInputError, match="is no public key in PEM"):
        parse_public_key(dump_private_key(make_key(), None), file="k")
    with pytest.raises(InvalidInputError, match="is no private key"):
        parse_private_key(make_key().public.pem(), None, file="k")


def test_a_key_of_cosign_is_read() -> None:
    """Of the real cosign's own files: tests/integration/test_cosign.py."""
    sealed = make_cosign_key(make_key(), b"secret")
    assert parse_private_key(sealed, b"secret", file="cosign.key").public == make_key().public
    for password in (b"wrong", None):
        with pytest.raises(InvalidInputError, match="the password is wrong"):
            parse_private_key(sealed, password, file="cosign.key")


@pytest.mark.parametrize(
    "change", [{"N": 1 << 24}, {"r": 1 << 20}, {"p": 1 << 20}, {"N": 3}, {"N": "many"}, {"N": None}], ids=str
)
def test_a_key_of_cosign_that_would_fill_the_memory_is_refused_at_once(change: Mapping[str, Any]) -> None:
    begun = time.monotonic()
    with pytest.raises(InvalidInputError, match="is no private key of cosign"):
        decrypt_cosign_key(make_cosign_key(make_key(), b"secret", **change), b"secret", file="k")
    assert time.monotonic() - begun < 1


def test_keys_are_found_in_files_and_by_variables(tmp_path: Path) -> None:
    path = tmp_path / "k.key"
    path.write_bytes(dump_private_key(make_key(), b"secret"))
    (tmp_path / "k.pub").write_bytes(make_key().public.pem())
    environment = {"RELEASE_KEY": str(path), "PUB": str(tmp_path / "k.pub"), "COSIGN_PASSWORD": "secret"}
    assert open_key(str(path), environment).public == make_key().public
    assert open_key("env:RELEASE_KEY", environment).public == make_key().public
    assert open_public_key("env:PUB", environment) == make_key().public
    assert password_of(environment | {"AIRFLOW_KUBLER_KEY_PASSWORD": ""}) == b""
    with pytest.raises(InvalidInputError, match="the variable is not set"):
        open_key("env:NOTHING", environment)
    with pytest.raises(InvalidInputError, match="cannot be read"):
        open_key(str(tmp_path / "nothing"), environment)
    path.write_bytes(bytes(70_000))
    with pytest.raises(InvalidInputError, match="too long"):
        open_key(str(path), environment)


SCRIPT = """\
import os, sys, time
from tests.support.signing import make_key
key = make_key()
mode = sys.argv[1]
if sys.argv[-1] == "public-key":
    sys.stdout.buffer.write(key.public.pem())
    sys.exit(0)
data = sys.stdin.buffer.read()
out = sys.stdout.buffer
if mode == "der":
    out.write(key.sign(data))
elif mode == "base64":
    import base64
    out.write(base64.encodebytes(key.sign(data)))
elif mode == "environment":
    out.write(key.sign(data) if "SECRET" not in os.environ and os.environ.get("KMS") == "1" else b"leak")
elif mode == "junk":
    out.write(b"signed, honestly")
elif mode == "much":
    out.write(bytes(10_000_000))
elif mode == "fails":
    print("\\x1b[31mno such key", file=sys.stderr)
    sys.exit(7)
elif mode == "slow":
    time.sleep(60)
elif mode == "orphan":
    if os.fork() == 0:
        time.sleep(60)
    out.write(key.sign(data))
"""


@pytest.fixture
def command(tmp_path: Path) -> str:
    path = tmp_path / "with space.py"
    path.write_text(SCRIPT)
    return f"{shlex.quote(sys.executable)} {shlex.quote(str(path))}"


def _environment() -> dict[str, str]:
    return {"PATH": "/usr/bin:/bin", "HOME": "/", "PYTHONPATH": str(Path(__file__).parents[3]), "SECRET": "hunter2"} | {
        "AIRFLOW_KUBLER_KEY_ENV": "PYTHONPATH, KMS",
        "KMS": "1",
    }


@pytest.mark.parametrize("mode", ["der", "base64", "environment"])
def test_a_program_signs_without_a_shell_and_without_our_secrets(command: str, mode: str) -> None:
    signer = open_key(f"command:{command} {mode}", _environment())
    assert signer.public == make_key().public
    assert signer.public.verifies(signer.sign(DATA), DATA)
    assert "hunter2" not in repr(signer)


@pytest.mark.parametrize(
    ("mode", "error", "says"),
    [
        ("junk", SignatureError, "gave no signature of ECDSA"),
        ("much", ToolError, "said more than 65536 bytes"),
        ("fails", ToolError, "failed with status 7"),
        ("slow", ToolError, "took more than 1 s"),
    ],
)
def test_a_program_that_misbehaves_is_told(command: str, mode: str, error: type[BuilderError], says: str) -> None:
    signer = CommandSigner.of(f"{command} der", _environment())
    bad = CommandSigner(
        argv=(*signer.argv[:-1], mode),
        environment=signer.environment,
        public=signer.public,
        timeout_s=1 if mode == "slow" else 20,
    )
    begun = time.monotonic()
    with pytest.raises(error, match=says) as caught:
        bad.sign(DATA)
    assert time.monotonic() - begun < 15
    if isinstance(caught.value, ToolError):
        assert "\x1b" not in caught.value.stderr
    if mode == "fails":
        assert isinstance(caught.value, ToolError)
        assert "no such key" in caught.value.stderr


def test_what_a_program_leaves_behind_is_ended(command: str) -> None:
    signer = CommandSigner.of(f"{command} orphan", _environment())
    begun = time.monotonic()
    assert signer.public.verifies(signer.sign(DATA), DATA)
    assert time.monotonic() - begun < 20


@pytest.mark.parametrize(
    ("words", "error", "says"),
    [
        ("", InvalidInputError, "names no program"),
        ("'unclosed", InvalidInputError, "cannot be split"),
        ("/nothing/there", ToolError, "cannot be run"),
        ("true", SignatureError, "said nothing"),
        ("echo", InvalidInputError, "is no public key in PEM"),
    ],
)
def test_a_program_that_is_none_is_told(words: str, error: type[BuilderError], says: str) -> None:
    with pytest.raises(error, match=says):
        open_key(f"command:{words}", _environment())


def test_signatures_come_in_der_or_base64() -> None:
    signature = make_key().sign(DATA)
    assert read_signature(signature, context="p") == signature
    assert read_signature(base64.b64encode(signature) + b"\n", context="p") == signature


def test_a_uri_names_a_key_of_a_token() -> None:
    uri = "pkcs11:token=my%20builds;object=release;id=%01%ff;type=private?module-path=/m.so&pin-source=file:/run/pin"
    assert parse_uri(uri) == TokenKey(
        token="my builds",  # noqa: S106
        label="release",
        key_id=b"\x01\xff",
        module="/m.so",
        pin_file="/run/pin",
    )
    assert parse_uri("pkcs11:slot-id=3;object=a").slot == 3


@pytest.mark.parametrize(
    ("uri", "says"),
    [
        ("pkcs11:token=a", "names no key"),
        ("pkcs11:object=a?pin-value=1234", "read by others"),
        ("pkcs11:object=a;object=b", "stands twice"),
        ("pkcs11:object=a;colour=red", "not understood"),
        ("pkcs11:object=a;model=x", "is not looked at"),
        ("pkcs11:object=a;type=cert", "type must be private"),
        ("pkcs11:object=%zz", "escapes nothing"),
        ("pkcs11:object=%ff", "is no such URI"),
        ("pkcs11:object=a;slot-id=x", "is no such URI"),
        ("pkcs11:object", "not understood"),
    ],
)
def test_a_uri_that_may_mean_another_key_is_refused(uri: str, says: str) -> None:
    with pytest.raises(InvalidInputError, match=says) as caught:
        parse_uri(uri)
    assert "1234" not in str(caught.value)


@pytest.mark.parametrize(
    ("module", "place", "says"),
    [
        ("nacl.secret", "cosign.key", r"pip install \"airflow-kubler\[cosign\]\""),
        ("pkcs11", "pkcs11:object=a", r"pip install \"airflow-kubler\[pkcs11\]\""),
    ],
)
def test_an_extra_that_is_missing_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, module: str, place: str, says: str
) -> None:
    (tmp_path / "cosign.key").write_bytes(make_cosign_key(make_key(), b"secret"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ToolError, match=says):
        open_key(place, {"AIRFLOW_KUBLER_KEY_PASSWORD": "secret"})
