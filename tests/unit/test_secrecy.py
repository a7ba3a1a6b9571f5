from __future__ import annotations

import doctest
import re
from pathlib import Path

import pytest

from builder import secrecy
from builder.secrecy import Redactor, find_secret, secrets_of
from tests.support.secrets import LOOKS_LIKE_ONE, pem

ROOT = Path(__file__).resolve().parents[2]
_MADE = frozenset({"__pycache__", "build", "dists"})
"""Folders of what is made."""


def test_the_examples_hold() -> None:
    assert doctest.testmod(secrecy).failed == 0


@pytest.mark.parametrize("name", LOOKS_LIKE_ONE)
@pytest.mark.parametrize("around", ["{}", "a {} b", '{{"key": "{}"}}', "x={}\ny"])
def test_what_looks_like_a_secret_is_found_and_masked(name: str, around: str) -> None:
    secret = LOOKS_LIKE_ONE[name]
    text = around.format(secret)
    assert find_secret(text) == name
    masked = Redactor()(text)
    assert not find_secret(masked)
    assert "***" in masked
    # What stands around it stays.
    begin, end = around.format("\0").split("\0")
    assert masked.startswith(begin)
    assert masked.endswith(end)


def test_a_key_in_json_is_one_too_and_one_that_is_cut_off() -> None:
    key = pem()
    for text in (key.replace("\n", "\\n"), key[:150], f"error in:\n{key[:200]}"):
        assert find_secret(text) == "a private key"
        assert key[60:100] not in Redactor()(text)


@pytest.mark.parametrize(
    "text",
    [
        "https://index.example:8443/simple/@scope",
        "registry.example:5000/team/airflow@sha256:" + "0" * 64,
        "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE\n-----END PUBLIC KEY-----",
        "give it as -----BEGIN PRIVATE KEY-----",
        "Basic authentication is asked for; Bearer realm",
        "sha256:" + "AKIA".lower() * 16,
        "2026-11-30T07:23:11Z https://docs.example/?page=token&x=1",
    ],
)
def test_prose_digests_and_addresses_are_left_alone(text: str) -> None:
    assert not find_secret(text)
    assert Redactor()(text) == text


def test_what_headers_and_signed_addresses_say_is_masked() -> None:
    for text in (
        "Authorization: Bearer abc123def456ghi",
        "authorization: Basic bWU6aHVudGVyMg==",
        "https://blobs.example/x?X-Amz-Signature=abc123&a=b",
        "https://blobs.example/x?a=b&sig=abc123def",
    ):
        assert not re.search(r"abc123|bWU6", Redactor()(text))


def test_variables_named_like_secrets_are_known_and_words_are_not() -> None:
    known = secrets_of(
        {
            "AWS_SECRET_ACCESS_KEY": "s3cr3t-of-aws",
            "UV_INDEX_INTERNAL_PASSWORD": "s3cr3t-of-uv",
            "COSIGN_PASSWORD": "short",
            "POSTGRES_PASSWORD": "postgres",
            "HTTPS_PROXY": "http://me:s3cr3t-of-proxy@proxy.example",
            "KEYBOARD": "a-layout-of-keys",
            "HOME": "/home/somebody",
        }
    )
    assert known == {"s3cr3t-of-aws", "s3cr3t-of-uv", "s3cr3t-of-proxy"}
    assert Redactor(known)("it answered: s3cr3t-of-aws is wrong") == "it answered: *** is wrong"


def test_nothing_that_this_project_ships_looks_like_a_secret() -> None:
    shipped = [path for part in ("stacks", "locks", "builder/bases", "examples") for path in (ROOT / part).rglob("*")]
    found = {
        str(path): find_secret(path.read_text(errors="replace"))
        for path in shipped
        # What `fetch` links there is others' work, what examples make is made again: neither is committed.
        if path.is_file()
        and not _MADE.intersection(path.relative_to(ROOT).parts)
        and "locks/files/" not in path.as_posix()
    }
    assert {path: kind for path, kind in found.items() if kind} == {}
