"""Nights on disk: one runs at a time, and what a kill cut short is taken off."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from builder.errors import BuildError, InvalidInputError
from builder.nightly.journal import Ended
from builder.nightly.model import Begun, Result, Step, StepDone
from builder.wiring.nights import JOURNAL, Nights
from tests.support.tools import ROOT

DONE = StepDone(node="stack:core", step=Step.LOCK, result=Result.DONE)


def begun(name: str) -> Begun:
    return Begun(night=name, at=1, by="a@b")


def test_a_night_is_not_finished_until_it_says_so(tmp_path: Path) -> None:
    nights = Nights(root=tmp_path)
    assert nights.unfinished() is None
    with nights.journal("20261130.1") as write:
        assert nights.unfinished() is None
        write(begun("20261130.1"))
        write(DONE)
        found = nights.unfinished()
        assert found is not None
        assert found.steps == (DONE,)
        write(Ended(ended=5))
    assert nights.unfinished() is None
    assert nights.read("20261130.1").ended == 5


def test_what_was_cut_short_is_taken_off_before_more_is_written(tmp_path: Path) -> None:
    nights = Nights(root=tmp_path)
    with nights.journal("20261130.1") as write:
        write(begun("20261130.1"))
    with (tmp_path / "20261130.1" / JOURNAL).open("ab") as stream:
        stream.write(b'{"node": "stack:co')
    with nights.journal("20261130.1") as write:
        write(DONE)
    assert nights.read("20261130.1").steps == (DONE,)


def test_nights_are_listed_by_day_and_number(tmp_path: Path) -> None:
    nights = Nights(root=tmp_path)
    for name in ("20261130.10", "20261130.9", "20261129.1"):
        with nights.journal(name) as write:
            write(begun(name))
    assert nights.names() == ("20261129.1", "20261130.9", "20261130.10")


def test_a_night_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match=r"no night '20261130\.7'"):
        Nights(root=tmp_path).read("20261130.7")


def test_a_second_night_on_this_machine_is_refused_by_its_owner_s_name(tmp_path: Path) -> None:
    nights = Nights(root=tmp_path)
    with (
        nights.alone("alice@here", 12, lambda: 0),
        pytest.raises(BuildError, match="a night of alice@here"),
        nights.alone("bob@here", 12, lambda: 0),
    ):
        pass
    with nights.alone("bob@here", 12, lambda: 0):
        pass


def test_another_machine_s_word_holds_until_it_expires(tmp_path: Path) -> None:
    nights = Nights(root=tmp_path)
    (tmp_path / "lock").write_text(json.dumps({"owner": "x@far", "host": "far", "pid": 1, "expires": 100}))
    with pytest.raises(BuildError, match="x@far") as caught, nights.alone("a@here", 12, lambda: 99):
        pass
    assert "--take-over" in caught.value.hint
    with nights.alone("a@here", 12, lambda: 99, take_over=True):
        pass
    (tmp_path / "lock").write_text(json.dumps({"owner": "x@far", "host": "far", "pid": 1, "expires": 100}))
    with nights.alone("a@here", 12, lambda: 101):
        pass


def test_a_damaged_lock_stops_nobody(tmp_path: Path) -> None:
    (tmp_path / "lock").write_bytes(b"\xff nonsense")
    with Nights(root=tmp_path).alone("a@here", 12, lambda: 0) as beat:
        beat()
        assert json.loads((tmp_path / "lock").read_bytes())["owner"] == "a@here"


def test_the_lock_of_a_killed_night_is_free_at_once(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from builder.wiring.nights import Nights\n"
        "with Nights(root=Path(sys.argv[1])).alone('k@here', 12, lambda: 0):\n print('in', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"in\n"
        with pytest.raises(BuildError, match="k@here"), Nights(root=tmp_path).alone("a@here", 12, lambda: 0):
            pass
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    with Nights(root=tmp_path).alone("a@here", 12, lambda: 0):
        pass


def test_processes_that_append_at_the_same_time_cut_into_no_line_of_another(tmp_path: Path) -> None:
    nights = Nights(root=tmp_path)
    with nights.journal("20261130.1") as write:
        write(begun("20261130.1"))
    code = (
        "import sys; from pathlib import Path; from builder.nightly.model import Result, Step, StepDone\n"
        "from builder.wiring.nights import Nights\n"
        "with Nights(root=Path(sys.argv[1])).journal('20261130.1') as write:\n"
        " for number in range(40):\n"
        "  write(StepDone(node=f'stack:s{sys.argv[2]}-{number}', step=Step.LOCK, result=Result.DONE, reason='x' * 9000))"
    )
    started = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path), str(number)], cwd=ROOT) for number in range(4)
    ]
    assert [process.wait() for process in started] == [0] * 4
    steps = nights.read("20261130.1").steps
    assert sorted(one.node for one in steps) == sorted(
        f"stack:s{writer}-{number}" for writer in range(4) for number in range(40)
    )


def test_what_a_killed_process_cut_short_is_taken_off_while_others_write_on(tmp_path: Path) -> None:
    nights = Nights(root=tmp_path)
    with nights.journal("20261130.1") as write:
        write(begun("20261130.1"))
        write(DONE)
        with (tmp_path / "20261130.1" / JOURNAL).open("ab") as stream:
            stream.write(b'{"node": "stack:co')
        write(DONE)
    assert nights.read("20261130.1").steps == (DONE, DONE)


def test_a_night_that_is_lent_to_a_run_is_its_tasks_alone(tmp_path: Path) -> None:
    nights = Nights(root=tmp_path)
    nights.lend("DAG a", 12, lambda: 0)
    nights.lend("DAG a", 12, lambda: 0)
    with pytest.raises(BuildError, match="a night of DAG a"):
        nights.lend("DAG b", 12, lambda: 0)
    with pytest.raises(BuildError, match="a night of DAG a"), nights.alone("alice@here", 12, lambda: 0):
        pass
    nights.give_back("DAG b")
    with pytest.raises(BuildError, match="a night of DAG a"), nights.alone("alice@here", 12, lambda: 0):
        pass
    nights.give_back("DAG a")
    with nights.alone("alice@here", 12, lambda: 0):
        pass


def test_a_lent_night_that_nobody_gave_back_expires(tmp_path: Path) -> None:
    nights = Nights(root=tmp_path)
    nights.lend("DAG a", 12, lambda: 0)
    nights.lend("DAG b", 12, lambda: 12 * 3600)


def test_tasks_of_a_run_are_refused_while_a_night_of_one_process_runs(tmp_path: Path) -> None:
    nights = Nights(root=tmp_path, moment_s=0.1)
    with (
        nights.alone("alice@here", 12, lambda: 0),
        pytest.raises(BuildError, match="a night of alice@here"),
    ):
        nights.lend("DAG a", 12, lambda: 0)
    nights.lend("DAG a", 12, lambda: 0)


def test_a_night_of_this_machine_that_was_killed_keeps_no_run_out_and_one_of_another_does(tmp_path: Path) -> None:
    nights = Nights(root=tmp_path)
    word = {"owner": "alice@here", "host": socket.gethostname(), "pid": 1, "expires": 100}
    (tmp_path / "lock").write_text(json.dumps(word))
    nights.lend("DAG a", 12, lambda: 0)
    (tmp_path / "lock").write_text(json.dumps({**word, "host": "far"}))
    with pytest.raises(BuildError, match="a night of alice@here"):
        nights.lend("DAG a", 12, lambda: 0)


def test_a_lent_night_is_taken_over_by_who_insists(tmp_path: Path) -> None:
    nights = Nights(root=tmp_path)
    nights.lend("DAG a", 12, lambda: 0)
    with nights.alone("alice@here", 12, lambda: 0, take_over=True):
        pass
