"""`airflow-kubler promote`: a channel made to stand for an image, by its rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from builder.cli.options import channel_option, json_option, push_tag_option
from builder.cli.output import note, show_json, show_text
from builder.cli.root import Context

if TYPE_CHECKING:
    from builder.usecase.follow_tag import FollowedTag
    from builder.usecase.promote import PromoteRequest


@click.command()
@click.argument("stack")
@click.argument("target", metavar="[DIGEST|TAG]", default="")
@channel_option("--to")
@click.option("--dry-run", is_flag=True, help="Only show what was found.")
@click.option("--request", "ask", is_flag=True, help="Where approvals lack, put on record that they are asked for.")
@click.option("--reason", default="", metavar="TEXT", help="Kept with the move.")
@push_tag_option
@json_option
@click.pass_obj
def command(context: Context, /, stack: str, target: str, channel: str, reason: str, *, ask: bool, **how: bool) -> int:
    """Make a channel of STACK stand for an image, where the rules of stacks/channels.toml are met.

    Without DIGEST or TAG: what the channel before it stands for, else the latest build on record. Exit status 1 where a
    rule is not met.
    """
    from builder.usecase.channel_evidence import load_channels
    from builder.usecase.promote import PromoteRequest
    from builder.usecase.waivers import load_given

    project = context.project()
    rules = load_channels(project).rules_for(stack, channel)
    given = load_given(project, stack, (rules,))
    request = PromoteRequest(stack=stack, rules=rules, target=target, reason=reason, ask=ask, given=given)
    return carry_out(context, request, **how)


def carry_out(context: Context, request: PromoteRequest, *, dry_run: bool, push_tag: bool, as_json: bool) -> int:
    """Make a move, or only look; show what came out. Returns the exit status."""
    from builder.cli.promotion_view import promotion_to_dict, render_promotion
    from builder.usecase.follow_tag import check_followable, follow_tag
    from builder.usecase.promote import look, promote
    from builder.wiring.ledgers import clock, open_ledger, this_actor
    from builder.wiring.registries import make_registry

    with open_ledger(context.ledger_place(), write=not dry_run) as ledger:
        actor = ledger.author(this_actor())
        found, _ = look(ledger, request, actor, clock())
        if push_tag and found.outcome != "lacking":
            check_followable(ledger, request.stack, request.rules, found.digest)
        if not dry_run:
            found = promote(ledger, request, actor, clock)
        if not as_json:
            show_text(render_promotion(found))
        tags: tuple[FollowedTag, ...] = ()
        if push_tag and found.outcome in {"promoted", "unchanged"} and not dry_run:
            with make_registry() as registry:
                tags = follow_tag(ledger, registry, request.stack, request.rules, actor)
    if as_json:
        show_json(promotion_to_dict(found, tags))
    for tag in tags:
        note(f"{tag.reference}  {tag.digest}  {f'was {tag.before}' if tag.is_moved else 'unchanged'}")
    return int(found.outcome == "lacking")
