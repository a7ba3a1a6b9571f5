"""A night from its lock to its report."""

from __future__ import annotations

import datetime as dt
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from builder.cli.output import note, tally
from builder.nightly.summary import summarise

if TYPE_CHECKING:
    from builder.cli.root import Context
    from builder.nightly.settings import NightSettings
    from builder.nightly.summary import NightSummary
    from builder.wiring.nights import Nights


def run_night(
    context: Context,
    nights: Nights,
    settings: NightSettings,
    stacks: tuple[str, ...],
    *,
    jobs: int,
    anew: bool,
    take_over: bool,
    **_: Any,
) -> NightSummary:
    """Begin a night or go on with one, to its end; returns its summary."""
    from builder.usecase.nightly import begin, carry_out
    from builder.wiring.ledgers import clock, this_actor
    from builder.wiring.locks import make_lock_tools
    from builder.wiring.nightly import begun_maker, close_night, make_tasks_of, open_work

    project, actor = context.project(), this_actor()
    owner = f"{actor.name}@{actor.host}"
    ledger = context.recording()
    with ExitStack() as later:
        beat = later.enter_context(nights.alone(owner, settings.hours, clock, take_over=take_over))
        watch = later.enter_context(tally("asking the indexes"))
        tools = later.enter_context(make_lock_tools(project, note, refresh=True, watch=watch))
        day = dt.datetime.fromtimestamp(tools.now, dt.UTC).strftime("%Y%m%d")
        make = begun_maker(project, ledger, stacks, tools.now, owner)
        night, again = begin(nights, day, make, anew=anew)
        note(f"night {night.begun.night}{' goes on' if again else ''}: {len(night.begun.before)} stacks")
        work = open_work(project, settings, night.begun.before, tools, later, ledger=ledger, jobs=jobs)
        night = carry_out(
            nights,
            night,
            make_tasks_of(project, settings, tuple(night.begun.before)),
            work,
            workers=settings.workers,
            say=note,
            beat=beat,
            now=clock,
        )
        summary = summarise(night)
        close_night(nights.folder(night.begun.night), summary, ledger)
    return summary
