"""How `push` shows what it would do, and what it did."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from builder.cli.output import render_size, render_table
from builder.registry.model import Outcome
from builder.usecase.ship import Shipped, ShipPlan

if TYPE_CHECKING:
    from builder.usecase.sign import Sealed

_MOST_SHOWN = 10


def push_plan_text(plan: ShipPlan) -> str:
    """Render a plan: what is to be sent, what is there, which tags are to be written."""
    transfer = plan.transfer
    held = sum(blob.size for blob in transfer.present)
    lines = [
        f"{plan.image.name}  {transfer.root.digest}",
        f"to send: {len(transfer.blobs)} blobs, {len(transfer.manifests)} manifests, {render_size(transfer.bytes_to_send)}",
    ]
    if transfer.blobs:
        largest = sorted(transfer.blobs, key=lambda blob: (-blob.size, blob.digest))[:_MOST_SHOWN]
        rows = [(str(blob.digest), render_size(blob.size)) for blob in largest]
        lines.append(render_table(("blob", "size"), rows, right=(1,)))
        if len(transfer.blobs) > _MOST_SHOWN:
            lines.append(f"and {len(transfer.blobs) - _MOST_SHOWN} smaller ones; --json names all")
    if transfer.present:
        lines.append(f"there already: {len(transfer.present)} blobs, {render_size(held)}")
    return "\n".join([*lines, *(f"{transfer.repository.at(tag)}  {_fate(plan, tag)}" for tag in plan.tags)])


def _fate(plan: ShipPlan, tag: str) -> str:
    if tag == plan.dated_tag:
        return "new" if plan.is_new_tag else "stands for it already"
    before = plan.channels[tag]
    if before == plan.transfer.root.digest:
        return "stands for it already"
    return f"moves from {before}" if before is not None else "new"


def push_plan_json(plan: ShipPlan) -> dict[str, Any]:
    """Make the JSON form of a plan."""
    transfer = plan.transfer
    return {
        "stack": plan.image.name,
        "repository": str(transfer.repository),
        "digest": str(transfer.root.digest),
        "bytes_to_send": transfer.bytes_to_send,
        "blobs": [{"digest": str(blob.digest), "size_bytes": blob.size} for blob in transfer.blobs],
        "manifests": [str(manifest.digest) for manifest in transfer.manifests],
        "blobs_present": len(transfer.present),
        "dated_tag": plan.dated_tag or None,
        "tags": [
            {"tag": tag, "moves": tag in plan.moving or (tag == plan.dated_tag and plan.is_new_tag)}
            for tag in plan.tags
        ],
    }


def pushed_text(done: Shipped) -> str:
    """Render what a push did: a reference a line, the digest last."""
    report, transfer = done.report, done.plan.transfer
    lines = [str(transfer.repository.at(tag)) for tag in done.tags]
    mounted = report.count(Outcome.MOUNTED)
    lent = f", {mounted} lent by other repositories" if mounted else ""
    there = len(transfer.present) + report.count(Outcome.PRESENT)
    lines += [
        f"sent {report.count(Outcome.SENT)} blobs, {render_size(report.sent_bytes)}{lent}; {there} were there",
        f"{transfer.repository}@{report.descriptor.digest}",
    ]
    return "\n".join(lines)


def pushed_json(done: Shipped, sealed: Sequence[Sealed] = ()) -> dict[str, Any]:
    """Make the JSON form of what a push did, with its signatures where it was signed."""
    report, plan = done.report, done.plan
    signatures = {"signatures": [{"signer": one.signer, "manifest": str(one.manifest)} for one in sealed]}
    return (signatures if sealed else {}) | {
        "stack": plan.image.name,
        "repository": str(plan.transfer.repository),
        "digest": str(report.descriptor.digest),
        "reference": f"{plan.transfer.repository}@{report.descriptor.digest}",
        "tags": list(done.tags),
        "dated_tag": next(iter(done.tags), None) if plan.dated_tag else None,
        "platforms": {str(image.platform): str(image.descriptor.digest) for image in plan.image.platforms},
        "sent_bytes": report.sent_bytes,
        "blobs_sent": report.count(Outcome.SENT),
        "blobs_mounted": report.count(Outcome.MOUNTED),
        "blobs_present": len(plan.transfer.present) + report.count(Outcome.PRESENT),
    }
