"""`airflow-kubler approve`: somebody agrees that a channel moves to an image."""

from __future__ import annotations

from typing import Any

import click

from builder.cli.options import channel_option, json_option
from builder.cli.output import show_json, show_text
from builder.cli.root import Context


@click.command()
@click.argument("stack")
@click.argument("target", metavar="DIGEST|TAG")
@channel_option("--to")
@click.option("--comment", default="", metavar="TEXT", help="Kept with it.")
@click.option("--withdraw", is_flag=True, help="Take an approval back.")
@json_option
@click.pass_obj
def command(context: Context, /, stack: str, target: str, channel: str, *, as_json: bool, **said: Any) -> None:
    """Agree that a channel of STACK moves to an image, under its rules as they stand.

    It counts once for each person, never for who asks for the move or makes it. Until there are identities, who you are is what
    this machine says.
    """
    from builder.policy.judged import shorten
    from builder.usecase.approve import ApproveRequest, approve
    from builder.usecase.channel_evidence import load_channels
    from builder.wiring.ledgers import clock, open_ledger, this_actor

    rules = load_channels(context.project()).rules_for(stack, channel)
    request = ApproveRequest(stack=stack, rules=rules, target=target, **said)
    with open_ledger(context.ledger_place(), write=True) as ledger:
        found = approve(ledger, request, ledger.author(this_actor()), clock)
    names = [fact.entry.actor.name for fact in found.approvals.counting]
    if as_json:
        show_json(
            {
                "stack": stack,
                "channel": channel,
                "digest": found.digest,
                "withdrawn": found.withdrawn,
                "entry": found.entry.number if found.entry else None,
                "approvals": names,
                "wanted": found.approvals.wanted,
            }
        )
        return
    done = "taken back" if found.withdrawn else "approved" if found.entry else "approved already"
    by = f" ({', '.join(names)})" if names else ""
    show_text(f"{done}: {stack} {channel} {found.digest}\n{len(names)} of {found.approvals.wanted} approvals{by}")
    if found.approvals.are_enough:
        show_text(f"airflow-kubler promote {stack} --to {channel} {shorten(found.digest)}, by somebody else")
