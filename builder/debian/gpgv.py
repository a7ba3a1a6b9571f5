"""Verifying a clear-signed InRelease with gpgv; what was signed, and nothing beside it, comes back.

Source: gpgv(1); doc/DETAILS of GnuPG for the status lines.
"""

from __future__ import annotations

import base64
import binascii
import re
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from builder.errors import MirrorError, ToolError

_BEGIN = b"-----BEGIN PGP SIGNED MESSAGE-----"
_ARMOUR = re.compile(
    rb"-----BEGIN PGP PUBLIC KEY BLOCK-----\r?\n(.*?)\r?\n-----END PGP PUBLIC KEY BLOCK-----", re.DOTALL
)
_TIMEOUT_S = 60


def verify_inrelease(data: bytes, *, keyrings: Sequence[bytes], where: str) -> str:
    """Verify an InRelease file.

    Args:
        data: the file, as the mirror gave it.
        keyrings: public keys, binary or ASCII-armoured; a good signature by one of them is enough, as for apt.
        where: names the file in errors.

    Returns:
        The signed text.

    Raises:
        MirrorError: no good signature by a known key, or a bad one beside it.
        ToolError: gpgv is missing.
    """
    if data.count(_BEGIN) != 1 or not data.startswith(_BEGIN):
        raise MirrorError("not one clear-signed text", context=where)
    with tempfile.TemporaryDirectory(prefix="airflow-kubler-") as name:
        folder = Path(name)
        (folder / "InRelease").write_bytes(data)
        argv = ["gpgv", "--homedir", name, "--status-fd", "1", "--output", str(folder / "text")]
        for position, keyring in enumerate(keyrings):
            path = folder / f"{position}.gpg"
            path.write_bytes(_dearmoured(keyring, where))
            argv += ["--keyring", str(path)]
        status, log = _run([*argv, str(folder / "InRelease")])
        _check_status(status, log, where)
        return (folder / "text").read_bytes().decode()


def _run(argv: Sequence[str]) -> tuple[list[str], str]:
    """Run gpgv; give its status lines' words and what it said to people."""
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C"}
    try:
        done = subprocess.run(argv, capture_output=True, check=False, timeout=_TIMEOUT_S, env=environment)
    except FileNotFoundError as exc:
        hint = "install the Debian package gpgv"
        raise ToolError("gpgv is needed to verify a mirror's signature", argv=argv, hint=hint) from exc
    except subprocess.TimeoutExpired as exc:
        raise ToolError(f"gpgv did not end within {_TIMEOUT_S} seconds", argv=argv) from exc
    lines = done.stdout.decode(errors="replace").splitlines()
    words = [line.split()[1] for line in lines if line.startswith("[GNUPG:] ")]
    return words, done.stderr.decode(errors="replace").strip()


def _check_status(status: Sequence[str], log: str, where: str) -> None:
    """Ask for a good signature. An expired or revoked key gives no GOODSIG; an unknown key's is passed over."""
    if "BADSIG" in status:
        raise MirrorError("a signature is bad: the text was changed after it was signed", context=where)
    if "GOODSIG" not in status:
        last = log.splitlines()[-1] if log else "no signature"
        hint = "install the package debian-archive-keyring, or name a newer keyring in [debian] of the configuration"
        raise MirrorError(f"no good signature by a known key ({last})", context=where, hint=hint)


def _dearmoured(keyring: bytes, where: str) -> bytes:
    """Turn ASCII armour into bytes, since gpgv reads none; the armour's checksum is nobody's protection."""
    match = _ARMOUR.search(keyring)
    if match is None:
        return keyring
    lines = match[1].replace(b"\r", b"").split(b"\n")
    start = lines.index(b"") + 1 if b"" in lines else 0
    body = b"".join(line.strip() for line in lines[start:] if not line.startswith(b"="))
    try:
        return base64.b64decode(body, validate=True)
    except binascii.Error as exc:
        raise MirrorError("an ASCII-armoured keyring cannot be read", context=where) from exc
