"""What a person can do about a stack that waits or failed: by the rule that is not met, with the command."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

PROGRAM: Final = "airflow-kubler"
_DIGEST_LETTERS: Final = 19
"""`sha256:` and 12 digits, as commands take them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One thing to do."""

    channel: str
    """Empty where it is about no channel."""
    rule: str
    """That is not met; empty where something failed."""
    way: str
    """In words; empty where the command says it."""
    command: str = ""


def acts_of_channels(stack: str, digest: str, rows: Sequence[Mapping[str, Any]]) -> tuple[Act, ...]:
    """List what would let an image into channels, once for each rule and channel.

    Args:
        stack: its name.
        digest: of the image.
        rows: of the step's facts: `channel`, `lacks`, and `ways` with `rule`, `found`, `way`.
    """
    return tuple(act for row in rows for act in _acts(stack, digest, row))


def act_again(stack: str) -> Act:
    """Say how a stack that failed is tried again, alone."""
    return Act(channel="", rule="", way="once that is mended", command=_command("nightly", stack))


def _acts(stack: str, digest: str, row: Mapping[str, Any]) -> Iterator[Act]:
    channel = str(row.get("channel", ""))
    ways = {str(one.get("rule", "")): str(one.get("way", "")) for one in row.get("ways", ())}
    for text in row.get("lacks", ()):
        rule = str(text).partition(":")[0]
        if rule == "approvals":
            command = _command("approve", stack, "--to", channel, digest[:_DIGEST_LETTERS])
            yield Act(channel=channel, rule=rule, way=_whose(ways.get(rule, "")), command=command)
        else:
            yield from _by_way(channel, rule, ways.get(rule, ""))


def _by_way(channel: str, rule: str, text: str) -> Iterator[Act]:
    """Take words and command of a way apart; none where there is no way but time."""
    way, found, command = text.partition(f"{PROGRAM} ")
    if text:
        way = way.strip().rstrip(",:;").removesuffix(" then").rstrip(",")
        yield Act(channel=channel, rule=rule, way=way, command=f"{found}{command}")


def _whose(way: str) -> str:
    """Take over whose approval it takes, as `by somebody else`."""
    return way.partition(":")[0] if way.startswith("by ") else "by somebody else"


def _command(*words: str) -> str:
    return shlex.join((PROGRAM, *words))
