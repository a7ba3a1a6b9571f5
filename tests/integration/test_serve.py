"""The ledger served by a real process: who waits is told of a move within a second, and many read while others record."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from builder.ledger.database import SqliteLedger
from builder.ledger.events import Promoted
from builder.ledger.model import NewEntry
from tests.support.ledgers import ALICE, Ticking, digest_of, events_of_every_kind, make_build, make_ledger
from tests.support.tools import ROOT

pytestmark = pytest.mark.slow


@contextmanager
def served(path: Path) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    argv = [sys.executable, "-m", "builder", "--ledger", str(path), "serve", "--port", "0"]
    with subprocess.Popen(argv, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        said = process.stderr.readline()
        found = re.search(r"on http://127\.0\.0\.1:(\d+)$", said.strip())
        assert found, said
        try:
            yield int(found[1]), process
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(20)


@pytest.fixture
def ledger_path(tmp_path: Path) -> Path:
    path = tmp_path / "ledger.db"
    make_ledger(path, [NewEntry(event=event) for event in events_of_every_kind()])
    return path


def first_promotion() -> int:
    """The number of core's move in the ledger made above; the ledger's own first entry is 0."""
    return next(number for number, event in enumerate(events_of_every_kind(), 1) if isinstance(event, Promoted))


def ask(port: int, path: str, **headers: str) -> tuple[int, bytes, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        return answer.status, answer.read(), answer.headers.get("etag", "")
    finally:
        connection.close()


def promote(path: Path, name: str, stack: str = "core") -> str:
    digest = make_build(stack, name).digest
    with SqliteLedger(path, Ticking(), write=True) as ledger:
        ledger.append(
            [NewEntry(event=Promoted(stack=stack, channel="prod", digest=digest, rules=digest_of("rules")))], ALICE
        )
    return digest


def test_who_waits_for_a_channel_is_told_of_its_move_within_a_second(ledger_path: Path) -> None:
    with served(ledger_path) as (port, _):
        _, _, tag = ask(port, "/v1/stacks/core/channels/prod")
        told: list[tuple[float, bytes]] = []

        def wait() -> None:
            _, body, _ = ask(port, "/v1/stacks/core/channels/prod?wait=20", if_none_match=tag)
            told.append((time.monotonic(), body))

        waiting = [threading.Thread(target=wait) for _ in range(20)]
        for thread in waiting:
            thread.start()
        time.sleep(0.5)
        # Of another stack: nobody here is told.
        promote(ledger_path, "night 1", "gcp")
        time.sleep(0.5)
        assert told == []
        moved = time.monotonic()
        digest = promote(ledger_path, "night 2")
        for thread in waiting:
            thread.join(20)
        assert len(told) == 20
        assert {json.loads(body)["digest"] for _, body in told} == {digest}
        assert max(at for at, _ in told) - moved < 1.0


def read_events(
    port: int, path: str, count: int, begun: threading.Event, **headers: str
) -> list[tuple[str, dict[str, str]]]:
    """Read so many events of a stream: id and value."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", path, headers={"accept": "text/event-stream", **headers})
    answer = connection.getresponse()
    assert answer.headers["content-type"].startswith("text/event-stream")
    begun.set()
    found: list[tuple[str, dict[str, str]]] = []
    number = ""
    while len(found) < count:
        line = answer.readline().decode().strip()
        name, _, value = line.partition(": ")
        if name == "id":
            number = value
        elif name == "data":
            found.append((number, json.loads(value)))
    connection.close()
    return found


def test_a_stream_gives_what_stands_then_each_move_and_goes_on_where_it_broke_off(ledger_path: Path) -> None:
    first, last = first_promotion(), len(events_of_every_kind())
    with served(ledger_path) as (port, process):
        begun = threading.Event()
        seen: list[tuple[str, dict[str, str]]] = []
        thread = threading.Thread(
            target=lambda: seen.extend(read_events(port, "/v1/stacks/core/channels/prod", 3, begun))
        )
        thread.start()
        assert begun.wait(10)
        time.sleep(0.3)
        digests = [make_build().digest]
        for number in range(2):
            promote(ledger_path, f"other {number}", "gcp")
            digests.append(promote(ledger_path, f"night {number}"))
            time.sleep(0.3)
        thread.join(20)
        assert [value["digest"] for _, value in seen] == digests
        assert [number for number, _ in seen] == [str(first), str(last + 2), str(last + 4)]
        after = read_events(port, "/v1/events", 2, threading.Event(), **{"last-event-id": str(last + 2)})
        assert [number for number, _ in after] == [str(last + 3), str(last + 4)]
        # Streams that are open do not keep the service from ending.
        threading.Thread(target=lambda: read_events_quietly(port), daemon=True).start()
        time.sleep(0.3)
        ended = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) in {0, -signal.SIGTERM}
        assert time.monotonic() - ended < 10


def read_events_quietly(port: int) -> None:
    try:
        read_events(port, "/v1/events", 99, threading.Event())
    except (OSError, http.client.HTTPException):
        return


def test_two_hundred_read_without_an_error_while_a_build_records(ledger_path: Path) -> None:
    with served(ledger_path) as (port, _):
        writing = threading.Event()
        failures: list[object] = []

        def record() -> None:
            with SqliteLedger(ledger_path, Ticking(), write=True) as ledger:
                number = 0
                while not writing.is_set():
                    number += 1
                    ledger.append([NewEntry(event=make_build("core", f"night {number}"))], ALICE)

        def read() -> None:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            try:
                for _ in range(10):
                    connection.request("GET", "/v1/stacks/core/channels/prod")
                    answer = connection.getresponse()
                    if answer.status != 200 or json.loads(answer.read())["channel"] != "prod":
                        failures.append(answer.status)
            except (OSError, http.client.HTTPException, ValueError) as error:
                failures.append(error)
            finally:
                connection.close()

        recording = threading.Thread(target=record)
        recording.start()
        readers = [threading.Thread(target=read) for _ in range(200)]
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join(120)
        writing.set()
        recording.join(20)
        assert failures == []


def test_a_port_that_is_taken_and_a_ledger_that_is_not_there_are_told(ledger_path: Path, tmp_path: Path) -> None:
    with served(ledger_path) as (port, _):
        argv = [sys.executable, "-m", "builder", "--ledger", str(ledger_path), "serve", "--port", str(port)]
        done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 4
        assert f"cannot listen on 127.0.0.1 port {port}" in done.stderr
    argv = [sys.executable, "-m", "builder", "--ledger", str(tmp_path / "no.db"), "serve", "--port", "0"]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False, env=dict(os.environ))
    assert (done.returncode, "there is no ledger" in done.stderr) == (4, True)
