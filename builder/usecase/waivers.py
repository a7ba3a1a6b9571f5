"""Waivers and lists as they stand in a project's files: what findings are judged by."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from builder.errors import BuilderError, InvalidInputError, IssuesError, StackError
from builder.finding.exploited import parse_exploited
from builder.finding.gate import Given
from builder.finding.vex import Waiver, parse_vex
from builder.policy.rules import ChannelRules
from builder.project import Project
from builder.scan.settings import FILE, ScanSettings, parse_settings

_LARGEST: Final = 16 << 20


def load_scan_settings(project: Project) -> ScanSettings:
    """Read stacks/scan.toml; what holds without one where there is none."""
    path = project.scan_path
    return parse_settings(path.read_bytes(), file=FILE) if path.is_file() else ScanSettings()


def load_waivers(project: Project) -> tuple[Waiver, ...]:
    """Read all waivers of a project.

    Raises:
        IssuesError: with everything that is wrong in all files.
    """
    return _load(project, project.waiver_paths())


def load_stack_waivers(project: Project, stack: str) -> tuple[Waiver, ...]:
    """Read the waivers for a stack: its own, its parents', and those for all.

    Files of other stacks are left alone: what is wrong in them holds nobody else up.
    """
    return _load(project, project.waiver_paths(_line_of(project, stack)))


def _load(project: Project, paths: Iterable[tuple[str, Path]]) -> tuple[Waiver, ...]:
    found: list[Waiver] = []
    issues: list[BuilderError] = []
    for stack, path in paths:
        try:
            found += parse_vex(_read(project, path), file=_shown(project, path), stack=stack)
        except IssuesError as error:
            issues += error.issues
        except InvalidInputError as error:
            issues.append(error)
    if issues:
        raise IssuesError(issues)
    return tuple(sorted(found))


def _line_of(project: Project, stack: str) -> list[str]:
    """List a stack and its parents, as far as they are there: a waiver less holds back, and lets nothing pass."""
    known, line = project.stack_names(), []
    while stack in known and stack not in line:
        line.append(stack)
        stack = project.load_stack(stack).extends or ""
    return line


def load_exploited(project: Project, settings: ScanSettings) -> frozenset[str] | None:
    """Read the list of what is exploited; None where none is named."""
    if not settings.exploited:
        return None
    path = project.stacks_folder / settings.exploited
    if not path.resolve().is_relative_to(project.stacks_folder.resolve()) or not path.is_file():
        raise StackError(f"no file stacks/{settings.exploited}", context=f"{FILE}: exploited.file")
    return parse_exploited(path.read_bytes(), file=f"stacks/{settings.exploited}")


def load_given(project: Project, stack: str, rules: Sequence[ChannelRules]) -> Given:
    """Read what the findings of a stack's image are judged by.

    Args:
        project: the folder.
        stack: whose image it is.
        rules: of the channels that judge.

    Raises:
        IssuesError: a file of waivers is wrong.
        StackError: a gate speaks of a list that is not given.
    """
    if not any(one.scan for one in rules):
        return Given()
    exploited = load_exploited(project, load_scan_settings(project))
    for one in rules:
        if one.asks_for_exploited and exploited is None:
            raise StackError(
                f"the gate of {one.channel} speaks of what is exploited, and no list is named",
                context=FILE,
                hint='[exploited] file = "known-exploited.json"',
            )
    return Given(waivers=load_stack_waivers(project, stack), exploited=exploited)


def load_rollback_given(project: Project, stack: str, rules: ChannelRules) -> Given:
    """Read the same for a move back; nothing where it asks for no scan, so that no file of waivers stands in its way."""
    return load_given(project, stack, (rules,)) if "scan" in rules.rollback else Given()


def days_left(waiver: Waiver, now: int) -> int:
    """Count the days that a waiver still holds, today not counted; below 0 it is over."""
    return (waiver.expires - dt.datetime.fromtimestamp(now, tz=dt.UTC).date()).days


def _read(project: Project, path: Path) -> bytes:
    if path.is_symlink() or not path.is_file():
        raise InvalidInputError("is no plain file", context=_shown(project, path))
    if path.stat().st_size > _LARGEST:
        raise InvalidInputError(f"is longer than {_LARGEST} bytes", context=_shown(project, path))
    return path.read_bytes()


def _shown(project: Project, path: Path) -> str:
    return path.relative_to(project.root).as_posix()
