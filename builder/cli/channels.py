"""`airflow-kubler channels`: what channels stand for, and what waits."""

from __future__ import annotations

from typing import Any

import click

from builder.cli.options import json_option, stacks_argument
from builder.cli.output import render_table, show_json, show_text
from builder.cli.root import Context
from builder.ledger.entry import format_time
from builder.policy.judged import shorten
from builder.usecase.channel_evidence import load_channels
from builder.usecase.channels import ChannelLine, Waiting, list_channels
from builder.wiring.ledgers import clock, open_ledger


@click.command()
@stacks_argument
@json_option
@click.pass_obj
def command(context: Context, stacks: tuple[str, ...], *, as_json: bool) -> None:
    """List the channels of stacks: what each stands for, since when, by whom, and what waits for approval."""
    project = context.project()
    channels = load_channels(project)
    with open_ledger(context.ledger_place()) as ledger:
        recorded = (value.partition(" ")[0] for value in ledger.values("channel"))
        names = stacks or tuple(sorted({*project.stack_names(), *recorded}))
        lines = list_channels(ledger, channels, names, clock())
    if as_json:
        show_json([_line_to_dict(line) for line in lines])
        return
    rows = [_row(line) for line in lines]
    show_text(render_table(("stack", "channel", "stands for", "since", "by", "built", "waits"), rows))


def _row(line: ChannelLine) -> tuple[str, ...]:
    waits = ", ".join(_render_waiting(one) for one in line.waiting)
    if line.standing is None or line.promoted is None:
        return (line.stack, line.channel, "-", "", "", "", waits)
    by = f"{line.promoted.entry.actor.name}{' (rollback)' if line.promoted.event.rollback else ''}"
    built = format_time(line.built) if line.built is not None else ""
    return (line.stack, line.channel, shorten(line.standing.digest), format_time(line.standing.since), by, built, waits)


def _render_waiting(waiting: Waiting) -> str:
    request, approvals = waiting.request, waiting.approvals
    counted = f"{len(approvals.counting)} of {approvals.wanted} approvals"
    return f"{shorten(request.event.digest)} of {request.entry.actor.name}: {counted}"


def _line_to_dict(line: ChannelLine) -> dict[str, Any]:
    promoted = line.promoted
    return {
        "stack": line.stack,
        "channel": line.channel,
        "digest": line.standing.digest if line.standing else None,
        "since": format_time(line.standing.since) if line.standing else None,
        "by": promoted.entry.actor.name if promoted else None,
        "entry": promoted.entry.number if promoted else None,
        "rollback": promoted.event.rollback if promoted else False,
        "database": promoted.event.database if promoted else None,
        "built": format_time(line.built) if line.built is not None else None,
        "waiting": [
            {
                "digest": one.request.event.digest,
                "by": one.request.entry.actor.name,
                "since": one.request.entry.moment,
                "reason": one.request.event.reason,
                "approvals": [fact.entry.actor.name for fact in one.approvals.counting],
                "wanted": one.approvals.wanted,
            }
            for one in line.waiting
        ],
    }
