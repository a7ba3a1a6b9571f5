"""Rules over time, as promotions, approvals and judgements name them: from when to when, and what fell away."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from builder.audit.model import Line, RulesSpan, text_of
from builder.digest import Digest
from builder.errors import InvalidInputError

ReadDocument = Callable[[Digest], bytes | None]
_NO_DEMANDS = frozenset({"format", "channel"})
_LEAST_IS_LESS = "after_for_s"
"""The one span of time that asks for more where it is longer."""


def rules_of(line: Line) -> tuple[str, str]:
    """Find whom an entry names rules for, as `core prod`, and their digest; both empty where it names none."""
    data = line.entry.data
    digest = text_of(data, "rules")
    named = f"{text_of(data, 'stack')} {text_of(data, 'channel')}".strip() if data.get("channel") else line.entry.kind
    return (named, digest) if digest else ("", "")


def rules_over_time(lines: Iterable[Line], read: ReadDocument) -> tuple[RulesSpan, ...]:
    """List the rules that entries name, by whom they are for and in the order in which they held.

    Args:
        lines: entries in their order: those of the period, and before them, for each channel, the last that named rules.
        read: gives documents.
    """
    runs: dict[str, list[list[Line]]] = {}
    for line in lines:
        whom, digest = rules_of(line)
        if not digest:
            continue
        known = runs.setdefault(whom, [])
        if known and rules_of(known[-1][0])[1] == digest:
            known[-1].append(line)
        else:
            known.append([line])
    found = []
    for whom in sorted(runs):
        before = ""
        for run in runs[whom]:
            digest = rules_of(run[0])[1]
            document = read_rules(digest, read)
            found.append(
                RulesSpan(
                    whom=whom,
                    digest=digest,
                    first=run[0],
                    last=run[-1],
                    entries=len(run),
                    kept=document is not None,
                    changed=tuple(told for told, _ in _differences(before, digest, read)),
                )
            )
            before = digest
    return tuple(found)


def fallen(before: str, after: str, read: ReadDocument) -> tuple[str, ...]:
    """List what rules asked for and later ones do not, as `approvals: 1 -> 0`; by their digests."""
    return tuple(told for told, less in _differences(before, after, read) if less)


def read_rules(digest: str, read: ReadDocument) -> bytes | None:
    """Read the document of rules; None where the ledger has none."""
    try:
        return read(Digest.parse(digest))
    except InvalidInputError:
        return None


def _differences(before: str, after: str, read: ReadDocument) -> list[tuple[str, bool]]:
    """List what differs: how it is told, and whether less is asked for."""
    old, new = _parse(before, read), _parse(after, read)
    if not old or not new or before == after:
        return []
    keys = sorted({*old, *new} - _NO_DEMANDS)
    return [
        (f"{key}: {_shown(old.get(key))} -> {_shown(new.get(key))}", _is_less(key, old.get(key), new.get(key)))
        for key in keys
        if old.get(key) != new.get(key)
    ]


def _is_less(key: str, before: Any, after: Any) -> bool:
    """Tell whether a rule asks for less: it is gone, a number of people or rebuilds fell, or something may be older."""
    if not before:
        return False
    if not after:
        return True
    if isinstance(before, int) and isinstance(after, int):
        return after > before if key.endswith("_s") and key != _LEAST_IS_LESS else after < before
    if isinstance(before, list) and isinstance(after, list) and key != "approvers":
        return any(one not in after for one in before)
    return False


def _parse(digest: str, read: ReadDocument) -> Mapping[str, Any]:
    data = read_rules(digest, read) if digest else None
    try:
        value = json.loads(data) if data is not None else None
    except ValueError:
        value = None
    return value if isinstance(value, dict) else {}


def _shown(value: Any) -> str:
    return "none" if value is None or value == [] else json.dumps(value, ensure_ascii=False)
