"""The page of a night: everything in its place, nothing by colour alone, and what others wrote stays text."""

from __future__ import annotations

import re
from importlib import resources

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builder.nightly.model import Result, Step
from builder.nightly.summary import summarise
from builder.nightly.trend import Point, make_trend, sample_of
from builder.picture.night_page import render_night_page
from builder.picture.plots import Bar, draw_bars
from tests.support.html_pages import HOSTILE, Page
from tests.support.made_up_nights import BEGAN, DAY, MadeUpNight, digest, make_full_night, make_quiet_night

TEXTS = (
    st.text(max_size=30) | st.just(HOSTILE) | st.text(st.sampled_from("<>&\"'{}%/!-\n\r\x00\u202e=abc"), max_size=30)
)


def trend() -> tuple[Point, ...]:
    quiet = [make_quiet_night(f"2026112{day}.1", BEGAN - (10 - day) * DAY, "core", "aws") for day in range(9)]
    return make_trend(sample_of(made.summary()) for made in (*quiet, make_full_night()))


def full_page() -> str:
    return render_night_page(make_full_night().summary(), trend())


def section(page: str, team: str) -> str:
    found = re.search(rf'<section class="team" id="team-\d+">\n<h2>{team}</h2>(.*?)</section>', page, re.DOTALL)
    assert found, team
    return found[1]


def test_each_team_finds_what_is_its_own() -> None:
    page = full_page()
    teams = re.findall(r'<section class="team" id="(.*?)">\n<h2>(.*?)</h2>', page)
    assert [name for _, name in teams] == ["team:platform", "team:data", "team:old", "nobody"], "who must act is first"
    assert all(f'<a href="#{anchor}">' in page for anchor, _ in teams)
    platform, data = section(page, "team:platform"), section(page, "team:data")
    assert re.findall("<h3>(.*?)</h3>", platform) == ["! Needs a person", "→ Changed", "= Proved unchanged"]
    assert re.findall("<h3>(.*?)</h3>", data) == ["✗ Failed", "‖ Held", "= Proved unchanged"]
    assert "etl" not in platform
    assert "shared" in platform
    assert "shared" in data


def test_the_page_says_what_why_and_what_to_do() -> None:
    page = full_page()
    platform = section(page, "team:platform")
    command = f"airflow-kubler approve aws --to prod {digest('aws new')[:19]}"
    assert f'<code class="command">{command}</code>' in platform
    assert "<b>Why</b>: its base trixie moved: libssl3t64 3.5.1-1 → 3.5.1-1+deb13u1" in platform
    assert "<b>Why</b>: its parent core changed" in platform
    assert "<b>Fixed</b>: CVE-2026-1111" in platform
    assert digest("gcp old") in platform
    reason = re.search(r"<h4>etl</h4>\n<pre class=\"reason\">\n(.*?)</pre>", section(page, "team:data"), re.DOTALL)
    assert reason
    assert len(reason[1].splitlines()) == 5
    assert "14.0 MB a node at most" in page


def test_nothing_is_said_by_colour_alone() -> None:
    page = full_page()
    chips = re.findall(r'<span class="chip[^"]*">(.) (\d+) (.*?)</span>', page)
    assert [(mark, word) for mark, _, word in chips] == [
        ("✗", "failed"),
        ("‖", "held"),
        ("!", "waiting for a person"),
        ("→", "changed"),
        ("=", "proved unchanged"),
    ]
    labels = re.findall(r'<svg [^>]*aria-label="([^"]*)"', page)
    assert [label.partition(":")[0] for label in labels] == [
        "Size of all images",
        "Vulnerabilities",
        "Bytes that nodes pull",
    ]
    assert all("20261130.1" in label and "something failed" in label for label in labels)


