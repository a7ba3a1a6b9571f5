"""The reports of a night: written, recorded, and told; who could not be told fails nothing."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from standardwebhooks import Webhook

from builder.digest import Digest
from builder.ledger.database import SqliteLedger
from builder.nightly.journal import Ended
from builder.nightly.settings import NotifySettings
from builder.nightly.summary import NightSummary
from builder.wiring.night_reports import close_night, make_page, tell_night
from builder.wiring.nights import Nights
from tests.support.fault_server import Answer, FaultServer
from tests.support.ledgers import Ticking, make_ledger
from tests.support.made_up_nights import BEGAN, DAY, MadeUpNight, make_full_night, make_quiet_night

SECRET = f"whsec_{base64.b64encode(b'0123456789abcdef0123456789abcdef').decode()}"
WEBHOOK = NotifySettings(webhook="HOOK", webhook_secret="SECRET")  # noqa: S106  a name
chats = pytest.mark.filterwarnings("ignore:'imghdr':DeprecationWarning")


def keep(nights: Nights, made: MadeUpNight) -> NightSummary:
    night = made.night()
    with nights.journal(night.begun.night) as write:
        write(night.begun)
        for step in night.steps:
            write(step)
        write(Ended(ended=night.ended))
    return made.summary()


@pytest.fixture
def nights(tmp_path: Path) -> Nights:
    return Nights(root=tmp_path / "nights")


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    path = tmp_path / "ledger.db"
    make_ledger(path)
    return path


def test_reports_are_written_and_the_values_are_on_record(nights: Nights, ledger: Path) -> None:
    summary = keep(nights, make_full_night())
    close_night(nights, summary, ledger)
    folder = nights.folder("20261130.1")
    assert {path.name for path in folder.iterdir()} == {"journal.jsonl", "report.html", "report.json", "report.md"}
    data = (folder / "report.json").read_bytes()
    assert [row["name"] for row in json.loads(data)["stacks"] if row["same"]] == ["gcp", "orphan", "reports", "shared"]
    with SqliteLedger(ledger, Ticking(), write=False) as reader:
        (entry,) = reader.find("kind", "night")
        assert reader.document(Digest.of(data)) == data
        assert entry.data["report"] == str(Digest.of(data))


def test_plots_go_on_where_the_nights_before_are_only_on_record(nights: Nights, ledger: Path, tmp_path: Path) -> None:
    for day in range(3, 0, -1):
        made = make_quiet_night(f"2026112{9 - day}.1", BEGAN - day * DAY, "core")
        close_night(nights, keep(nights, made), ledger)
    elsewhere = Nights(root=tmp_path / "elsewhere")
    summary = keep(elsewhere, make_quiet_night("20261130.1", BEGAN, "core"))
    page = make_page(elsewhere, summary, ledger)
    assert "The last 4 nights" in page
    assert page.count("<svg") == 3
    assert "<svg" not in make_page(elsewhere, summary, None), "one night is no history"
    earlier = make_quiet_night("20261127.1", BEGAN - 2 * DAY, "core").summary()
    assert "The last 2 nights" in make_page(nights, earlier, ledger), "later nights are not its history"


def test_who_wants_to_know_is_told(nights: Nights) -> None:
    summary, said = keep(nights, make_full_night()), list[str]()
    close_night(nights, summary, None)
    with FaultServer() as server:
        url = server.on("/hook", Answer(status=200))
        tell_night(nights, summary, WEBHOOK, said.append, {"HOOK": url, "SECRET": SECRET})
        (request,) = server.asked("/hook")
    told = Webhook(SECRET).verify(request.body, dict(request.headers))
    report = (nights.folder(summary.night) / "report.json").read_bytes()
    assert told["data"]["report"] == str(Digest.of(report))
    assert request.headers["webhook-id"] == f"night_20261130.1_{BEGAN}"
    assert said == ["told webhook HOOK"]


@chats
def test_chats_are_told_in_short(nights: Nights) -> None:
    summary, said = keep(nights, make_full_night()), list[str]()
    with FaultServer() as server:
        server.on("/chat", Answer(status=200))
        url = server.url("/chat").replace("http", "json")
        tell_night(nights, summary, NotifySettings(apprise=("CHAT",)), said.append, {"CHAT": url})
        (request,) = server.asked("/chat")
    sent = json.loads(request.body)
    assert sent["title"].startswith("Night 20261130.1: 4 failed")
    assert sent["type"] == "failure"
    assert "approve aws" in sent["message"]
    assert said == ["told chat CHAT"]


@chats
def test_who_cannot_be_told_is_said_and_fails_nothing(nights: Nights) -> None:
    summary, said = keep(nights, make_full_night()), list[str]()
    settings = NotifySettings(webhook="HOOK", webhook_secret="SECRET", apprise=("CHAT", "MAIL"))  # noqa: S106
    with FaultServer() as server:
        url = server.on("/hook", Answer(status=403))
        environ = {"HOOK": url, "SECRET": SECRET, "CHAT": "nosuch://s3cr3t"}
        tell_night(nights, summary, settings, said.append, environ)
    assert said == [
        "NOT told webhook HOOK: answered 403",
        "NOT told chat CHAT: it holds an address that apprise does not know",
        "NOT told chat MAIL: the environment variable MAIL is not set or empty",
    ]


def test_a_secret_that_is_none_is_not_sent_with(nights: Nights) -> None:
    summary, said = keep(nights, make_full_night()), list[str]()
    with FaultServer() as server:
        url = server.on("/hook", Answer(status=200))
        tell_night(nights, summary, WEBHOOK, said.append, {"HOOK": url, "SECRET": "s3cr3t"})
        assert not server.requests
    assert said[0].startswith("NOT told webhook HOOK: holds no secret")
    assert "s3cr3t" not in said[0]


def test_a_night_in_which_nothing_changed_is_told_to_nobody(nights: Nights) -> None:
    summary = keep(nights, make_quiet_night("20261130.1", BEGAN, "core"))
    assert tell_night(nights, summary, WEBHOOK, print, {}) == ()
