"""How `rebase` shows what became of each stack."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from builder.cli.options import DEFAULT_FOLDER
from builder.cli.output import note, show_text
from builder.usecase.rebase import LayerChange, Rebased

_MOST_SHOWN = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """A stack after its rebase, written and built or not."""

    rebased: Rebased
    digest: str = ""
    """Of the image index; empty where nothing was built."""
    changes: tuple[LayerChange, ...] | None = None
    """None where there is no image of the lock before."""


def show_rebased(done: Done, *, written: bool) -> None:
    """Print what became of a stack."""
    verdict = done.rebased.verdict
    if verdict.missing:
        show_text(f"{verdict.stack}: base {verdict.base} lacks what it needs")
        for one in verdict.missing[:_MOST_SHOWN]:
            show_text(f"  {one}")
        if len(verdict.missing) > _MOST_SHOWN:
            show_text(f"  and {len(verdict.missing) - _MOST_SHOWN} more; --json names all")
        return
    state = "stands on" if not done.rebased.moved else "is on" if written else "can be put on"
    show_text(f"{verdict.stack}: {state} base {verdict.base}, which gives its {verdict.native_files} native files all")
    for change in done.changes or ():
        new = f", {len(change.new)} new: {change.reason}" if change.new else ""
        show_text(f"  {change.platform}: {change.same} layers of distributions are the same{new}")
    if done.digest:
        show_text(f"  index {done.digest}")
        if done.changes is None:
            note(
                f"  there was no image of the lock before in {DEFAULT_FOLDER}/{verdict.stack}: layers were not compared"
            )


def rebased_json(done: Done) -> dict[str, Any]:
    """Make the JSON form."""
    changes = [
        {"platform": str(one.platform), "same": one.same, "new": list(one.new), "reason": one.reason or None}
        for one in done.changes or ()
    ]
    return {
        "verdict": done.rebased.verdict.as_json(),
        "moved": done.rebased.moved,
        "index_digest": done.digest or None,
        "layers": changes if done.changes is not None else None,
    }
