"""A night as values and as text: what changed, what is as it was, what failed, what needs a person."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from builder.nightly.model import Before, Night, Result, Step, StepDone, outcome
from builder.sizes import render_size

_MOST_MOVES = 12


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
    size_bytes: int
    pull_bytes: int
    """What a node that runs the image before would pull."""
    scan: Mapping[str, int]
    fixed: tuple[str, ...]
    """Vulnerabilities that the image before had."""
    new: tuple[str, ...]
    failed: str
    """The step, and why; empty where nothing failed."""
    waits: str
    """For what; empty where it waits for nobody."""
    held: str
    seconds: float

    @property
    def is_same(self) -> bool:
        """The image is the one before, proved by its digest."""
        return bool(self.digest) and self.digest == self.before.digest


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


def render_markdown(summary: NightSummary) -> str:
    """Write a summary as Markdown, for chat and pull requests: what needs a person first."""
    return "\n".join(_lines(summary)) + "\n"


def _lines(summary: NightSummary) -> Iterator[str]:
    began = dt.datetime.fromtimestamp(summary.began, dt.UTC).strftime("%Y-%m-%d %H:%M UTC")
    waiting, failed, held = (summary.having(one) for one in (Result.WAITING, Result.FAILED, Result.HELD))
    same = [stack for stack in summary.stacks if stack.is_same]
    new = [stack for stack in summary.stacks if stack.digest and not stack.is_same]
    yield f"# Night {summary.night}"
    yield ""
    yield (
        f"{began}, by {summary.by}: {len(summary.stacks)} stacks; {len(new)} changed, {len(same)} proved unchanged, "
        f"{len(failed)} failed, {len(held)} held, {len(waiting)} wait for a person."
    )
    bad = [(f"**base {base.name}**", base.failed) for base in summary.bases if base.failed]
    bad += [(_named(stack), stack.failed) for stack in failed]
    yield from _section("Failed", (line for head, reason in bad for line in _with_reason(head, reason)))
    waits = ((_named(stack), stack.waits) for stack in waiting)
    yield from _section("Needs a person", (line for head, reason in waits for line in _with_reason(head, reason)))
    yield from _section("Held", (f"- {_named(stack)}: {stack.held}" for stack in held))
    yield from _section("Bases", (f"- **{base.name}**: {_moves(base.moves)}" for base in summary.bases if base.moves))
    yield from _section("Changed", (line for stack in new for line in _changed(stack)))
    yield from _section("Unchanged", (f"- {stack.name} `{stack.digest}`" for stack in same))


def _section(title: str, lines: Iterable[str]) -> Iterator[str]:
    """Give a section, where it has any lines."""
    first = True
    for line in lines:
        if first:
            yield from ("", f"## {title}", "")
            first = False
        yield line


def _changed(stack: StackNight) -> Iterator[str]:
    yield f"- {_named(stack)}: {_moves(stack.moves) or 'its base alone'}"
    yield f"  `{stack.digest}`; {_size(stack)}; nodes pull {render_size(stack.pull_bytes)}{_vulnerabilities(stack)}"


def _named(stack: StackNight) -> str:
    return f"**{stack.name}** ({', '.join(stack.owners) or 'nobody'})"


def _with_reason(head: str, reason: str) -> Iterator[str]:
    first, *others = reason.splitlines()
    yield f"- {head}: {first}"
    if others:
        yield "  ```"
        yield from (f"  {line.replace('```', '')}" for line in others)
        yield "  ```"


def _moves(moves: Sequence[Mapping[str, str]]) -> str:
    shown = [f"{one['name']} {one['before'] or 'new'} → {one['after'] or 'gone'}" for one in moves[:_MOST_MOVES]]
    more = len(moves) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")


def _size(stack: StackNight) -> str:
    before, after = stack.before.size_bytes, stack.size_bytes
    if not before or before == after:
        return render_size(after)
    sign = "+" if after > before else "-"
    return f"{render_size(after)} ({sign}{render_size(abs(after - before))})"


def _vulnerabilities(stack: StackNight) -> str:
    parts = []
    if stack.fixed:
        parts.append(f"fixes {', '.join(stack.fixed[:_MOST_MOVES])}")
    if stack.new:
        parts.append(f"brings {', '.join(stack.new[:_MOST_MOVES])}")
    return f"; {'; '.join(parts)}" if parts else ""


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
    return StackNight(
        name=name,
        owners=night.begun.owners.get(name, ()),
        result=outcome(steps),
        before=before,
        digest=build.get("digest", ""),
        moves=tuple(_facts(steps, Step.LOCK).get("moves", ())),
        size_bytes=build.get("size_bytes", 0),
        pull_bytes=build.get("pull_bytes", 0),
        scan=scan.get("counts", {}),
        fixed=tuple(scan.get("fixed", ())),
        new=tuple(scan.get("new", ())),
        failed=_failed(steps),
        waits=_reason(steps, Result.WAITING),
        held=_reason(steps, Result.HELD),
        seconds=round(sum(one.seconds for one in steps), 3),
    )


def _facts(steps: Sequence[StepDone], step: Step) -> Mapping[str, Any]:
    return next((one.facts for one in steps if one.step is step), {})


def _failed(steps: Sequence[StepDone]) -> str:
    return next((f"{one.step}: {one.reason}" for one in steps if one.result is Result.FAILED), "")


def _reason(steps: Sequence[StepDone], result: Result) -> str:
    return next((one.reason for one in steps if one.result is result), "")
