"""tests.toml."""

from __future__ import annotations

import pytest

from builder.errors import IssuesError
from builder.testing.settings import Service, Settings, inherit, parse_settings

FILE = "stacks/core/tests/tests.toml"
FULL = b"""
timeout = "90s"
memory = "512MiB"
network = "host"

[start]
version = "20s"
dags = "1m"
tries = 5

[smoke]
allow-modes = ["/usr/bin/su"]
optional-modules = ["airflow.providers.x.y"]

[[files]]
name = "test_slow.py"
timeout = "1h"

[[services]]
name = "web"
command = "exec web"
url = "http://127.0.0.1:1/"
streak = 5
interval = "2s"
timeout = "10s"

[[services]]
name = "queue"
command = "queue"
health = "queue ping"
"""


def test_everything_that_may_stand_there_is_read() -> None:
    found = parse_settings(FULL, file=FILE)
    assert (found.timeout_s, found.memory_bytes, found.network) == (90, 512 << 20, "host")
    assert (found.version_budget_s, found.dags_budget_s, found.tries) == (20, 60, 5)
    assert (found.allow_modes, found.optional_modules) == (("usr/bin/su",), ("airflow.providers.x.y",))
    assert (found.file_timeout_s("test_slow.py"), found.file_timeout_s("test_a.py")) == (3600, 90)
    web = Service(name="web", command="exec web", url="http://127.0.0.1:1/", streak=5, interval_s=2, timeout_s=10)
    assert found.services == (web, Service(name="queue", command="queue", health="queue ping"))


def test_nothing_need_stand_there() -> None:
    assert parse_settings(b"", file=FILE) == Settings()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('timeout = "5"', "timeout: '5' is no length of time"),
        ('timeout = "0s"', "timeout: '0s' is no length of time"),
        ('timeout = "25h"', "timeout: '25h' is no length of time"),
        ('memory = "2GB"', "memory: '2GB' is no size"),
        ('network = "hosts"', "network: unknown value 'hosts'"),
        ("tiemout = 1", "tiemout: unknown key"),
        ('[[services]]\nname = "a"\ncommand = "b"', "services[0].url: a service has either a url or a health command"),
        ('[[services]]\nname = "a"\ncommand = "b"\nurl = "x"', "services[0].url: 'x' is no address"),
        ('[[services]]\nname = "a"\nhealth = "b"', "services[0].command: is missing"),
        ('[[files]]\nname = "a"\n[[files]]\nname = "a"', "files[1].name: 'a' stands here twice"),
    ],
)
def test_what_is_wrong_is_told_by_its_key(text: str, told: str) -> None:
    # One issue hides no other: a second key that is not known comes with it.
    with pytest.raises(IssuesError) as caught:
        parse_settings(f"unknown = 1\n{text}".encode(), file=FILE)
    assert f"{FILE}: {told}" in str(caught.value)
    assert f"{FILE}: unknown: unknown key" in str(caught.value)


def test_a_child_takes_over_what_it_does_not_state() -> None:
    parent = Settings(
        timeout_s=7, tries=2, network="host", services=(Service(name="a", command="1"), Service(name="b", command="1"))
    )
    child = Settings(network="none", services=(Service(name="b", command="2"),), allow_modes=("x",))
    found = inherit([parent, child])
    assert (found.tries, found.network, found.allow_modes) == (2, "none", ("x",))
    assert [(service.name, service.command) for service in found.services] == [("a", "1"), ("b", "2")]
    assert found.timeout_s == Settings().timeout_s
