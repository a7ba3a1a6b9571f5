"""What a night is made of: steps of bases and stacks, each with its result and why.

A night is a function of its steps: the report is made from them alone, and a night that was killed goes on from those that
are on disk.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, Final

import msgspec

MOST_REASON_LINES: Final = 5


class Step(StrEnum):
    """One part of the work, in order."""

    REFRESH = "refresh"
    """A base locked again."""
    LOCK = "lock"
    BUILD = "build"
    """Files fetched, image built and recorded."""
    TEST = "test"
    SCAN = "scan"
    PUSH = "push"
    CHANNELS = "channels"


class Result(StrEnum):
    """How a step ended."""

    DONE = "done"
    """It brought something new."""
    UNCHANGED = "unchanged"
    """It came out as it was before: the same bytes."""
    FAILED = "failed"
    WAITING = "waiting"
    """A person must act: approve, as a rule."""
    HELD = "held"
    """Not tried: what it stands on failed."""
    SKIPPED = "skipped"
    """Nothing asks for it."""


class StepDone(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A step that ended."""

    node: str
    """`base:NAME` or `stack:NAME`."""
    step: Step
    result: Result
    key: str = ""
    """What it was done with: digest of the lock, or of the image."""
    reason: str = ""
    """Why it failed, waits, or was not tried: a few lines."""
    facts: Mapping[str, Any] = {}
    """By step: `moves` of a lock, `digest` and `size_bytes` of a build, `counts` of a scan, and so on."""
    seconds: float = 0.0


class Before(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where a stack stood when the night began."""

    lock: str = ""
    """Digest of its lock file; empty for none."""
    digest: str = ""
    """Of the image that the ledger knows last; empty for none."""
    size_bytes: int = 0
    """Compressed, of its largest platform."""
    layers: Mapping[str, int] = {}
    """Digest to bytes, of its largest platform: what nodes hold already."""
    scan: Mapping[str, int] = {}
    """Findings by severity, as last recorded."""


class BaseBefore(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where a base stood when the night began: what moved is told from it, though a kill came after the lock was written."""

    lock: str = ""
    """Digest of its lock file; empty for none."""
    debs: Mapping[str, str] = {}
    """Package to version."""


class Begun(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The first line of a journal."""

    night: str
    """As `20261130.1`."""
    at: int
    """Seconds since the epoch."""
    by: str
    """Who runs it, as `user@host`."""
    before: Mapping[str, Before] = {}
    """By stack."""
    refreshed: Mapping[str, BaseBefore] = {}
    """By base, of those that are locked again."""
    owners: Mapping[str, tuple[str, ...]] = {}
    bases: Mapping[str, str] = {}
    """Stack to the base it stands on."""
    parents: Mapping[str, str] = {}
    """Stack to the stack it extends, where it does."""
    program: str = ""
    stacks: str = ""
    """Digest of the folder of stacks, where workers have folders of their own."""
    locks: Mapping[str, str] = {}
    """Lock file to digest, there too: what the night begins with."""
    passed: Mapping[str, tuple[str, ...]] = {}
    """Lock file to digests that nights went by since a person last changed it: a checkout that has one of them is behind."""


class Night(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A night, over or not."""

    begun: Begun
    steps: tuple[StepDone, ...] = ()
    """In the order in which they ended; of one that was done again the later holds."""
    ended: int = 0
    """Seconds since the epoch; 0 while it is not over."""

    def latest(self) -> dict[tuple[str, Step], StepDone]:
        """Map node and step to how it ended last."""
        return {(one.node, one.step): one for one in self.steps}

    def of(self, node: str) -> tuple[StepDone, ...]:
        """List the steps of a node in their order, each as it ended last."""
        found = self.latest()
        return tuple(found[node, step] for step in Step if (node, step) in found)


def outcome(steps: Sequence[StepDone]) -> Result:
    """Tell how a node came out by its steps: the worst of them, else whether anything is new."""
    results = {one.result for one in steps}
    for result in (Result.FAILED, Result.HELD, Result.WAITING, Result.DONE):
        if result in results:
            return result
    return Result.UNCHANGED


def short_reason(text: str) -> str:
    """Cut a reason to a few lines of some width, for a report: the first, and the last ones."""
    lines = [line.rstrip()[:300] for line in text.strip().splitlines() if line.strip()]
    if len(lines) <= MOST_REASON_LINES:
        return "\n".join(lines)
    return "\n".join((*lines[:2], f"… {len(lines) - 4} lines …", *lines[-2:]))
