"""Locks that are settled: while all that a lock was made from is the same, locking again changes nothing, and is left out.

What a lock is made from: the stack's inputs, the lock before, the options, this very program and its resolver, and what the
indexes said of each project that was looked at. The last is found out by locking, so it is kept under a key of the others,
and only where locking changed no byte: then the lock that is there is the answer, and the report is as it was.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from builder.canonical import dump_json
from builder.digest import Digest
from builder.stack.model import EffectiveStack, IndexRule

if TYPE_CHECKING:
    from builder.snapshot.model import SnapshotStore
    from builder.snapshot.world import World
    from builder.usecase.lock_model import LockOptions, LockTools, StackChange
    from builder.usecase.stack_inputs import StackInputs

_FORMAT = 1
PageRow = tuple[str, str, str | None]
"""An index, a project, and the digest of its page in hexadecimal; None where the index does not have it."""


def settled_key(
    tools: LockTools, stack: EffectiveStack, inputs: StackInputs, previous: Digest, options: LockOptions
) -> str:
    """Name everything that a lock is made from, bar what indexes say."""
    return key_of_inputs(tools, stack, inputs.digest_for(stack), inputs.index_rules, previous, options)


def key_of_inputs(
    tools: LockTools,
    stack: EffectiveStack,
    inputs: Digest,
    rules: Sequence[IndexRule],
    previous: Digest,
    options: LockOptions,
) -> str:
    """Name the same, where the digest of the stack's inputs is known."""
    world = tools.world
    cooled = stack.resolution.cooldown_days or any(rule.cooldown_days for rule in rules)
    return Digest.of(
        dump_json(
            {
                "format": _FORMAT,
                "program": tools.program,
                "python": sys.version,
                "inputs": inputs.hex,
                "stack": stack.name,
                "previous": previous.hex,
                "upgrade": options.upgrade,
                "upgrade_packages": sorted(options.upgrade_packages),
                "resolver": options.resolver or stack.resolution.resolver or "",
                "indexes": world.keys(),
                "day": world.day if cooled else "",
            }
        )
    ).hex


def recall(notes: SnapshotStore, key: str, world: World) -> StackChange | None:
    """Find what locking would report, where the lock is settled and the indexes say what they said; else None."""
    if world.replayed:
        return None
    data = notes.settled(key)
    try:
        value = json.loads(data) if data else None
        return _change(value["change"]) if value and world.still_says(_pages(value["pages"])) else None
    except (ValueError, KeyError, TypeError, AttributeError):
        return None  # It is damaged: the lock is made in full.


def noted_rows(notes: SnapshotStore, key: str) -> tuple[PageRow, ...] | None:
    """List what indexes said when a lock was settled; None where it never was, or what is noted of it is damaged."""
    data = notes.settled(key)
    try:
        value = json.loads(data) if data else None
        if value is None:
            return None
        _change(value["change"])
        return tuple(
            (index, project, digest) for index, rows in value["pages"].items() for project, digest in rows.items()
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def remember(
    notes: SnapshotStore, key: str, pages: Mapping[str, Mapping[str, Digest | None]], change: StackChange
) -> None:
    """Keep that a lock is settled while indexes say this."""
    rows = {
        index: {project: digest.hex if digest else None for project, digest in found.items()}
        for index, found in pages.items()
    }
    notes.settle(key, dump_json({"pages": rows, "change": asdict(change)}))


def _pages(value: Mapping[str, Mapping[str, str | None]]) -> dict[str, dict[str, Digest | None]]:
    return {
        index: {project: Digest(text) if text else None for project, text in rows.items()}
        for index, rows in value.items()
    }


def _change(value: Mapping[str, Any]) -> StackChange:
    from builder.usecase.lock_model import Behind, Hold, StackChange

    behind: Sequence[Mapping[str, Any]] = value["behind"]
    return StackChange(
        stack=value["stack"],
        changed=False,
        candidates=value["candidates"],
        layers=value["layers"],
        moves=(),
        behind=tuple(Behind(**{**row, "hold": Hold(row["hold"]) if row["hold"] else None}) for row in behind),
        status=value["status"],
        droppable=tuple(value["droppable"]),
    )
