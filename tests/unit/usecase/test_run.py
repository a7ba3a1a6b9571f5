"""What the command line of `run` is read as."""

from __future__ import annotations

from pathlib import Path

import pytest

from builder.errors import InvalidInputError
from builder.usecase.run import parse_env, parse_volume


def test_volume_names_source_and_target() -> None:
    volume = parse_volume("/srv/dags:/opt/airflow/dags/")
    assert (volume.source, volume.target, volume.read_only) == (Path("/srv/dags"), "/opt/airflow/dags", False)


def test_volume_may_be_read_only() -> None:
    assert parse_volume("dags:/mnt:ro").read_only
    assert parse_volume("dags:/mnt:ro").source.is_absolute()


@pytest.mark.parametrize("text", ["", "/a", "/a:b", ":/b", "/a:/b:z"])
def test_anything_else_is_no_volume(text: str) -> None:
    with pytest.raises(InvalidInputError, match="not a volume"):
        parse_volume(text)


def test_variables_are_set_or_handed_on_and_the_last_one_wins() -> None:
    assert parse_env(["A=1", "B", "C", "A=2=3"], {"B": "own"}) == (("A", "2=3"), ("B", "own"))


def test_variable_needs_a_name() -> None:
    with pytest.raises(InvalidInputError, match="not a variable"):
        parse_env(["=1"], {})
