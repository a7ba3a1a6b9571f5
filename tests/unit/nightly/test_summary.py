"""The summary of a night: made from its journal alone, what needs a person first."""

from __future__ import annotations

import json

from builder.nightly.markdown import render_markdown
from builder.nightly.model import Before, Begun, Night, Result, Step, StepDone
from builder.nightly.summary import summarise, summary_to_dict

OLD, NEW = "sha256:" + "0" * 64, "sha256:" + "1" * 64
BEGUN = Begun(
    night="20261130.1",
    at=1_796_000_000,
    by="ci@builder",
    before={
        "core": Before(digest=OLD, size_bytes=1_000_000),
        "same": Before(digest=OLD),
        "bad": Before(digest=OLD),
        "child": Before(digest=OLD),
        "wait": Before(digest=OLD),
    },
    owners={"core": ("team:platform",), "bad": ("team:data",)},
)


def step(stack: str, step: Step, result: Result, **more: object) -> StepDone:
    return StepDone(node=f"stack:{stack}", step=step, result=result, **more)  # type: ignore[arg-type]


NIGHT = Night(
    begun=BEGUN,
    steps=(
        StepDone(
            node="base:trixie",
            step=Step.REFRESH,
            result=Result.DONE,
            facts={"moves": [{"name": "zlib", "before": "1", "after": "2"}]},
        ),
        step("core", Step.LOCK, Result.DONE, facts={"moves": [{"name": "requests", "before": "1", "after": "2"}]}),
        step("core", Step.BUILD, Result.DONE, facts={"digest": NEW, "size_bytes": 900_000, "pull_bytes": 20_000}),
        step("core", Step.SCAN, Result.DONE, facts={"counts": {"high": 1}, "fixed": ["CVE-2026-1"], "new": []}),
        step("same", Step.LOCK, Result.UNCHANGED),
        step("same", Step.BUILD, Result.UNCHANGED, facts={"digest": OLD}),
        step("bad", Step.LOCK, Result.FAILED, reason="no version of x\nbecause y"),
        step("child", Step.LOCK, Result.HELD, reason="stands on stack bad, whose lock failed"),
        step("wait", Step.BUILD, Result.DONE, facts={"digest": NEW}),
        step("wait", Step.CHANNELS, Result.WAITING, reason="prod: approvals: 0 of 1"),
    ),
    ended=1_796_000_100,
)


def test_each_stack_comes_out_as_its_worst_step() -> None:
    found = {stack.name: stack.result for stack in summarise(NIGHT).stacks}
    assert found == {
        "bad": Result.FAILED,
        "child": Result.HELD,
        "core": Result.DONE,
        "same": Result.UNCHANGED,
        "wait": Result.WAITING,
    }
    assert [stack.name for stack in summarise(NIGHT).stacks if stack.is_same] == ["same"]
    assert not summarise(NIGHT).is_good


def test_markdown_says_what_needs_a_person_first() -> None:
    text = render_markdown(summarise(NIGHT))
    assert [line for line in text.splitlines() if line.startswith("#")] == [
        "# Night 20261130.1: 1 failed, 1 held, 1 waiting for a person, 2 changed, 1 unchanged",
        "## Failed",
        "## Needs a person",
        "## Held",
        "## Bases",
        "## Changed",
        "## Unchanged, by digest",
    ]
    assert "5 stacks. A node that has all images of before pulls 20.0 kB." in text
    assert "- **bad** (team:data): lock: no version of x\n  ```\n  because y\n  ```" in text
    assert "- **core** (team:platform): requests 1 → 2" in text
    assert "(-100.0 kB); nodes pull 20.0 kB; fixed CVE-2026-1" in text


def test_a_night_without_trouble_has_no_sections_of_trouble() -> None:
    steps = tuple(one for one in NIGHT.steps if one.node == "stack:same")
    begun = Begun(night="20261130.1", at=1, by="x", before={"same": BEGUN.before["same"]})
    summary = summarise(Night(begun=begun, steps=steps))
    assert summary.is_good
    assert "Failed" not in render_markdown(summary)


def test_values_are_json_and_leave_layers_out() -> None:
    data = json.loads(json.dumps(summary_to_dict(summarise(NIGHT))))
    row = next(one for one in data["stacks"] if one["name"] == "core")
    assert (row["result"], row["same"], row["pull_bytes"], row["fixed"]) == ("done", False, 20_000, ["CVE-2026-1"])
    assert "layers" not in row["before"]
