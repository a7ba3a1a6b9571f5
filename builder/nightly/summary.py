"""A night as values: what changed and why, what is as it was, what failed, what needs a person."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from builder.nightly.acts import Act, act_again, acts_of_channels
from builder.nightly.model import Before, Night, Result, Step, StepDone, outcome

_ENDED: Final = frozenset({Result.DONE, Result.UNCHANGED})
_MOST_DEBS: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class StackNight:
    """How a stack came out."""

    name: str
    owners: tuple[str, ...]
    result: Result
    before: Before
    digest: str
    """Of its image now; empty where none was made."""
    moves: tuple[Mapping[str, str], ...]
    """`name`, `before`, `after` of projects."""
    causes: tuple[str, ...]
    """What else made its image another: its base, its parent."""
    size_bytes: int
    pull_bytes: int
    """What a node that runs the image before would pull."""
    scan: Mapping[str, int]
    scanned: bool
    """A scan came to its end; else `scan` says nothing."""
    fixed: tuple[str, ...]
    """Vulnerabilities that the image before had."""
    new: tuple[str, ...]
    failed: str
    """The step, and why; empty where nothing failed."""
    waits: str
    """For what; empty where it waits for nobody."""
    held: str
    acts: tuple[Act, ...]
    """What a person can do."""
    seconds: float

    @property
    def is_same(self) -> bool:
        """The image is the one before, proved by its digest."""
        return bool(self.digest) and self.digest == self.before.digest

    @property
    def is_changed(self) -> bool:
        """There is another image than before, and nothing failed with it."""
        return bool(self.digest) and not self.is_same and not self.failed


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseNight:
    """How a base came out."""

    name: str
    result: Result
    moves: tuple[Mapping[str, str], ...]
    """Of Debian packages."""
    failed: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NightSummary:
    """A night, to be read."""

    night: str
    began: int
    """Seconds since the epoch."""
    ended: int
    by: str
    bases: tuple[BaseNight, ...]
    stacks: tuple[StackNight, ...]
    """By name."""

    def having(self, *results: Result) -> tuple[StackNight, ...]:
        """List stacks by how they came out."""
        return tuple(stack for stack in self.stacks if stack.result in results)

    @property
    def waiting(self) -> tuple[StackNight, ...]:
        """Those that need a person."""
        return tuple(stack for stack in self.stacks if stack.waits)

    @property
    def changed(self) -> tuple[StackNight, ...]:
        """Those with another image than before, with which nothing failed: what failed goes nowhere."""
        return tuple(stack for stack in self.stacks if stack.is_changed)

    @property
    def same(self) -> tuple[StackNight, ...]:
        """Those whose image is the one before."""
        return tuple(stack for stack in self.stacks if stack.is_same)

    @property
    def looked_at_anew(self) -> tuple[StackNight, ...]:
        """Those whose image is the one before, and of which others know more or less than then."""
        return tuple(stack for stack in self.same if stack.fixed or stack.new)

    @property
    def pull_bytes(self) -> int:
        """What a node pulls that runs all images of before: at most, for layers are shared."""
        return sum(stack.pull_bytes for stack in self.changed)

    @property
    def is_good(self) -> bool:
        """Nothing failed, nothing was held."""
        bad = {Result.FAILED, Result.HELD}
        return not any(stack.result in bad for stack in self.stacks) and not any(
            base.result in bad for base in self.bases
        )


def summarise(night: Night) -> NightSummary:
    """Make the summary of a night from its journal alone."""
    bases = sorted({one.node.partition(":")[2] for one in night.steps if one.node.startswith("base:")})
    return NightSummary(
        night=night.begun.night,
        began=night.begun.at,
        ended=night.ended,
        by=night.begun.by,
        bases=tuple(_base(name, night.of(f"base:{name}")) for name in bases),
        stacks=tuple(_stack(name, night) for name in sorted(night.begun.before)),
    )


def summary_to_dict(summary: NightSummary) -> dict[str, Any]:
    """Write a summary as JSON values: `night`, `began`, `ended`, `by`, `bases`, `stacks`, each stack with `same`."""
    data: dict[str, Any] = msgspec.to_builtins(summary)
    for row, stack in zip(data["stacks"], summary.stacks, strict=True):
        row["same"] = stack.is_same
        row["before"].pop("layers", None)
    return data


def _base(name: str, steps: Sequence[StepDone]) -> BaseNight:
    return BaseNight(
        name=name,
        result=outcome(steps),
        moves=tuple(_facts(steps, Step.REFRESH).get("moves", ())),
        failed=_failed(steps),
    )


def _stack(name: str, night: Night) -> StackNight:
    steps, before = night.of(f"stack:{name}"), night.begun.before[name]
    build, scan = _facts(steps, Step.BUILD), _facts(steps, Step.SCAN)
    digest, failed = build.get("digest", ""), _failed(steps)
    return StackNight(
        name=name,
        owners=night.begun.owners.get(name, ()),
        result=outcome(steps),
        before=before,
        digest=digest,
        moves=tuple(_facts(steps, Step.LOCK).get("moves", ())),
        causes=tuple(_causes(name, night)) if digest and digest != before.digest else (),
        size_bytes=build.get("size_bytes", 0),
        pull_bytes=build.get("pull_bytes", 0),
        scan=scan.get("counts", {}),
        scanned=any(one.step is Step.SCAN and one.result in _ENDED for one in steps),
        fixed=tuple(scan.get("fixed", ())),
        new=tuple(scan.get("new", ())),
        failed=failed,
        waits=_reason(steps, Result.WAITING),
        held=_reason(steps, Result.HELD),
        acts=(
            *acts_of_channels(name, digest, _facts(steps, Step.CHANNELS).get("channels", ())),
            *((act_again(name),) if failed else ()),
        ),
        seconds=round(sum(one.seconds for one in steps), 3),
    )


def _causes(name: str, night: Night) -> Iterator[str]:
    """Say what of that which a stack stands on is not as it was."""
    base, parent = night.begun.bases.get(name, ""), night.begun.parents.get(name, "")
    moves = _facts(night.of(f"base:{base}"), Step.REFRESH).get("moves", ())
    if moves:
        shown = ", ".join(
            f"{one['name']} {one['before'] or 'new'} → {one['after'] or 'gone'}" for one in moves[:_MOST_DEBS]
        )
        more = f" and {len(moves) - _MOST_DEBS} more" if len(moves) > _MOST_DEBS else ""
        yield f"its base {base} moved: {shown}{more}"
    built = _facts(night.of(f"stack:{parent}"), Step.BUILD).get("digest", "")
    if parent and built and parent in night.begun.before and built != night.begun.before[parent].digest:
        yield f"its parent {parent} changed"


def _facts(steps: Sequence[StepDone], step: Step) -> Mapping[str, Any]:
    return next((one.facts for one in steps if one.step is step), {})


def _failed(steps: Sequence[StepDone]) -> str:
    return next((f"{one.step}: {one.reason}" for one in steps if one.result is Result.FAILED), "")


def _reason(steps: Sequence[StepDone], result: Result) -> str:
    return next((one.reason for one in steps if one.result is result), "")
