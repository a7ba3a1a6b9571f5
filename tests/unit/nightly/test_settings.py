"""stacks/nightly.toml: read strictly, with a way out of each mistake."""

from __future__ import annotations

import pytest

from builder.errors import IssuesError, StackError
from builder.nightly.settings import NightSettings, parse_settings


def test_a_file_that_says_nothing_means_what_no_file_means() -> None:
    assert parse_settings(b"") == parse_settings(b"[nightly]\n") == NightSettings()


def test_all_of_it_is_read() -> None:
    text = b"""
[nightly]
bases = false
upgrade = "none"
packages = ["Requests"]
tests = false
suites = ["smoke"]
scan = false
repository = "registry.example.org/team/airflow"
sign-by = "env:KEY"
channels = ["dev", "prod"]
workers = 4
hours = 3
"""
    assert parse_settings(text) == NightSettings(
        bases=False,
        upgrade="none",
        packages=frozenset({"requests"}),
        tests=False,
        suites=("smoke",),
        scan=False,
        repository="registry.example.org/team/airflow",
        sign_by="env:KEY",
        channels=("dev", "prod"),
        workers=4,
        hours=3,
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[nightly]\nupgrade = "al"', r"stacks/nightly.toml: nightly.upgrade: unknown value 'al'\n.*'all'"),
        ("[nightly]\nworkers = 0", "nightly.workers: must be from 1"),
        ("[nightly]\nbasis = true", "nightly.basis: unknown key"),
        ('[nightly]\nsuites = ["smok"]', "nightly.suites: unknown value 'smok'"),
        ("[nightl]\n", "nightl: unknown key"),
        ('[nightly]\nbases = "yes"', "nightly.bases: must be true or false"),
    ],
)
def test_a_mistake_names_file_and_key(text: str, said: str) -> None:
    with pytest.raises(IssuesError, match=said):
        parse_settings(text.encode())


def test_no_toml_is_refused() -> None:
    with pytest.raises(StackError, match=r"stacks/nightly\.toml"):
        parse_settings(b"[[[")
