"""`airflow-kubler rollback`: what a channel stood for before, and the way back."""

from __future__ import annotations

import click

from builder.cli.options import channel_option, json_option, push_tag_option
from builder.cli.output import show_json, show_text
from builder.cli.promote import carry_out
from builder.cli.root import Context


@click.command()
@click.argument("stack")
@channel_option("--channel")
@click.option("--to", "target", default="", metavar="DIGEST|TAG", help="Move the channel there.")
@click.option("--reason", default="", metavar="TEXT", help="Why: kept with the move.")
@click.option("--last", type=click.IntRange(1, 100), default=5, show_default=True, help="Most images to propose.")
@click.option("--dry-run", is_flag=True, help="With --to: only show what was found.")
@push_tag_option
@json_option
@click.pass_obj
def command(context: Context, /, stack: str, channel: str, target: str, reason: str, last: int, **how: bool) -> int:
    """Show what a channel of STACK stood for before, what would change, and what it means for Airflow's database.

    With --to, move it back there: under the rules that the channel keeps for rollbacks.
    """
    from builder.usecase.channel_evidence import load_channels
    from builder.usecase.promote import PromoteRequest
    from builder.usecase.waivers import load_rollback_given

    project = context.project()
    rules = load_channels(project).rules_for(stack, channel)
    given = load_rollback_given(project, stack, rules)
    if target:
        if not reason.strip():
            raise click.UsageError("--to goes with --reason: why is it moved back?")
        request = PromoteRequest(stack=stack, rules=rules, target=target, reason=reason, rollback=True, given=given)
        return carry_out(context, request, **how)
    if how["push_tag"] or how["dry_run"] or reason:
        raise click.UsageError("--push-tag, --dry-run and --reason go with --to.")

    from builder.cli.rollback_view import proposal_to_dict, render_proposals
    from builder.usecase.rollback import propose_rollback
    from builder.wiring.ledgers import clock, open_ledger, this_actor

    with open_ledger(context.ledger_place()) as ledger:
        proposals = propose_rollback(ledger, stack, rules, ledger.author(this_actor()), clock(), most=last, given=given)
    if how["as_json"]:
        show_json([proposal_to_dict(one) for one in proposals])
    else:
        show_text(render_proposals(stack, channel, proposals))
    return int(not proposals)
