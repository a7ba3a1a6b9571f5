"""Build a made-up stack twice and record both builds: `python -m tests.support.build_and_record FOLDER`.

FOLDER holds `ledger.db`. Prints the number of each entry once it is acknowledged.
"""

from __future__ import annotations

import sys
from pathlib import Path

from builder.ledger.database import SqliteLedger
from builder.usecase.build import BuildRequest, BuildTools, build
from builder.usecase.record import BuildDone, blob_reader, read_lock_files, record_build, record_lock
from tests.support.ledgers import ALICE, Ticking
from tests.support.made_up import World, bump, make_world, write_locks


def record_all(world: World, ledger: SqliteLedger) -> None:
    """Lock, build and record."""
    tools = BuildTools(files=world.files, artefacts=world.artefacts, compilers=world.compilers, jobs=1)
    request = BuildRequest(
        stack="tiny",
        locks=write_locks(world, world.root / "locks"),
        output=world.root / world.stack.candidates[0].version,
    )
    locks = read_lock_files(request.locks, request.stack)
    entry = record_lock(ledger, locks, ALICE)
    if entry is not None:
        sys.stdout.write(f"{entry.number}\n")
        sys.stdout.flush()
    done = BuildDone(
        locks=locks,
        summary=build(request, tools),
        read=blob_reader(request.output),
        engine="airflow-kubler",
        compression="zstd",
        seconds=1.0,
    )
    sys.stdout.write(f"{record_build(ledger, done, ALICE).number}\n")
    sys.stdout.flush()


def main() -> None:
    """Do it."""
    folder = Path(sys.argv[1])
    world = make_world(folder)
    with SqliteLedger(folder / "ledger.db", Ticking(), write=True) as ledger:
        for one in (world, bump(world)):
            record_all(one, ledger)


if __name__ == "__main__":
    main()
