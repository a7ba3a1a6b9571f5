"""What `waivers` shows: text, and values for JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from builder.cli.output import render_table
from builder.finding.vex import Waiver


def waiver_to_dict(waiver: Waiver, days: int, state: str) -> dict[str, Any]:
    """Make the JSON form of a waiver, with the days that it still holds."""
    return {
        "place": waiver.place,
        "stack": waiver.stack or None,
        "id": waiver.id,
        "packages": list(waiver.products),
        "status": waiver.status,
        "justification": waiver.justification or None,
        "reason": waiver.reason,
        "owner": waiver.owner,
        "expires": waiver.expires.isoformat(),
        "days_left": days,
        "state": state or ("expired" if days < 0 else None),
    }


def render_waivers(rows: Sequence[Mapping[str, Any]]) -> str:
    """Render them for a terminal."""
    header = ("finding", "in", "status", "owner", "until", "", "file")
    lines = [
        (
            row["id"],
            ", ".join(row["packages"]),
            row["status"],
            row["owner"],
            row["expires"],
            row["state"] or f"{row['days_left']} days",
            row["place"],
        )
        for row in rows
    ]
    return render_table(header, lines)
