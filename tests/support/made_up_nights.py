"""Made-up nights: one in which everything happens that can, and those before it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from builder.digest import Digest
from builder.nightly.model import Before, Begun, Night, Result, Step, StepDone
from builder.nightly.summary import NightSummary, summarise

BEGAN = 1_796_038_900
DAY = 86_400


def digest(name: str) -> str:
    return str(Digest.of(name.encode()))


@dataclass(kw_only=True)
class MadeUpNight:
    """Collects what happened."""

    name: str = "20261130.1"
    began: int = BEGAN
    by: str = "ci@runner"
    before: dict[str, Before] = field(default_factory=dict)
    owners: dict[str, tuple[str, ...]] = field(default_factory=dict)
    parents: dict[str, str] = field(default_factory=dict)
    bases: dict[str, str] = field(default_factory=dict)
    steps: list[StepDone] = field(default_factory=list)

    def base(self, name: str, *, moves: Sequence[Mapping[str, str]] = (), failed: str = "") -> None:
        result = Result.FAILED if failed else Result.DONE if moves else Result.UNCHANGED
        self.steps.append(
            StepDone(node=f"base:{name}", step=Step.REFRESH, result=result, reason=failed, facts={"moves": list(moves)})
        )

    def stack(self, name: str, *owners: str, size: int = 100_000_000, parent: str = "", base: str = "trixie") -> None:
        """Add a stack that had an image before, with two findings."""
        self.before[name] = Before(
            lock=digest(f"{name} lock"), digest=digest(f"{name} old"), size_bytes=size, scan={"high": 1, "low": 1}
        )
        self.owners[name] = owners
        self.bases[name] = base
        if parent:
            self.parents[name] = parent

    def step(self, name: str, step: Step, result: Result = Result.DONE, reason: str = "", **facts: Any) -> None:
        self.steps.append(StepDone(node=f"stack:{name}", step=step, result=result, reason=reason, facts=facts))

    def same(self, name: str) -> None:
        """It was built again, and came out as it was."""
        self.step(name, Step.LOCK, Result.UNCHANGED)
        size = self.before[name].size_bytes
        self.step(name, Step.BUILD, Result.UNCHANGED, digest=self.before[name].digest, size_bytes=size, pull_bytes=0)

    def changed(self, name: str, *moves: tuple[str, str, str], size: int = 110_000_000, pull: int = 7_000_000) -> None:
        """It has another image."""
        rows = [{"name": project, "before": before, "after": after} for project, before, after in moves]
        self.step(name, Step.LOCK, moves=rows)
        self.step(name, Step.BUILD, digest=digest(f"{name} new"), size_bytes=size, pull_bytes=pull)

    def night(self, *, over: bool = True) -> Night:
        begun = Begun(
            night=self.name,
            at=self.began,
            by=self.by,
            before=self.before,
            owners=self.owners,
            parents=self.parents,
            bases=self.bases,
            program="airflow-kubler 0",
        )
        return Night(begun=begun, steps=tuple(self.steps), ended=self.began + 2_520 if over else 0)

    def summary(self) -> NightSummary:
        return summarise(self.night())


def lacking(channel: str, *rules: tuple[str, str, str]) -> dict[str, Any]:
    """Make what a step says of a channel that did not move: rule, what was found, the way."""
    return {
        "channel": channel,
        "outcome": "requested",
        "before": "",
        "lacks": [f"{rule}: {found}" for rule, found, _ in rules],
        "ways": [{"rule": rule, "way": way} for rule, _, way in rules],
    }


def make_full_night() -> MadeUpNight:
    """Every outcome, for three teams: fixed, new, waiting, failed at each step, held, unchanged, a base that is down."""
    made = MadeUpNight()
    made.base("trixie", moves=[{"name": "libssl3t64", "before": "3.5.1-1", "after": "3.5.1-1+deb13u1"}])
    made.base(
        "bookworm", failed="the mirror answered 503\n  try again later\n  3 of 3 places asked\nlast: 503\nat 02:14"
    )
    for name, parent in (("core", ""), ("aws", "core"), ("gcp", "core")):
        made.stack(name, "team:platform", parent=parent)
    for name in ("etl", "ml", "reports", "spark"):
        made.stack(name, "team:data", size=300_000_000)
    made.stack("legacy", "team:old", base="bookworm")
    made.stack("orphan")
    made.stack("shared", "team:data", "team:platform")

    made.changed("core", ("requests", "2.32.4", "2.32.5"), ("babel", "", "2.19.0"), ("six", "1.17.0", ""))
    made.step("core", Step.SCAN, counts={"low": 1}, fixed=["CVE-2026-1111"], new=[])
    made.step("core", Step.CHANNELS, channels=[])
    made.changed("aws", size=210_000_000)
    way = f"by somebody else: airflow-kubler approve aws --to prod {digest('aws new')[:19]}"
    scan = f"scan it, then airflow-kubler record scan {digest('aws new')[:19]} --result clean"
    row = lacking("prod", ("scan", "no scan is on record", scan), ("approvals", "0 of 1", way))
    made.step(
        "aws", Step.CHANNELS, Result.WAITING, "prod: scan: no scan is on record; approvals: 0 of 1", channels=[row]
    )
    made.same("gcp")
    made.same("reports")
    made.same("orphan")
    made.same("shared")
    made.step(
        "etl",
        Step.LOCK,
        Result.FAILED,
        "no versions go together\n  pandas<2 by stacks/etl\n… 12 lines …\n  numpy>=2 by constraints\n  ask for less",
    )
    made.step("etl", Step.BUILD, Result.HELD, "stands on stack etl, whose lock failed")
    made.changed("ml", ("torch", "2.9.0", "2.9.1"), size=900_000_000, pull=600_000_000)
    made.step("ml", Step.TEST, Result.FAILED, "2 of 14 tests failed\ntest_imports: cannot import torchvision")
    made.step("spark", Step.LOCK, Result.HELD, "in the end stands on stack etl, whose lock failed")
    made.changed("legacy", ("idna", "3.10", "3.11"))
    made.step("legacy", Step.SCAN, counts={"high": 3}, fixed=[], new=["CVE-2026-2222", "CVE-2026-3333"])
    made.step("legacy", Step.PUSH, Result.FAILED, "registry.example.org: answered 507")
    return made


def make_quiet_night(name: str, began: int, *stacks: str, size: int = 100_000_000) -> MadeUpNight:
    """Nothing happens."""
    made = MadeUpNight(name=name, began=began)
    for stack in stacks:
        made.stack(stack, "team:platform", size=size)
        made.same(stack)
    return made
