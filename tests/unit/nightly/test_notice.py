"""Who is told of a night, when, and what; names of environment variables in the file, never addresses."""

from __future__ import annotations

import json
import re

import pytest

from builder.errors import IssuesError
from builder.nightly.model import Step
from builder.nightly.notice import MOST_LETTERS, MOST_STACKS, make_notice, notice_id, render_notice, wants
from builder.nightly.settings import NotifySettings, parse_settings
from builder.picture.night_page import render_night_page
from tests.support.made_up_nights import BEGAN, MadeUpNight, make_full_night, make_quiet_night
from tests.support.tools import ROOT

QUIET = make_quiet_night("20261130.1", BEGAN, "core").summary()


def changed() -> MadeUpNight:
    made = MadeUpNight()
    made.stack("core", "team:platform")
    made.changed("core")
    return made


@pytest.mark.parametrize(
    ("when", "told"),
    [("always", (True, True, True)), ("changes", (False, True, True)), ("failures", (False, False, True))],
)
def test_nights_are_told_as_asked(when: str, told: tuple[bool, ...]) -> None:
    nights = (QUIET, changed().summary(), make_full_night().summary())
    assert tuple(wants(NotifySettings(when=when), night) for night in nights) == told


def test_a_base_that_moved_is_a_change() -> None:
    made = make_quiet_night("1", BEGAN, "core")
    made.base("trixie", moves=[{"name": "zlib1g", "before": "1", "after": "2"}])
    assert wants(NotifySettings(), made.summary())


def test_new_findings_of_an_image_that_is_as_it_was_are_told() -> None:
    made = make_quiet_night("1", BEGAN, "core")
    made.step("core", Step.SCAN, counts={"high": 3}, fixed=[], new=["CVE-2026-4"])
    summary = made.summary()
    assert wants(NotifySettings(), summary)
    assert make_notice(summary, "")["data"]["stacks"][0]["new"] == ["CVE-2026-4"]
    text = "## Vulnerabilities of unchanged images\n\n- **core** (team:platform): new CVE-2026-4"
    assert text in render_notice(summary)[1]
    page = render_night_page(summary, ())
    assert "<h3>! Vulnerabilities of unchanged images</h3>" in page
    assert "<p><b>New</b>: CVE-2026-4</p>" in page


def test_programs_are_told_what_is_not_as_it_was() -> None:
    summary = make_full_night().summary()
    notice = make_notice(summary, "sha256:0")
    assert notice["type"] == "nightly.ended"
    assert notice["timestamp"] == "2026-11-30T12:23:40Z"
    data = notice["data"]
    assert data["counts"] == {"stacks": 10, "changed": 2, "unchanged": 4, "failed": 3, "held": 1, "waiting": 1}
    assert [row["name"] for row in data["stacks"]] == ["etl", "legacy", "ml", "aws", "core", "spark"]
    assert data["failed_bases"] == ["bookworm"]
    assert data["stacks"][3]["commands"][1].startswith("airflow-kubler approve aws --to prod sha256:")
    assert json.loads(json.dumps(notice)) == notice


def test_a_large_fleet_does_not_make_a_large_notice() -> None:
    made = MadeUpNight()
    for number in range(1000):
        made.stack(f"stack-{number}", "team:a")
        made.changed(f"stack-{number}")
    data = make_notice(made.summary(), "")["data"]
    assert (len(data["stacks"]), data["left_out"]) == (MOST_STACKS, 1000 - MOST_STACKS)
    title, body = render_notice(made.summary())
    assert title == "Night 20261130.1: 1000 changed"
    assert len(body) <= MOST_LETTERS


def test_a_night_has_one_name_for_receivers_and_another_project_s_has_another() -> None:
    assert notice_id(QUIET) == notice_id(QUIET) == f"night_20261130.1_{BEGAN}"
    assert notice_id(make_quiet_night("20261130.1", BEGAN + 1, "core").summary()) != notice_id(QUIET)


def test_settings_name_variables() -> None:
    text = b"""
[notify]
when = "failures"
apprise = ["NIGHTLY_CHAT", "NIGHTLY_MAIL"]
webhook = "NIGHTLY_WEBHOOK"
webhook-secret = "NIGHTLY_SECRET"
"""
    assert parse_settings(text).notify == NotifySettings(
        when="failures",
        apprise=("NIGHTLY_CHAT", "NIGHTLY_MAIL"),
        webhook="NIGHTLY_WEBHOOK",
        webhook_secret="NIGHTLY_SECRET",  # noqa: S106  a name
    )


def test_the_settings_of_the_page_are_read() -> None:
    page = (ROOT / "docs/nightly-reports.md").read_text()
    found = [parse_settings(block.encode()).notify for block in re.findall("```toml\n(.*?)```", page, re.DOTALL)]
    assert [one.webhook_secret for one in found] == ["NIGHTLY_WEBHOOK_SECRET"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('apprise = ["slack://token-a/token-b"]', "notify.apprise: names no environment variable"),
        ('webhook = "https://hooks.example.org/s3cr3t"\nwebhook-secret = "S"', "notify.webhook: names no"),
        ('webhook = "W"', "notify.webhook-secret: is missing"),
        ('webhook-secret = "whsec_s3cr3t"', "notify.webhook: is missing"),
        ('when = "alway"', "notify.when: unknown value 'alway'"),
        ("mail = 1", "notify.mail: unknown key"),
    ],
)
def test_what_has_no_place_in_the_file_is_refused_and_not_repeated(text: str, said: str) -> None:
    with pytest.raises(IssuesError, match=said) as caught:
        parse_settings(f"[notify]\n{text}\n".encode())
    assert not [word for word in ("token", "s3cr3t") if word in str(caught.value)]