def luminance(colour: str) -> float:
    digits = colour.lstrip("#")
    digits = "".join(letter * 2 for letter in digits) if len(digits) == 3 else digits
    parts = (int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4))
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(
    ("front", "back", "least"),
    [
        ("ink", "page", 7),
        ("ink", "card", 7),
        ("soft", "page", 4.5),
        ("soft", "card", 4.5),
        ("accent", "page", 4.5),
        ("bad", "bad-bg", 4.5),
        ("good", "good-bg", 4.5),
        ("warn", "warn-bg", 4.5),
    ],
)
def test_letters_differ_from_what_they_stand_on_without_colour(theme: int, front: str, back: str, least: float) -> None:
    style = resources.files("builder.picture").joinpath("pages/page.css").read_text()
    rules = [
        dict(re.findall(r"--([a-z-]+):(#[0-9a-f]+)", rule)) for rule in re.findall(r":root\{(.*?)\}", style, re.DOTALL)
    ]
    one, other = luminance(rules[theme][front]), luminance(rules[theme][back])
    assert (max(one, other) + 0.05) / (min(one, other) + 0.05) >= least


@settings(max_examples=60)
@given(TEXTS, TEXTS)
def test_what_others_wrote_stays_text(name: str, reason: str) -> None:
    made = MadeUpNight(name=name, by=reason)
    made.base(name, moves=[{"name": name, "before": reason, "after": name}], failed=reason)
    for stack in (name, "x", "y"):
        made.stack(stack, name, reason, base=name, parent=name)
    made.changed(name, (name, reason, ""))
    made.step(name, Step.SCAN, counts={name: 1}, fixed=[name], new=[reason])
    row = {"channel": name, "lacks": [f"approvals: {reason}"], "ways": [{"rule": "approvals", "way": reason}]}
    made.step(name, Step.CHANNELS, Result.WAITING, reason or "x", channels=[row])
    made.step("x", Step.LOCK, Result.FAILED, reason)
    made.step("y", Step.LOCK, Result.HELD, reason)
    summary = made.summary()
    text = render_night_page(
        summary, make_trend([sample_of(summary), *(sample_of(make_quiet_night(name, 1, "x").summary()),)])
    )
    page = Page(text)
    assert page.names() <= ALLOWED
    for _, attributes in page.tags:
        assert not [key for key in attributes if key.startswith("on") or key in {"src", "srcset", "action", "style"}]
        assert (attributes.get("href") or "#").startswith("#")
    assert not re.search("[\u202e\x00\x1b]", text)


ALLOWED = {
    *(
        "html",
        "head",
        "meta",
        "title",
        "style",
        "body",
        "a",
        "header",
        "main",
        "footer",
        "section",
        "div",
        "span",
        "b",
        "br",
    ),
    *("h1", "h2", "h3", "h4", "p", "ul", "li", "code", "pre", "details", "summary", "figure", "figcaption"),
    *("table", "thead", "tbody", "tr", "th", "td", "svg", "g", "rect", "path", "text"),
}


def test_bytes_are_stable_and_the_page_is_used_by_keyboard() -> None:
    text = full_page()
    assert text == full_page()
    page = Page(text)
    headings = [tag for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
    assert (headings[0], headings.count("h1")) == ("h1", 1)
    scrolled = [attributes for _, attributes in page.tags if attributes.get("class") == "wide"]
    assert scrolled
    assert all(one["tabindex"] == "0" and one["aria-label"] for one in scrolled)
    assert all(attributes.get("scope") for tag, attributes in page.tags if tag == "th")
    names = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(names) == len(set(names))


def test_a_night_without_stacks_and_one_that_is_not_over_have_pages() -> None:
    assert "it is not over" in render_night_page(summarise(MadeUpNight().night(over=False)), ())
    empty = MadeUpNight().summary()
    assert "nothing" in render_night_page(empty, make_trend([sample_of(empty)]))


def test_a_thousand_stacks_make_a_page_of_bearable_size() -> None:
    made = MadeUpNight()
    for number in range(1000):
        made.stack(f"stack-{number}", f"team:{number % 20}")
        made.same(f"stack-{number}")
    assert len(render_night_page(made.summary(), ())) < 400_000


def test_bars_begin_at_zero_and_an_unknown_one_has_no_height() -> None:
    bars = [Bar(night=str(value), value=value, good=True) for value in (0, 50, 100)]
    drawn = draw_bars("Things", [*bars, Bar(night="x", value=None, good=False)], str)
    heights = [int(height) for height in re.findall(r'<rect [^>]*height="(\d+)"', drawn)]
    assert heights == [1, 41, 82, 1]
    assert "last unknown" in drawn
    assert drawn.count("hollow") == 1
