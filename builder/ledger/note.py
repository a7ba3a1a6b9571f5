"""Heads of a ledger to keep outside: checkpoints as signed notes, which any tool of transparency logs reads.

A checkpoint says how many entries there were and the root over them; who holds one can tell a ledger that was cut or put
in the place of another. The text that is signed ends before the empty line:

    finance.example.org/airflow
    120
    CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

    — finance.example.org/airflow Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=

Source: C2SP signed-note and tlog-checkpoint; Ed25519 is their signature type 0x01.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from builder.errors import InvalidInputError, LedgerError

_ED25519: Final = b"\x01"
_SIGNATURE: Final = re.compile(r"— (?P<name>[^\s+]+) (?P<base64>[A-Za-z0-9+/]+={0,2})\Z")
_NAME: Final = re.compile(r"[^\s+]{1,255}\Z")
_SIZE: Final = re.compile(r"0\Z|[1-9][0-9]{0,18}\Z")
_PRIVATE: Final = "PRIVATE+KEY+"
_MOST_BYTES: Final = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A ledger's head."""

    origin: str
    """The ledger's name."""
    size: int
    """Entries."""
    root: bytes
    """Of the Merkle tree over them."""

    @property
    def text(self) -> str:
        """Write what is signed."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyingKey:
    """Whose signatures are trusted: `<name>+<id>+<base64>`, as checksum databases of Go write it."""

    name: str
    public: bytes
    """Of Ed25519: 32 bytes."""

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{base64.b64encode(_ED25519 + self.public).decode()}"

    @property
    def id(self) -> bytes:
        """Find the four bytes that a signature begins with."""
        return hashlib.sha256(self.name.encode() + b"\n" + _ED25519 + self.public).digest()[:4]


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """Who signs: `PRIVATE+KEY+<name>+<id>+<base64>`."""

    name: str
    seed: bytes
    """Of Ed25519: 32 bytes."""

    def __str__(self) -> str:
        return f"{_PRIVATE}{self.name}+{self.verifying.id.hex()}+{base64.b64encode(_ED25519 + self.seed).decode()}"

    def __repr__(self) -> str:
        return f"SigningKey(name={self.name!r})"

    @property
    def verifying(self) -> VerifyingKey:
        """Find the public half."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        public = Ed25519PrivateKey.from_private_bytes(self.seed).public_key().public_bytes_raw()
        return VerifyingKey(name=self.name, public=public)


def check_name(name: str, *, context: str = "") -> str:
    """Give the name of a ledger or a key back when it is one; raises InvalidInputError."""
    if not _NAME.match(name) or not name.isprintable():
        raise InvalidInputError(
            f"not a name: {name[:80]!r}",
            context=context,
            hint="printable, without spaces and `+`, as example.org/airflow",
        )
    return name


def parse_verifying_key(text: str, *, file: str) -> VerifyingKey:
    """Read `<name>+<id>+<base64>`; raises InvalidInputError."""
    name, _, rest = text.strip().partition("+")
    key = VerifyingKey(name=check_name(name, context=file), public=_parse_key(rest, file))
    _check_id(key, rest, file)
    return key


def parse_signing_key(text: str, *, file: str) -> SigningKey:
    """Read `PRIVATE+KEY+<name>+<id>+<base64>`; raises InvalidInputError, which holds nothing of the key."""
    text = text.strip()
    if not text.startswith(_PRIVATE):
        raise InvalidInputError("is no signing key", context=file, hint="make one with: airflow-kubler ledger keygen")
    name, _, rest = text.removeprefix(_PRIVATE).partition("+")
    key = SigningKey(name=check_name(name, context=file), seed=_parse_key(rest, file))
    _check_id(key.verifying, rest, file)
    return key


def sign(checkpoint: Checkpoint, key: SigningKey) -> bytes:
    """Write a checkpoint with a signature: bytes are stable."""
    return sign_text(checkpoint.text, key)


