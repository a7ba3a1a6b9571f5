"""The made-up nights that plans are held against, and the figures that docs/layers.md promises of them."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import replace

import pytest

from bench.layers import schemes
from bench.layers.histories import History, made_up_histories, real_histories
from bench.layers.simulate import simulate
from tests.support.fleet_nights import PINNED, Seen, make_nights

_SIZES = {f"p{number:03}": 1_000_000 for number in range(200)} | {"boto3": 200_000, "botocore": 15_000_000}
_SEEN = Seen(moves={"boto3": 20.0, "botocore": 20.0} | {f"p{number:03}": 2.0 for number in range(50)}, days=40)


def test_the_same_seed_gives_the_same_nights_and_another_others() -> None:
    assert (
        make_nights(_SIZES, _SEEN, seed=3) == make_nights(_SIZES, _SEEN, seed=3) != make_nights(_SIZES, _SEEN, seed=4)
    )


def test_nights_are_counted_from_the_first_that_counts() -> None:
    assert [night.day for night in make_nights(_SIZES, _SEEN, nights=3, before=2)] == [-2, -1, 0, 1, 2]


def test_what_pins_each_other_comes_out_together() -> None:
    nights = make_nights(_SIZES, _SEEN)
    assert all(len({"boto3", "botocore"} & night.released.keys()) != 1 for night in nights)
    assert any("boto3" in night.released for night in nights)
    assert ("boto3", "botocore") in PINNED


def test_what_was_seen_to_move_moves_about_as_often() -> None:
    nights = make_nights(_SIZES, _SEEN, nights=400)
    moves = sum(1 for night in nights for project in night.released if project < "p050")
    assert 0.5 < moves / len(nights) / (50 * 2 / 40) < 1.5


def test_weekends_are_quieter() -> None:
    nights = make_nights(_SIZES, _SEEN, nights=400)
    weekdays, weekends = (
        statistics.mean(len(night.released) for night in nights if (night.day % 7 > 4) is weekend)
        for weekend in (False, True)
    )
    assert weekends < weekdays / 2


@pytest.mark.slow
@pytest.mark.parametrize(
    "make",
    [
        lambda: next(real_histories()),
        lambda: list(real_histories())[-1],
        lambda: next(made_up_histories([1], 30)),
    ],
    ids=["real, first date", "real, last date", "made up"],
)
def test_ours_pulls_least_of_all_schemes_and_little_more_than_has_to_be(make: Callable[[], History]) -> None:
    history = make()
    for members in (history.members, (replace(history.members[-1], parent=""),)):
        held = replace(history, members=members)
        bound = simulate(held, schemes.alone(held, 60), ["b"]).median
        ours = simulate(held, schemes.planned_again(held, 60), ["b"]).median
        others = (schemes.one_layer, schemes.biggest_alone, schemes.popularity, schemes.origin)
        assert ours < min(simulate(held, scheme(held, 60), ["b"]).median for scheme in others)
        assert ours <= 1.4 * bound
