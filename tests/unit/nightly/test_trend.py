"""Plots follow the same stacks through all nights."""

from __future__ import annotations

from builder.canonical import dump_json
from builder.nightly.model import Result, Step
from builder.nightly.summary import summary_to_dict
from builder.nightly.trend import make_trend, parse_sample, sample_of
from tests.support.made_up_nights import BEGAN, DAY, MadeUpNight, make_full_night, make_quiet_night


def test_a_report_says_what_the_night_itself_says() -> None:
    for made in (make_full_night(), make_quiet_night("20261129.1", BEGAN - DAY, "core")):
        summary = made.summary()
        assert parse_sample(dump_json(summary_to_dict(summary))) == sample_of(summary)


def test_what_is_no_report_is_left_out() -> None:
    assert [parse_sample(data) for data in (b"", b"{}", b"[]", b'{"night": 1}', b"\xff", b"null")] == [None] * 6


def test_a_night_of_some_stacks_leaves_the_others_where_they_were() -> None:
    nights = [
        make_quiet_night("1", BEGAN, "core", "aws", "gone", size=10),
        make_quiet_night("2", BEGAN + DAY, "aws", size=20),
        make_quiet_night("3", BEGAN + 2 * DAY, "core", "aws", size=30),
    ]
    points = make_trend(sample_of(one.summary()) for one in reversed(nights))
    assert [(one.night, one.size_bytes) for one in points] == [("1", 20), ("2", 30), ("3", 60)]
    assert [one.findings for one in points] == [4, 4, 4]


def test_what_failed_does_not_stand_and_is_not_pulled() -> None:
    made = MadeUpNight()
    made.stack("core", size=10)
    made.changed("core", size=99, pull=50)
    made.step("core", Step.TEST, Result.FAILED, "no")
    (point,) = make_trend([sample_of(made.summary())])
    assert (point.size_bytes, point.pull_bytes, point.findings, point.good) == (10, 0, 2, False)


def test_a_clean_scan_is_zero_and_none_is_unknown() -> None:
    made = MadeUpNight()
    made.stack("core")
    made.changed("core")
    made.step("core", Step.SCAN, counts={})
    assert make_trend([sample_of(made.summary())])[0].findings == 0
    assert make_trend([sample_of(MadeUpNight().summary())])[0].findings is None


def test_the_latest_nights_are_kept_and_a_night_counts_once() -> None:
    samples = [sample_of(make_quiet_night(str(day), BEGAN + day * DAY, "core").summary()) for day in range(40)]
    points = make_trend([*samples, *samples], most=30)
    assert [one.night for one in points] == [str(day) for day in range(10, 40)]
    assert make_trend([]) == ()