def sign_text(text: str, key: SigningKey) -> bytes:
    """Write a text, which ends with its last line, as a signed note: bytes are stable."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    signature = Ed25519PrivateKey.from_private_bytes(key.seed).sign(text.encode())
    line = base64.b64encode(key.verifying.id + signature).decode()
    return f"{text}\n— {key.name} {line}\n".encode()


def parse_checkpoint(data: bytes, *, file: str) -> tuple[Checkpoint, tuple[tuple[str, bytes], ...]]:
    """Read a checkpoint, signed or not: its values, and name and bytes of each signature. Nothing is verified.

    Raises:
        InvalidInputError: it is none.
    """
    try:
        return _parse_checkpoint(data)
    except (ValueError, InvalidInputError) as error:
        raise InvalidInputError(
            f"is no checkpoint: {error}", context=file, hint="make one with: airflow-kubler ledger head"
        ) from error


def _parse_checkpoint(data: bytes) -> tuple[Checkpoint, tuple[tuple[str, bytes], ...]]:
    if len(data) > _MOST_BYTES:
        raise ValueError("it is too long")
    text, empty, signatures = data.decode().partition("\n\n")
    lines = (text + "\n" if empty else text).split("\n")
    if len(lines) < 4 or lines[-1]:
        raise ValueError("it has too few lines")
    if lines[3:-1]:
        raise ValueError("it has lines of an extension, which nobody here knows")
    if not _SIZE.match(lines[1]):
        raise ValueError(f"not a number of entries: {lines[1][:40]!r}")
    root = _decode(lines[2])
    if len(root) != hashlib.sha256().digest_size:
        raise ValueError("its root is no sha256")
    point = Checkpoint(origin=check_name(lines[0]), size=int(lines[1]), root=root)
    *written, end = signatures.split("\n")
    if end:
        raise ValueError("its last line does not end")
    return point, tuple(_parse_signature(line) for line in written)


def verify_checkpoint(data: bytes, keys: Sequence[VerifyingKey], *, file: str) -> Checkpoint:
    """Read a checkpoint that one of the keys has signed.

    Raises:
        LedgerError: none has, or a signature of one does not hold.
    """
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    point, signatures = parse_checkpoint(data, file=file)
    known: Mapping[tuple[str, bytes], VerifyingKey] = {(key.name, key.id): key for key in keys}
    verified = 0
    for name, signature in signatures:
        key = known.get((name, signature[:4]))
        if key is None:
            # Of witnesses that nobody here asked for.
            continue
        try:
            Ed25519PublicKey.from_public_bytes(key.public).verify(signature[4:], point.text.encode())
        except InvalidSignature:
            raise LedgerError(f"the signature of {name} does not hold", context=file) from None
        verified += 1
    if not verified:
        by = ", ".join(name for name, _ in signatures) or "nobody"
        raise LedgerError(f"is signed by none of the keys given, but by {by}", context=file)
    return point


def _parse_signature(line: str) -> tuple[str, bytes]:
    found = _SIGNATURE.match(line)
    signature = _decode(found["base64"]) if found else b""
    if found is None or len(signature) < 5:
        raise ValueError("a line of its signatures is none")
    return found["name"], signature


def _decode(text: str) -> bytes:
    """Read base64 that is written in the one way; raises ValueError."""
    data = base64.b64decode(text, validate=True)
    if base64.b64encode(data).decode() != text:
        raise ValueError("base64 with bits that mean nothing")
    return data


def _parse_key(rest: str, file: str) -> bytes:
    try:
        data = _decode(rest.partition("+")[2])
    except ValueError:
        data = b""
    if data[:1] != _ED25519 or len(data) != 33:
        raise InvalidInputError(
            "is no Ed25519 key of signed notes", context=file, hint="make one with: airflow-kubler ledger keygen"
        )
    return data[1:]


def _check_id(key: VerifyingKey, rest: str, file: str) -> None:
    if rest.partition("+")[0] != key.id.hex():
        raise InvalidInputError("the key's id is not that of its name and bytes", context=file, hint="copy it whole")
