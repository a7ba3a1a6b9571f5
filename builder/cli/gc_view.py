"""How `gc` shows what goes and what stays."""

from __future__ import annotations

from typing import Any

from builder.cli.output import render_size, render_table
from builder.registry.garbage import Contents, GarbagePlan
from builder.registry.model import Repository


def garbage_json(place: Repository, contents: Contents, plan: GarbagePlan, *, deleted: bool) -> dict[str, Any]:
    """Make the JSON of a plan."""
    return {
        "repository": str(place),
        "deleted": deleted,
        "kept": [{"tag": tag, "why": why} for tag, why in sorted(plan.kept.items())],
        "dropped": list(plan.dropped),
        "manifests": [str(digest) for digest in plan.garbage],
        "freed_bytes": plan.freed_bytes,
        "left_alone": plan.unknown,
        "unread": [{"what": what, "why": why} for what, why in sorted(contents.unread.items())],
    }


def garbage_text(place: Repository, plan: GarbagePlan, *, deleted: bool) -> str:
    """Write a plan for people."""
    lines = []
    if plan.kept:
        lines.append(render_table(("kept", "why"), sorted(plan.kept.items())))
    lines += [f"{'deleted' if deleted else 'would go'}: {place}:{tag}" for tag in plan.dropped]
    done = "deleted" if deleted else "would go; add --yes to delete them"
    size = render_size(plan.freed_bytes)
    lines.append(f"{len(plan.garbage)} manifests of {len(plan.dropped)} tags, {size} that nothing else needs, {done}")
    if plan.unknown:
        lines.append(f"{plan.unknown} tags lead to referrers of images without a tag: left alone")
    return "\n".join(lines)
