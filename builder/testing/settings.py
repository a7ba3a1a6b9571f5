"""`stacks/<name>/tests/tests.toml`: limits, budgets and services of a stack's tests. Pure.

It is not part of stack.toml: what stands there decides about the lock, and a longer time limit must not make a lock stale.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from builder.stack.table import Table, one_of, parse_table

FILE: Final = "tests.toml"
_UNITS: Final = {"s": 1, "m": 60, "h": 3600}
_SPAN: Final = re.compile(r"(\d{1,5})([smh])")
_MEMORY: Final = re.compile(r"(\d{1,5})(MiB|GiB)")
_LONGEST_S: Final = 24 * 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A program that runs beside the tests, in the same container."""

    name: str
    command: str
    """For bash."""
    url: str = ""
    """Healthy where this answers 2xx."""
    health: str = ""
    """Healthy where this command of bash's ends with 0; either this or `url`."""
    streak: int = 3
    """How often in a row it must be healthy."""
    interval_s: int = 1
    timeout_s: int = 120
    """By when."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What holds for the tests of one stack; None where the parent's or the default holds."""

    timeout_s: int = 300
    """Of each file of tests: what its own folder says, not inherited."""
    file_timeouts: tuple[tuple[str, int], ...] = ()
    memory_bytes: int | None = None
    """Of each process of a test."""
    network: str | None = None
    version_budget_s: int | None = None
    dags_budget_s: int | None = None
    tries: int | None = None
    services: tuple[Service, ...] = ()
    allow_modes: tuple[str, ...] = ()
    """Paths in the image that may be writable, setuid or setgid."""
    optional_modules: tuple[str, ...] = ()
    """Modules of providers that need not import."""

    def file_timeout_s(self, path: str) -> int:
        """Give the time limit of a file, by its path below the folder."""
        return dict(self.file_timeouts).get(path, self.timeout_s)


def parse_settings(data: bytes, *, file: str) -> Settings:
    """Read a tests.toml.

    Raises:
        StackError: it is not TOML.
        IssuesError: with all that is wrong in it.
    """
    top = parse_table(data, file=file)
    start, smoke = top.table("start"), top.table("smoke")
    settings = Settings(
        timeout_s=_span(top, "timeout") or Settings().timeout_s,
        file_timeouts=_file_timeouts(top),
        memory_bytes=_memory(top),
        network=one_of(top, "network", top.text("network"), ("none", "host")),
        version_budget_s=_span(start, "version"),
        dags_budget_s=_span(start, "dags"),
        tries=start.integer("tries", least=1, most=20),
        services=_services(top),
        allow_modes=tuple(path.strip("/") for path in smoke.texts("allow-modes") or ()),
        optional_modules=smoke.texts("optional-modules") or (),
    )
    for table in (start, smoke, top):
        table.close()
    top.issues.raise_any()
    return settings


def inherit(chain: Sequence[Settings]) -> Settings:
    """Apply a stack's settings to its parents', outermost parent first: a service of the same name replaces, lists add up."""
    found = Settings()
    for one in chain:
        services = {service.name: service for service in (*found.services, *one.services)}
        stated = {
            name: getattr(one, name)
            for name in ("memory_bytes", "network", "version_budget_s", "dags_budget_s", "tries")
            if getattr(one, name) is not None
        }
        found = replace(
            found,
            **stated,
            services=tuple(services.values()),
            allow_modes=(*found.allow_modes, *one.allow_modes),
            optional_modules=(*found.optional_modules, *one.optional_modules),
        )
    return found


def _span(table: Table, key: str, *, required: bool = False) -> int | None:
    text = table.text(key, required=required)
    if text is None:
        return None
    found = _SPAN.fullmatch(text)
    seconds = int(found[1]) * _UNITS[found[2]] if found else 0
    if not 0 < seconds <= _LONGEST_S:
        table.wrong(key, f"{text[:40]!r} is no length of time", hint="write 90s, 5m or 1h, up to a day")
        return None
    return seconds


def _memory(table: Table) -> int | None:
    text = table.text("memory")
    if text is None:
        return None
    found = _MEMORY.fullmatch(text)
    if not found or not int(found[1]):
        table.wrong("memory", f"{text[:40]!r} is no size", hint="write 512MiB or 2GiB")
        return None
    return int(found[1]) << (20 if found[2] == "MiB" else 30)


def _file_timeouts(top: Table) -> tuple[tuple[str, int], ...]:
    found: dict[str, int] = {}
    for row in top.tables("files"):
        name, timeout = row.text("name", required=True), _span(row, "timeout", required=True)
        row.close()
        if name in found:
            row.wrong("name", f"{name!r} stands here twice")
        if name:
            found[name] = timeout or _LONGEST_S
    return tuple(found.items())


def _services(top: Table) -> tuple[Service, ...]:
    found: dict[str, Service] = {}
    for row in top.tables("services"):
        name, command = row.text("name", required=True), row.text("command", required=True)
        url, health = row.text("url"), row.text("health")
        if bool(url) == bool(health):
            row.wrong("url", "a service has either a url or a health command", hint='as url = "http://127.0.0.1:8080/"')
        elif url and not url.startswith(("http://", "https://")):
            row.wrong("url", f"{url[:80]!r} is no address", hint="begin it with http://")
        default = Service(name="", command="")
        streak = row.integer("streak", least=1, most=1000)
        interval, timeout = _span(row, "interval"), _span(row, "timeout")
        row.close()
        if name in found:
            row.wrong("name", f"{name!r} stands here twice")
        if name and command:
            found[name] = Service(
                name=name,
                command=command,
                url=url or "",
                health=health or "",
                streak=streak or default.streak,
                interval_s=interval or default.interval_s,
                timeout_s=timeout or default.timeout_s,
            )
    return tuple(found.values())
