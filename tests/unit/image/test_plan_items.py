from __future__ import annotations

import pytest

from builder.image.plan_items import MOST_BY_MOVES, change_probability, family


def test_younger_releases_are_likelier_to_change() -> None:
    assert change_probability(-1) == change_probability(0) > change_probability(1) > change_probability(None)


def test_what_moved_often_is_likelier_to_change_than_its_age_alone_tells() -> None:
    assert change_probability(20, moves=8, watched_days=30) > change_probability(20)


def test_what_moved_once_in_a_long_time_is_less_likely_to_change_than_its_age_alone_tells() -> None:
    assert change_probability(2, moves=1, watched_days=90) < change_probability(2)


def test_watching_for_less_than_the_release_is_old_tells_nothing() -> None:
    assert change_probability(100, moves=0, watched_days=30) == change_probability(100)


def test_nothing_is_taken_to_move_each_night() -> None:
    assert change_probability(0, moves=1000, watched_days=1) == (0.25 + MOST_BY_MOVES) / 2


@pytest.mark.parametrize(
    ("project", "name"),
    [
        ("opentelemetry-sdk", "opentelemetry-"),
        ("boto3", "aws"),
        ("google-auth", "google-auth"),
        ("google-cloud-kms", "google-cloud-kms"),
    ],
)
def test_families_are_known_by_name(project: str, name: str) -> None:
    assert family(project) == name
