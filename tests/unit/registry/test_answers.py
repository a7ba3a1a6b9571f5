"""What answers and failed connections are told as."""

from __future__ import annotations

import pytest

from builder.registry.answers import hint_of_connection

FAILED = "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: "


@pytest.mark.parametrize("said", ["unable to get local issuer certificate", "self-signed certificate"])
def test_unknown_authority_names_the_setting_of_its_host(said: str) -> None:
    assert '[registries."r.example:5000"] certificate' in hint_of_connection(FAILED + said, "r.example:5000")


@pytest.mark.parametrize("said", ["certificate has expired", "Hostname mismatch, certificate is not valid for 'r'"])
def test_wrong_certificate_is_no_matter_of_settings(said: str) -> None:
    hint = hint_of_connection(FAILED + said, "r.example")
    assert "ask whoever runs r.example" in hint
    assert "config.toml" not in hint


def test_other_failures_have_the_hint_of_all_failures() -> None:
    assert hint_of_connection("connection refused", "r.example") == ""
