"""What is told of a night, and when: a short text for chats, and JSON for programs."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any, Final

from builder.nightly.markdown import render_brief, render_title
from builder.nightly.model import Result
from builder.nightly.settings import NotifySettings
from builder.nightly.summary import NightSummary, StackNight

MOST_LETTERS: Final = 3500
"""Of a chat's text: what the narrower services take whole."""
MOST_STACKS: Final = 200
"""Of a webhook's body, which receivers want short."""
_TYPE: Final = "nightly.ended"


def wants(settings: NotifySettings, summary: NightSummary) -> bool:
    """Tell whether a night is worth telling."""
    match settings.when:
        case "always":
            return True
        case "failures":
            return not summary.is_good
        case _:
            moved = any(base.moves for base in summary.bases)
            return bool(summary.changed or summary.waiting or summary.looked_at_anew or moved or not summary.is_good)


def notice_id(summary: NightSummary) -> str:
    """Name a night for receivers: the same however often it is told, another for another project's night of that name."""
    return f"night_{summary.night}_{summary.began}"


def make_notice(summary: NightSummary, report: str) -> dict[str, Any]:
    """Make what programs are told, by Standard Webhooks: `type`, `timestamp`, `data`; stacks that are as they were are only counted.

    Args:
        summary: the night.
        report: digest of its report.json.
    """
    told = list(_told(summary))
    return {
        "type": _TYPE,
        "timestamp": dt.datetime.fromtimestamp(summary.ended, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "data": {
            "night": summary.night,
            "good": summary.is_good,
            "report": report,
            "counts": {
                "stacks": len(summary.stacks),
                "changed": len(summary.changed),
                "unchanged": len(summary.same),
                "failed": len(summary.having(Result.FAILED)),
                "held": len(summary.having(Result.HELD)),
                "waiting": len(summary.waiting),
            },
            "pull_bytes": summary.pull_bytes,
            "failed_bases": [base.name for base in summary.bases if base.failed],
            "stacks": told[:MOST_STACKS],
            "left_out": max(0, len(told) - MOST_STACKS),
        },
    }


def render_notice(summary: NightSummary) -> tuple[str, str]:
    """Write title and text for a chat."""
    return render_title(summary), render_brief(summary, most=MOST_LETTERS)


def _told(summary: NightSummary) -> Iterator[dict[str, Any]]:
    """List what is not as it was: what failed or waits first."""
    rows = [one for one in summary.stacks if not one.is_same or one.waits or one.failed or one.fixed or one.new]
    for stack in sorted(rows, key=lambda one: (not one.failed, not one.waits, one.name)):
        yield _row(stack)


def _row(stack: StackNight) -> dict[str, Any]:
    return {
        "name": stack.name,
        "owners": list(stack.owners),
        "result": str(stack.result),
        "digest": stack.digest,
        "before": stack.before.digest,
        "pull_bytes": stack.pull_bytes,
        "fixed": list(stack.fixed),
        "new": list(stack.new),
        "failed": stack.failed,
        "waits": stack.waits,
        "commands": [act.command for act in stack.acts if act.command],
    }
