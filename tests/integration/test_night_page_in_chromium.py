"""The page of a night in a real browser: nothing is cut off, nothing is asked for, and it is read without colours."""

from __future__ import annotations

from pathlib import Path

import pytest

from builder.nightly.model import Result, Step
from builder.nightly.trend import make_trend, sample_of
from builder.picture.night_page import render_night_page
from tests.support.chromium import measure_width, take_picture
from tests.support.fault_server import Answer, FaultServer
from tests.support.made_up_nights import BEGAN, DAY, MadeUpNight, make_full_night, make_quiet_night

pytestmark = [pytest.mark.tools, pytest.mark.slow]
WIDTHS = pytest.mark.parametrize("width", [420, 1280])
LIGHT, DARK = (200, 255), (0, 55)


def make_page(made: MadeUpNight) -> str:
    quiet = [make_quiet_night(f"2026112{day}.1", BEGAN - (10 - day) * DAY, "core", "aws") for day in range(9)]
    return render_night_page(made.summary(), make_trend(sample_of(one.summary()) for one in (*quiet, made)))


@WIDTHS
def test_nothing_is_cut_off(tmp_path: Path, width: int) -> None:
    made = make_full_night()
    for name in ("a" * 150, "with-" * 30):
        made.stack(name, "team:" + "x" * 150)
        made.step(name, Step.LOCK, Result.FAILED, "y" * 300 + "\n" + "word " * 60)
    assert measure_width(make_page(made), tmp_path, width=width) == width


def test_what_is_too_wide_is_noticed(tmp_path: Path) -> None:
    wide = '<!doctype html><body style="margin:0"><div style="width:900px">x</div>'
    assert measure_width(wide, tmp_path, width=420) == 900


@WIDTHS
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_it_is_read_without_colours(tmp_path: Path, width: int, dark: bool) -> None:  # noqa: FBT001
    page = tmp_path / "night.html"
    page.write_text(make_page(make_full_night()))
    picture = take_picture(page, tmp_path, width=width, height=1000, dark=dark)
    assert (picture.width, picture.height) == (width, 1000)
    ground, ink = (DARK, LIGHT) if dark else (LIGHT, DARK)
    assert picture.share(*ground) > 0.75
    assert 0.005 < picture.share(*ink) < 0.25, "letters and outlines, as far from the ground as can be"


def test_nothing_is_asked_for_whatever_names_say(tmp_path: Path) -> None:
    with FaultServer() as server:
        url = server.on("/seen", Answer(status=200))
        marks = f'"><img src="{url}"><link rel=stylesheet href="{url}"><style>@import url({url})</style>'
        made = MadeUpNight(by=marks)
        made.stack(marks, marks)
        made.step(marks, Step.LOCK, Result.FAILED, marks)
        page = tmp_path / "night.html"
        page.write_text(make_page(made))
        take_picture(page, tmp_path, width=1280, height=1000)
        assert not server.requests
        page.write_text(f'<!doctype html><img src="{url}">')
        take_picture(page, tmp_path, width=1280, height=1000)
        assert server.asked("/seen"), "this browser does ask where a page lets it"
