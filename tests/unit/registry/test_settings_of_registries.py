from __future__ import annotations

from pathlib import Path

import pytest

from builder.errors import InvalidInputError
from builder.registry.settings import load_registry_settings


@pytest.mark.parametrize(
    ("registry", "address"),
    [
        ("127.0.0.1:5000", "http://127.0.0.1:5000"),
        ("localhost:1", "http://localhost:1"),
        ("[::1]:5000", "http://[::1]:5000"),
        ("r.example.org", "https://r.example.org"),
        ("10.0.0.1:5000", "https://10.0.0.1:5000"),
        ("old.example.org:5000", "http://old.example.org:5000"),
        ("127.0.0.1:5443", "https://127.0.0.1:5443"),
        ("docker.io", "https://registry-1.docker.io"),
    ],
)
def test_plain_http_is_for_loopback_and_what_the_user_names(tmp_path: Path, registry: str, address: str) -> None:
    config = tmp_path / "config.toml"
    config.write_text(
        '[registries."old.example.org:5000"]\ninsecure = true\n[registries."127.0.0.1:5443"]\ninsecure = false\n'
    )
    assert load_registry_settings(config).address(registry) == address


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("registries = 1", "must be a table"),
        ('[registries."a b"]', "not a registry's host"),
        ('[registries."r.example.org"]\nunsafe = true', "unknown key"),
        ('[registries."r.example.org"]\ninsecure = "yes"', "true or false"),
        ('[registries."r.example.org"]\ncertificate = "/nonexistent"', "file of certificates"),
        ('[registries."r.example.org"]\ntoken-hosts = "x"', "list of hosts"),
        ("[", "cannot be read"),
    ],
)
def test_impossible_settings_are_named(tmp_path: Path, text: str, said: str) -> None:
    config = tmp_path / "config.toml"
    config.write_text(text)
    with pytest.raises(InvalidInputError, match=said) as caught:
        load_registry_settings(config)
    assert str(config) in caught.value.context
