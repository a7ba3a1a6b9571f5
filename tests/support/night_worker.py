"""One process of a night, as a worker of any scheduler runs it: `python -m tests.support.night_worker PROJECT LEDGER begin|do|end …`."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

import click

from builder.nightly.model import Result, Step
from builder.project import open_project
from builder.usecase.night import Task
from builder.wiring.night_tasks import NightRun, find_ledger


def main() -> int:
    """Do what is asked; prints the name of a night that was begun."""
    folder, ledger, verb, *rest = sys.argv[1:]
    project = open_project(Path(folder))
    run = NightRun(
        project=project,
        ledger=find_ledger(project, ledger),
        owner="a scheduler",
        jobs=1,
        say=partial(click.echo, err=True),
    )
    if verb == "begin":
        click.echo(run.begin())
    elif verb == "end":
        return int(not run.end(rest[0]).is_good)
    else:
        name, node, *steps = rest
        done = run.do(name, Task(node, tuple(map(Step, steps))))
        return int(any(one.result is Result.FAILED for one in done))
    return 0


if __name__ == "__main__":
    sys.exit(main())
