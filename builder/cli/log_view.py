"""What `log` shows of entries: a line each, or values for JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from builder.cli.output import render_table
from builder.history.image import short_digest
from builder.history.telling import tell
from builder.ledger.entry import Entry


def render_entries(entries: Sequence[Entry], *, stack: str) -> str:
    """Render entries, a line each.

    Args:
        entries: in the order of the lines.
        stack: that all are of, and no line need say; empty where they are of several.
    """
    if not entries:
        return "nothing of it happened"
    rows = []
    for told in map(tell, entries):
        entry = told.entry
        mark = {True: " ", False: "!", None: " "}[told.good]
        moment = entry.moment.replace("T", " ")[:16]
        about = () if stack else (told.stack or "-",)
        digest = short_digest(told.digest) or "-"
        rows.append((f"{mark} {moment}", entry.kind, *about, digest, entry.actor.name, told.what))
    # Kinds have one width, so that lines which come one by one stand below each other.
    rows = [(row[0], row[1].ljust(10), *row[2:]) for row in rows]
    return render_table(("",) * len(rows[0]), rows).split("\n", 1)[1]


def entry_to_dict(entry: Entry) -> dict[str, Any]:
    """Make the JSON form of an entry."""
    told = tell(entry)
    return {
        "number": entry.number,
        "time": entry.moment,
        "kind": entry.kind,
        "stack": told.stack or None,
        "digest": told.digest or None,
        "what": told.what,
        "actor": {
            "name": entry.actor.name,
            "method": entry.actor.method,
            "host": entry.actor.host,
            "run": entry.actor.run,
            "program": entry.actor.program,
        },
        "hash": str(entry.hash),
        "data": dict(entry.data),
    }


def dump_entry_line(entry: Entry) -> str:
    """Write an entry as one line of JSON."""
    return json.dumps(entry_to_dict(entry), ensure_ascii=False)
