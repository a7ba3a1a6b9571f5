"""What `layers` shows: a stack's layers with what tells for each, and what planning again would bring."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from builder.cli.output import render_size, render_table
from builder.sizes import render_count

if TYPE_CHECKING:
    from builder.image.plan_items import PlanItem
    from builder.usecase.layers import ExplainedLayer, ExplainedPlan, ReplannedLock

_HEADER = ("LAYER", "PROJECTS", "SIZE", "CHANCE", "A NIGHT", "WHY")


def render_plan(plan: ExplainedPlan) -> str:
    """Render a stack's own layers for a terminal, in the order in which they lie."""
    watched = plan.watched
    nights = render_count(round(watched.days), "night")
    basis = f"ages of releases and moves of {nights}" if watched.days else "ages of releases"
    total = sum(row.reason.night for row in plan.layers)
    above = f" on {plan.parents_layers} of its parents" if plan.parents_layers else ""
    head = (
        f"{plan.stack}: {render_count(len(plan.layers), 'layer')}{above}, of {plan.room} that may be; "
        f"{_bytes(total)} expected a night, by {basis}"
    )
    rows = [
        (
            row.layer.name,
            str(len(row.layer.projects)),
            _bytes(row.reason.size),
            _percent(row.reason.chance),
            _bytes(row.reason.night),
            "; ".join(_iter_reasons(row)),
        )
        for row in plan.layers
    ]
    return f"{head}\n{render_table(_HEADER, rows, right=(1, 2, 3, 4))}" if rows else head


def _iter_reasons(row: ExplainedLayer) -> Iterator[str]:
    yield (
        f"moves with {_history(row.reason.liveliest)}"
        if len(row.layer.projects) > 1
        else _history(row.reason.liveliest)
    )
    if row.nearest:
        yield f"with {row.nearest} it would cost {_bytes(row.reason.joining_adds)} more"
    if row.reason.first_out:
        yield f"{row.reason.first_out} alone would save {_bytes(max(row.reason.leaving_saves, 0.0))}"


def _history(item: PlanItem) -> str:
    age = "of unknown age" if item.age_days is None else f"{render_count(max(round(item.age_days), 0), 'day')} old"
    if not item.watched_days:
        return f"{item.project}, {age}"
    moved = f"moved {render_count(item.moves, 'time')} in {render_count(round(item.watched_days), 'night')}"
    return f"{item.project}, {age}, {moved}"


def render_replanned(found: Sequence[ReplannedLock], *, horizon: int, written: bool) -> str:
    """Render what planning again would bring, or has brought, a line for each stack."""
    header = ("STACK", "LAYERS", "A NIGHT", "PULLED ONCE", "PAID AFTER", "")
    rows = [_row(row, written=written) for row in found]
    changed = any(row.plan.changed for row in found)
    if not changed:
        last = f"no other plan pays within {render_count(horizon, 'night')}: the locks stay as they are"
    elif written:
        last = "written; build and push what changed"
    else:
        last = "nothing is written: --apply writes it"
    return f"{render_table(header, rows)}\n{last}"


def _row(row: ReplannedLock, *, written: bool) -> tuple[str, ...]:
    plan = row.plan
    if not plan.changed:
        follows = "stands on new layers" if row.lock is not None else "as it is"
        return plan.stack, str(len(plan.before)), _bytes(plan.night_before), "", "", follows
    nights = "" if math.isinf(plan.nights_to_pay) else render_count(math.ceil(plan.nights_to_pay), "night")
    return (
        plan.stack,
        f"{len(plan.before)} -> {len(plan.after)}",
        f"{_bytes(plan.night_before)} -> {_bytes(plan.night_after)}",
        _bytes(max(plan.once, 0)),
        nights,
        "written" if written else "pays",
    )


def plan_to_dict(plan: ExplainedPlan) -> dict[str, Any]:
    """Make the JSON form of a plan with its reasons."""
    return {
        "stack": plan.stack,
        "parents_layers": plan.parents_layers,
        "room": plan.room,
        "watched_nights": round(plan.watched.days, 2),
        "night_bytes": round(sum(row.reason.night for row in plan.layers)),
        "layers": [
            {
                "name": row.layer.name,
                "projects": list(row.layer.projects),
                "size": row.reason.size,
                "chance": round(row.reason.chance, 6),
                "night_bytes": round(row.reason.night),
                "liveliest": row.reason.liveliest.project,
                "nearest": row.nearest or None,
                "joining_adds": round(row.reason.joining_adds),
                "first_out": row.reason.first_out or None,
                "leaving_saves": round(row.reason.leaving_saves),
            }
            for row in plan.layers
        ],
    }


def replanned_to_dict(row: ReplannedLock) -> dict[str, Any]:
    """Make the JSON form of what planning again gave for a stack."""
    plan = row.plan
    return {
        "stack": plan.stack,
        "changed": plan.changed,
        "rewritten": row.lock is not None,
        "layers_before": len(plan.before),
        "layers_after": len(plan.after),
        "night_bytes_before": round(plan.night_before),
        "night_bytes_after": round(plan.night_after),
        "once_bytes": plan.once,
        "nights_to_pay": None if math.isinf(plan.nights_to_pay) else round(plan.nights_to_pay, 2),
        "groups": [[item.project for item in layer] for layer in plan.after],
    }


def _bytes(value: float) -> str:
    return render_size(round(value))


def _percent(chance: float) -> str:
    return f"{chance * 100:.1f} %"
