"""Read stacks/nightly.toml: what a night does with stacks, strictly."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from packaging.utils import canonicalize_name

from builder.stack.table import Table, one_of, parse_table

FILE: Final = "stacks/nightly.toml"
_UPGRADES: Final = ("all", "none")
_WHEN: Final = ("always", "changes", "failures")
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_MOST_WORKERS: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifySettings:
    """Who is told of a night. Addresses and secrets stand in environment variables, never in a file: these are their names."""

    when: str = "changes"
    """`always`; `changes`: where an image changed, something failed, or somebody has to act; `failures`: where something failed."""
    apprise: tuple[str, ...] = ()
    """Each holds addresses as apprise reads them."""
    webhook: str = ""
    """Holds an address of http or https; empty for none."""
    webhook_secret: str = ""
    """Holds what requests are signed with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NightSettings:
    """What a night does; all of it for a project that says nothing."""

    bases: bool = True
    """Lock bases again."""
    upgrade: str = "all"
    """`all`: take the newest that rules allow; `none`: keep what locks have, but for `packages`."""
    packages: frozenset[str] = frozenset()
    """Projects to take the newest of."""
    tests: bool = True
    suites: tuple[str, ...] = ("smoke", "stack")
    """Those that are run."""
    scan: bool | None = None
    """None: where stacks/scan.toml is there."""
    repository: str = ""
    """Where images are pushed; empty for nowhere."""
    segments: str = ""
    """Repository through which workers share finished segments; empty for none."""
    sign_by: str = ""
    """Key that signs what is pushed, as `push --sign-by` takes it."""
    channels: tuple[str, ...] = ()
    """That move where their rules are met; of those that need approval the move is asked for."""
    workers: int = 2
    """Images in work at a time."""
    hours: int = 12
    """After which a night of another machine counts as dead."""
    notify: NotifySettings = NotifySettings()


def parse_settings(data: bytes, *, file: str = FILE) -> NightSettings:
    """Read the file.

    Raises:
        IssuesError: with everything that is wrong.
        StackError: it is not TOML at all.
    """
    top = parse_table(data, file=file)
    notify = _notify(top.table("notify"))
    table = top.table("nightly")
    preset = NightSettings()
    settings = NightSettings(
        bases=_truth(table, "bases", preset=preset.bases),
        upgrade=one_of(table, "upgrade", table.text("upgrade"), _UPGRADES) or preset.upgrade,
        packages=frozenset(canonicalize_name(name) for name in table.texts("packages") or ()),
        tests=_truth(table, "tests", preset=preset.tests),
        suites=_suites(table) or preset.suites,
        scan=table.truth("scan"),
        repository=table.text("repository") or "",
        segments=table.text("segments") or "",
        sign_by=table.text("sign-by") or "",
        channels=table.texts("channels") or (),
        workers=table.integer("workers", least=1, most=_MOST_WORKERS) or preset.workers,
        hours=table.integer("hours", least=1, most=240) or preset.hours,
        notify=notify,
    )
    table.close()
    top.close()
    top.issues.raise_any()
    return settings


def _suites(table: Table) -> tuple[str, ...]:
    known = NightSettings().suites
    names = table.texts("suites") or ()
    return tuple(name for name in names if one_of(table, "suites", name, known) is not None)


def _truth(table: Table, key: str, *, preset: bool) -> bool:
    value = table.truth(key)
    return preset if value is None else value


def _notify(table: Table) -> NotifySettings:
    preset = NotifySettings()
    webhook, secret = table.text("webhook") or "", table.text("webhook-secret") or ""
    settings = NotifySettings(
        when=one_of(table, "when", table.text("when"), _WHEN) or preset.when,
        apprise=table.texts("apprise") or (),
        webhook=webhook,
        webhook_secret=secret,
    )
    for key, name in (
        ("webhook", webhook),
        ("webhook-secret", secret),
        *(("apprise", one) for one in settings.apprise),
    ):
        if name and not _VARIABLE.fullmatch(name):
            # It is not repeated: it may be what has no place in a file.
            table.wrong(
                key,
                "names no environment variable",
                hint="write its name, as NIGHTLY_CHAT; what it holds has no place in a file",
            )
    if bool(webhook) != bool(secret):
        missing = "webhook-secret" if webhook else "webhook"
        table.wrong(missing, "is missing", hint="requests are signed: webhook and webhook-secret go together")
    table.close()
    return settings
