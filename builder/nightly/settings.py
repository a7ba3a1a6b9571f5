"""Read stacks/nightly.toml: what a night does with stacks, strictly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from packaging.utils import canonicalize_name

from builder.stack.table import Table, one_of, parse_table

FILE: Final = "stacks/nightly.toml"
_UPGRADES: Final = ("all", "none")
_MOST_WORKERS: Final = 64


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
    sign_by: str = ""
    """Key that signs what is pushed, as `push --sign-by` takes it."""
    channels: tuple[str, ...] = ()
    """That move where their rules are met; of those that need approval the move is asked for."""
    workers: int = 2
    """Images in work at a time."""
    hours: int = 12
    """After which a night of another machine counts as dead."""


def parse_settings(data: bytes, *, file: str = FILE) -> NightSettings:
    """Read the file.

    Raises:
        IssuesError: with everything that is wrong.
        StackError: it is not TOML at all.
    """
    top = parse_table(data, file=file)
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
        sign_by=table.text("sign-by") or "",
        channels=table.texts("channels") or (),
        workers=table.integer("workers", least=1, most=_MOST_WORKERS) or preset.workers,
        hours=table.integer("hours", least=1, most=240) or preset.hours,
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
