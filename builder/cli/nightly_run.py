"""A night from its beginning to its report."""

from __future__ import annotations

import datetime as dt
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from builder.cli.output import note, tally

if TYPE_CHECKING:
    from builder.cli.root import Context
    from builder.nightly.model import Night
    from builder.nightly.settings import NightSettings
    from builder.nightly.summary import NightSummary
    from builder.wiring.nights import Nights


def run_night(
    context: Context,
    nights: Nights,
    settings: NightSettings,
    stacks: tuple[str, ...],
    **how: Any,
) -> NightSummary:
    """Run a night, or go on with one; write its reports, its patch and commit, and tell who wants to know.

    Args:
        context: the project and its ledger.
        nights: of the project.
        settings: of stacks/nightly.toml.
        stacks: empty for all.
        how: options of the verb.
    """
    from builder.nightly.summary import summarise
    from builder.usecase.nightly import Run, begin, carry_out
    from builder.wiring.ledgers import clock, this_actor
    from builder.wiring.locks import make_lock_tools
    from builder.wiring.night_git import NightGit
    from builder.wiring.night_reports import close_night, tell_night
    from builder.wiring.night_segments import pin_segments
    from builder.wiring.nightly import begun_maker, make_tasks_of, open_work

    project, actor = context.project(), this_actor()
    owner = f"{actor.name}@{actor.host}"
    ledger = context.recording()
    with ExitStack() as later:
        beat = later.enter_context(nights.alone(owner, settings.hours, clock, take_over=how["take_over"]))
        watch = later.enter_context(tally("asking the indexes"))
        tools = later.enter_context(make_lock_tools(project, note, refresh=True, watch=watch))
        day = dt.datetime.fromtimestamp(tools.now, dt.UTC).strftime("%Y%m%d")
        make = begun_maker(project, settings, ledger, stacks, tools.now, owner)
        night, again = begin(nights, day, make, anew=how["anew"])
        git = NightGit(
            locks=project.locks_folder,
            folder=nights.folder(night.begun.night),
            commit=how["commit"] or bool(how["branch"]),
            branch=how["branch"] or "",
        )
        git.begin(note, again=again)
        note(f"night {night.begun.night}{' goes on' if again else ''}: {len(night.begun.before)} stacks")
        work = open_work(project, settings, night.begun, tools, later, ledger=ledger, jobs=how["jobs"])

        def close(over: Night) -> None:
            summary = summarise(over)
            close_night(nights, summary, ledger)
            note(f"reports are in {nights.folder(summary.night)}")
            tell_night(nights, summary, settings.notify, note)
            pin_segments(project, over)
            git.end(summary, note)

        night = carry_out(
            nights,
            night,
            make_tasks_of(project, settings, tuple(night.begun.before)),
            work,
            Run(now=clock, workers=settings.workers, say=note, beat=beat, close=close),
        )
    return summarise(night)
