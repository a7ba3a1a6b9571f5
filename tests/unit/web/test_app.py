"""What the addresses of a served ledger answer, and refuse."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

from builder.cli.root import root
from builder.errors import LedgerError
from builder.ledger.database import SqliteLedger
from builder.ledger.events import Promoted
from builder.ledger.model import NewEntry
from builder.web.app import make_app
from builder.web.feed import Feed
from builder.web.openapi import describe
from builder.wiring.web import channel_answer
from tests.support.ledgers import ALICE, ORIGIN, Ticking, events_of_every_kind, make_build, make_ledger

DIGEST = make_build().digest


ENTRIES = 1 + len(events_of_every_kind())
"""Of a ledger with one of every kind, and its first."""


@pytest.fixture
def ledger_path(tmp_path: Path) -> Path:
    path = tmp_path / "ledger.db"
    make_ledger(path, [NewEntry(event=event) for event in events_of_every_kind()])
    return path


class Client:
    """Asks an application without a network, in one event loop."""

    def __init__(self, app: Any, runner: asyncio.Runner) -> None:
        # Errors are answered by the application; what it does not answer shall fail the test.
        self._transport = httpx.ASGITransport(app)
        self._runner = runner

    def request(self, method: str, path: str, **how: Any) -> httpx.Response:
        async def ask() -> httpx.Response:
            async with httpx.AsyncClient(transport=self._transport, base_url="http://ledger") as client:
                return await client.request(method, path, **how)

        return self._runner.run(ask())

    def get(self, path: str, **how: Any) -> httpx.Response:
        return self.request("GET", path, **how)


@pytest.fixture
def client(ledger_path: Path) -> Iterator[Client]:
    with asyncio.Runner() as runner, SqliteLedger(ledger_path, Ticking(), write=False) as ledger:
        yield Client(make_app(Feed(ledger), channel_answer), runner)


def test_a_channel_answers_with_its_digest_and_where_it_is(client: Client) -> None:
    answer = client.get("/v1/stacks/core/channels/prod")
    assert answer.status_code == 200
    value = answer.json()
    assert (value["stack"], value["channel"], value["digest"]) == ("core", "prod", DIGEST)
    assert answer.text.startswith('{"')
    assert answer.headers["cache-control"] == "no-cache"
    assert client.request("HEAD", "/v1/stacks/core/channels/prod").headers["etag"] == answer.headers["etag"]


def test_a_channels_answer_is_the_json_of_digest(client: Client, ledger_path: Path) -> None:
    words = ["--ledger", str(ledger_path), "digest", "core", "--channel", "prod", "--format", "json"]
    told = CliRunner().invoke(root, words)
    assert client.get("/v1/stacks/core/channels/prod").json() == json.loads(told.output)


def test_a_channel_whose_image_is_nowhere_answers_too(tmp_path: Path) -> None:
    path = tmp_path / "nowhere.db"
    promoted = Promoted(stack="core", channel="prod", digest=DIGEST, rules=DIGEST)
    make_ledger(path, [NewEntry(event=promoted)])
    with asyncio.Runner() as runner, SqliteLedger(path, Ticking(), write=False) as ledger:
        value = Client(make_app(Feed(ledger), channel_answer), runner).get("/v1/stacks/core/channels/prod").json()
    assert (value["digest"], value["repository"], value["reference"], value["places"]) == (DIGEST, "", "", [])


def test_who_knows_the_answer_is_told_that_it_is_the_same(client: Client) -> None:
    tag = client.get("/v1/stacks/core/channels/prod").headers["etag"]
    for known in (tag, f'"other", {tag}', f"W/{tag}", "*"):
        answer = client.get("/v1/stacks/core/channels/prod", headers={"if-none-match": known})
        assert (answer.status_code, answer.content) == (304, b""), known
    assert client.get("/v1/stacks/core/channels/prod", headers={"if-none-match": '"other"'}).status_code == 200


def test_who_waits_is_told_after_so_long_that_it_is_the_same(client: Client) -> None:
    tag = client.get("/v1/stacks/core/channels/prod").headers["etag"]
    begun = time.monotonic()
    answer = client.get("/v1/stacks/core/channels/prod?wait=0.3", headers={"if-none-match": tag})
    assert answer.status_code == 304
    assert time.monotonic() - begun >= 0.3
    # Who knows nothing yet does not wait.
    assert client.get("/v1/stacks/core/channels/prod?wait=20").status_code == 200
    assert time.monotonic() - begun < 10


@pytest.mark.parametrize(
    ("path", "status", "title"),
    [
        ("/v1/stacks/core/channels/dev", 404, "the channel dev of core has never been moved"),
        ("/v1/stacks/none/channels/prod", 404, "the channel prod of none has never been moved"),
        ("/v1/stacks/none", 404, "the ledger knows no stack none"),
        ("/v1/stacks/..%2F..%2Fetc/channels/prod", 404, "Not Found"),
        ("/v1/stacks/CORE/channels/prod", 404, "not a name of a stack or channel"),
        ("/v1/stacks/co%20re", 404, "not a name of a stack or channel"),
        ("/v1/stacks/%00", 404, "not a name of a stack or channel"),
        ("/v1/stacks/core/channels/prod?wait=soon", 400, "wait is a number of seconds, at most 300"),
        ("/v1/stacks/core/channels/prod?wait=-1", 400, "wait is a number of seconds, at most 300"),
        ("/v1/stacks/core/channels/prod?wait=nan", 400, "wait is a number of seconds, at most 300"),
        ("/v1/stacks/core/channels/prod?wait=1e9", 400, "wait is a number of seconds, at most 300"),
        ("/v1/images/sha256:short", 400, "not a digest: write it as sha256:<64 hexadecimal characters>"),
        (f"/v1/images/sha256:{'0' * 64}", 404, f"no build of sha256:{'0' * 64} is recorded"),
        ("/", 404, "Not Found"),
        ("/v2/stacks", 404, "Not Found"),
    ],
)
def test_what_is_not_there_is_a_problem_with_its_reason(client: Client, path: str, status: int, title: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.json()["title"]) == (status, title)
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_nothing_can_be_written(client: Client, method: str) -> None:
    for path in ("/v1/stacks/core/channels/prod", "/v1/stacks", "/v1/head"):
        assert client.request(method, path, json={}).status_code == 405


def test_stacks_are_listed_with_their_channels(client: Client) -> None:
    (core,) = client.get("/v1/stacks").json()["stacks"]
    assert core["stack"] == "core"
    assert core["channels"]["prod"]["digest"] == DIGEST
    assert client.get("/v1/stacks/core").json() == core


def test_an_image_is_found_by_index_manifest_and_config(client: Client) -> None:
    built = make_build()
    for digest in (built.digest, built.platforms[0].manifest, built.platforms[1].config):
        assert client.get(f"/v1/images/{digest}").json()["digest"] == built.digest


def test_the_head_is_that_of_the_ledger(client: Client, ledger_path: Path) -> None:
    with SqliteLedger(ledger_path, Ticking(), write=False) as ledger:
        assert client.get("/v1/head").text == ledger.head().text
    assert client.get("/v1/head").text.startswith(f"{ORIGIN}\n{ENTRIES}\n")


def test_the_description_names_every_address(client: Client) -> None:
    described = client.get("/openapi.json").json()
    assert described == describe()
    shapes = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(described)))
    assert shapes == set(described["components"]["schemas"])
    for path, ways in described["paths"].items():
        asked = path.replace("{stack}", "core").replace("{channel}", "prod").replace("{digest}", DIGEST)
        if path != "/v1/events" and "get" in ways:
            # What is for workers is refused: this one was opened for reading.
            assert client.get(asked).status_code == (403 if "security" in ways["get"] else 200), path


def test_readiness_says_how_long_the_ledger_is(client: Client) -> None:
    assert client.get("/readyz").json() == {"entries": ENTRIES}


class Failing:
    """A ledger whose file was damaged while it is served."""

    def changes(self) -> int:
        return 0

    def __getattr__(self, name: str) -> Any:
        def fail(*_: object, **__: object) -> None:
            raise LedgerError("is damaged: page 3", context="/srv/secret/ledger.db")

        return fail


def test_a_damaged_ledger_is_told_without_its_place() -> None:
    with asyncio.Runner() as runner:
        client = Client(make_app(Feed(Failing()), channel_answer), runner)
        for path in ("/readyz", "/v1/head", "/v1/stacks"):
            answer = client.get(path)
            assert (answer.status_code, answer.json()["title"]) == (503, "is damaged: page 3")
        assert client.get("/healthz").text == "alive\n"


def test_appends_of_others_are_noticed(ledger_path: Path) -> None:
    with SqliteLedger(ledger_path, Ticking(), write=False) as ledger:
        feed = Feed(ledger)
        feed.look()
        assert feed.version == 0
        with SqliteLedger(ledger_path, Ticking(), write=True) as writer:
            writer.append([NewEntry(event=make_build("gcp"))], ALICE)
        feed.look()
        assert feed.version == 1
