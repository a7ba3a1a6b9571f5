"""A key in a real token, SoftHSM: it signs, and what it signs is verified without it."""

from __future__ import annotations

import secrets
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.tools import ROOT, give_up, require_tool, run_tool

pytestmark = pytest.mark.tools

_MODULES = ("/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/pkcs11/libsofthsm2.so", "/usr/lib/libsofthsm2.so")
# A module reads its configuration once a process, so each use is a process of its own.
SIGN = """
import os, sys
from builder.attest.key_place import open_key
signer = open_key(sys.argv[1], os.environ)
first, second = signer.sign(b"x"), signer.sign(b"x")
assert signer.public.verifies(first, b"x") and signer.public.verifies(second, b"x")
assert not signer.public.verifies(first, b"y")
assert os.environ.get("AIRFLOW_KUBLER_KEY_PASSWORD", "no PIN") not in repr(signer)
print(signer.public.fingerprint)
"""


@dataclass(frozen=True, kw_only=True)
class Token:
    """A token with a key called `release`."""

    module: str
    pin: str
    environment: dict[str, str]

    def use(self, uri: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", SIGN, uri],
            env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), **self.environment, **environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )


@pytest.fixture(scope="module")
def token(tmp_path_factory: pytest.TempPathFactory) -> Token:
    folder = tmp_path_factory.mktemp("token")
    util = require_tool("softhsm2-util")
    module = next((path for path in _MODULES if Path(path).exists()), "")
    if not module:
        give_up("the module of softhsm2 is not where it is looked for")
    (folder / "tokens").mkdir()
    (folder / "softhsm2.conf").write_text(f"directories.tokendir = {folder}/tokens\nobjectstore.backend = file\n")
    environment = {"SOFTHSM2_CONF": str(folder / "softhsm2.conf")}
    pin = secrets.token_hex(4)
    run_tool(util, "--init-token", "--free", "--label", "builds", "--pin", pin, "--so-pin", pin, env=environment)
    key = folder / "release.pem"
    openssl = require_tool("openssl")
    run_tool(openssl, "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", key)
    for label, number in (("release", "01"), ("twin", "02"), ("twin", "03")):
        run_tool(
            util, "--import", key, "--token", "builds", "--label", label, "--id", number, "--pin", pin, env=environment
        )
    (folder / "pin").write_text(f"{pin}\n")
    return Token(module=module, pin=pin, environment=environment | {"PIN_FILE": str(folder / "pin")})


def test_a_token_signs_by_the_pin_of_the_environment_or_a_file(token: Token) -> None:
    by_variable = token.use(
        f"pkcs11:token=builds;object=release?module-path={token.module}", AIRFLOW_KUBLER_KEY_PASSWORD=token.pin
    )
    assert by_variable.returncode == 0, by_variable.stderr
    by_file = token.use(
        f"pkcs11:token=builds;id=%01?pin-source=file:{token.environment['PIN_FILE']}",
        AIRFLOW_KUBLER_PKCS11_MODULE=token.module,
    )
    assert by_file.returncode == 0, by_file.stderr
    assert by_variable.stdout == by_file.stdout
    assert by_variable.stdout.startswith("sha256:")


@pytest.mark.parametrize(
    ("uri", "pin", "says"),
    [
        ("pkcs11:token=builds;object=release?module-path={}", "wrong", "the PIN is wrong"),
        ("pkcs11:token=builds;object=release?module-path={}", "", "no PIN is given"),
        ("pkcs11:token=builds;object=nothing?module-path={}", "right", "the token has no such key"),
        ("pkcs11:token=builds;object=twin?module-path={}", "right", "the token has several such keys"),
        ("pkcs11:token=other;object=release?module-path={}", "right", "no tokens are meant"),
        ("pkcs11:token=builds;object=release", "right", "no PKCS#11 module is named"),
        ("pkcs11:token=builds;object=release?module-path=/nothing.so", "right", "the token cannot be used"),
        ("pkcs11:token=builds;object=release?module-path=/usr/bin/env", "right", "the token cannot be used"),
    ],
)
def test_a_token_that_cannot_be_used_is_told_without_its_pin(token: Token, uri: str, pin: str, says: str) -> None:
    given = {"right": token.pin, "wrong": "999999", "": ""}[pin]
    environment = {"AIRFLOW_KUBLER_KEY_PASSWORD": given} if given else {}
    done = token.use(uri.format(token.module), **environment)
    assert done.returncode == 1
    assert says in done.stderr
    assert token.pin not in done.stderr
