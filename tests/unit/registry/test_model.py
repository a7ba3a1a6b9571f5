from __future__ import annotations

import pytest

from builder.errors import InvalidInputError
from builder.registry.model import parse_reference, parse_repository

HEX = "a" * 64


@pytest.mark.parametrize(
    "text",
    [
        "registry.example.org/a:t",
        "127.0.0.1:5000/team/airflow:core-20261124.1",
        f"localhost/a@sha256:{HEX}",
        f"[::1]:5000/a/b__c/d-e.f:T_1@sha256:{HEX}",
    ],
)
def test_reference_is_read_and_written_alike(text: str) -> None:
    assert str(parse_reference(text)) == text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("debian:trixie", "does not name its registry"),
        ("library/debian:trixie", "does not name its registry"),
        ("r.example.org/a", "neither a tag nor a digest"),
        ("r.example.org/A:t", "not the name of a repository"),
        ("r.example.org/../a:t", "not the name of a repository"),
        ("r.example.org/a:-t", "not a tag"),
        ("r.example.org/a:", "not a tag"),
        ("r.example.org/a@", "not a sha256 digest"),
        ("r.example.org/a@sha512:00", "not a sha256 digest"),
        ("r.example.org:0/a:t", "host and port"),
        ("r.example.org:99999/a:t", "host and port"),
        ("user@r.example.org/a:t", "does not name its registry"),
        ("http://r.example.org/a:t", "host and port"),
        ("r.example.org/a b:t", "not the name of a repository"),
        ("", "does not name its registry"),
    ],
)
def test_what_is_no_reference_is_refused_with_the_way_out(text: str, said: str) -> None:
    with pytest.raises(InvalidInputError, match=said) as caught:
        parse_reference(text)
    assert caught.value.hint
    assert text[:300] == caught.value.context


def test_hosts_are_compared_in_lower_case() -> None:
    assert parse_repository("Registry.Example.ORG/a").registry == "registry.example.org"
