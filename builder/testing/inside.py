"""Runs tests and the services beside them inside a container, and tells on standard output what came of each.

    python inside.py SPEC        the spec is JSON: see `run_spec`

By whatever Python 3.9 or newer the image has, with the standard library alone. Each answer is one line, a record separator
and JSON (RFC 7464), so that what the entrypoint says beside it does no harm; what was told before a container died stands.

{"service": "api-server", "ok": true, "seconds": 4.1, "said": ""}
{"task": "core/a.sh", "exit": 0, "timed_out": false, "seconds": [0.2], "said": "...", "result": ""}
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

SEPARATOR = "\x1e"
RESULT = "CHECK_RESULT"
"""The variable that names the file which a task may leave an answer in."""
MOST_SAID = 8000
MOST_RESULT = 8 << 20
ASK_S = 10
"""How long one question after a service's health may take."""
GRACE_S = 10
"""Until what does not end by itself is killed."""

Tell = Callable[[dict[str, Any]], None]


class Streak:
    """Counts how often in a row something was healthy."""

    def __init__(self, wanted: int) -> None:
        self.wanted = wanted
        self.count = 0

    def tell(self, *, healthy: bool) -> bool:
        """Take one observation; gives whether the streak is long enough."""
        self.count = self.count + 1 if healthy else 0
        return self.count >= self.wanted


def main() -> int:
    """Run a spec."""
    lock = threading.Lock()

    def tell(answer: dict[str, Any]) -> None:
        with lock:
            sys.stdout.write(SEPARATOR + json.dumps(answer) + "\n")
            sys.stdout.flush()

    with open(sys.argv[1], encoding="utf-8") as stream:
        run_spec(json.load(stream), tell)
    return 0


def run_spec(spec: dict[str, Any], tell: Tell) -> None:
    """Start services one after the other, run tasks beside them, end the services.

    Args:
        spec: `jobs`; `services`, each with name, command, url, health, streak, interval_s and timeout_s; `tasks`, each with
            name, argv, env, timeout_s, tries, memory_bytes (0 for no limit) and alone: those run before the others, one by one.
        tell: takes each answer.
    """
    running: list[Service] = []
    try:
        for service in (Service(told) for told in spec["services"]):
            running.append(service)
            problem = service.wait()
            if problem:
                tell(service.answer(problem))
                return
        tasks = spec["tasks"]
        for task in tasks:
            if task["alone"]:
                tell(run_task(task))
        with ThreadPoolExecutor(spec["jobs"]) as pool:
            for answer in pool.map(run_task, [task for task in tasks if not task["alone"]]):
                tell(answer)
        for service in running:
            tell(service.answer(service.problem()))
    finally:
        for service in reversed(running):
            service.end()


class Service:
    """A program that runs beside the tests."""

    def __init__(self, told: dict[str, Any]) -> None:
        self.told = told
        self.began = time.monotonic()
        self.healthy_after = 0.0
        self.log = tempfile.TemporaryFile()
        self.process = start(["bash", "-c", told["command"]], self.log, dict(os.environ))

    def wait(self, clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep) -> str:
        """Wait until it is healthy often enough in a row; gives what is wrong, or nothing."""
        streak = Streak(self.told["streak"])
        while not streak.tell(healthy=self.healthy()):
            if self.process.poll() is not None:
                return self.problem()
            if clock() - self.began > self.told["timeout_s"]:
                return f"not healthy {streak.wanted} times in a row within {self.told['timeout_s']} s"
            sleep(self.told["interval_s"])
        self.healthy_after = clock() - self.began
        return ""

    def problem(self) -> str:
        """Say what is wrong with it now; nothing where it runs and is healthy."""
        status = self.process.poll()
        if status is not None:
            return f"ended by itself, with status {status}"
        return "" if self.healthy() else "was healthy, and is not any more"

    def healthy(self) -> bool:
        """Ask once."""
        if self.process.poll() is not None:
            return False
        if self.told["health"]:
            asked = {"argv": ["bash", "-c", self.told["health"]], "timeout_s": ASK_S}
            return bool(run_once(asked, "")["exit"] == 0)
        # Whatever proxy the environment names, the service is in here.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(self.told["url"], timeout=ASK_S) as answer:
                status: int = answer.status
                return status // 100 == 2
        except (OSError, ValueError):
            return False

    def answer(self, problem: str) -> dict[str, Any]:
        """Make the answer."""
        said = f"{last_words(self.log)}\n{problem}" if problem else ""
        seconds = self.healthy_after or time.monotonic() - self.began
        return {"service": self.told["name"], "ok": not problem, "seconds": seconds, "said": said}

    def end(self) -> None:
        """End it and what it started; by its process group, which is known by the number of the process."""
        stop(self.process)
        self.log.close()


def run_task(task: dict[str, Any]) -> dict[str, Any]:
    """Run a task, as often as it wants; ends with the first time that it fails."""
    seconds: list[float] = []
    answer: dict[str, Any] = {}
    for _ in range(task["tries"]):
        with scratch() as folder:
            began = time.monotonic()
            answer = run_once(task, folder)
            seconds.append(time.monotonic() - began)
        if answer["exit"] != 0:
            break
    return {"task": task["name"], "seconds": seconds, **answer}


def run_once(task: dict[str, Any], folder: str) -> dict[str, Any]:
    """Run a program to its end or its time limit, with all that it started."""
    argv: list[str] = task["argv"]
    if task.get("memory_bytes"):
        argv = ["bash", "-c", f'ulimit -d {task["memory_bytes"] >> 10} && exec "$@"', "bash", *argv]
    result = os.path.join(folder, "result") if folder else ""
    env = {**os.environ, **task.get("env", {}), **({"TMPDIR": folder, RESULT: result} if folder else {})}
    with tempfile.TemporaryFile() as log:
        process = start(argv, log, env)
        status: int | None = None
        try:
            status = process.wait(task["timeout_s"])
        except subprocess.TimeoutExpired:
            pass
        finally:
            stop(process)
        said = last_words(log)
    return {"exit": status, "timed_out": status is None, "said": said, "result": read_result(result)}


@contextlib.contextmanager
def scratch() -> Iterator[str]:
    """Give a folder that goes away, whatever a test left in it."""
    with tempfile.TemporaryDirectory(prefix="check-") as folder:
        yield folder


def start(argv: list[str], log: Any, env: dict[str, str]) -> subprocess.Popen[bytes]:
    """Start a program in a process group of its own."""
    return subprocess.Popen(
        argv, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, env=env, start_new_session=True
    )


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a program and its process group: asked first where it still runs, killed where it does not listen."""
    if process.poll() is None:
        signal_group(process, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_S)
    signal_group(process, signal.SIGKILL)
    process.wait()


def signal_group(process: subprocess.Popen[bytes], number: int) -> None:
    """Send a signal to what is left of a program's process group."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def last_words(log: Any) -> str:
    """Read the end of what a program said."""
    size = log.seek(0, os.SEEK_END)
    log.seek(max(0, size - MOST_SAID))
    return str(log.read().decode("utf-8", "replace"))


def read_result(path: str) -> str:
    """Read what a task left; nothing where it left nothing, or more than anybody reads."""
    if not path or not os.path.isfile(path) or os.path.getsize(path) > MOST_RESULT:
        return ""
    with open(path, encoding="utf-8", errors="replace") as stream:
        return stream.read()


if __name__ == "__main__":
    sys.exit(main())
