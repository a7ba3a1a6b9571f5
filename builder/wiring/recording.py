"""What records the work of verbs in a ledger, where there is one."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from builder.archive.attestation import Rebuild
    from builder.digest import Digest
    from builder.ledger.entry import Actor
    from builder.ledger.events import Event
    from builder.ledger.model import Ledger
    from builder.registry.model import Repository
    from builder.service.address import LedgerPlace
    from builder.testing.model import CheckReport
    from builder.usecase.build import BuildRequest
    from builder.usecase.ship import Shipped
    from builder.usecase.sign import Sealed
    from builder.usecase.verify_signatures import Verified


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorder:
    """Writes what was done, each when it is done, as this program's user."""

    ledger: Ledger
    actor: Actor

    def locked(self, locks: Path, stacks: Iterable[str]) -> None:
        """Record the locks of stacks, those that the ledger does not know yet."""
        from builder.usecase.record import read_lock_files, record_lock

        for stack in stacks:
            record_lock(self.ledger, read_lock_files(locks, stack), self.actor)

    def built(self, request: BuildRequest, summary: Mapping[str, Any], *, engine: str, started: float) -> None:
        """Record a build that is in its output; `started` is of `time.monotonic`."""
        from builder.migrations.of_lock import revisions_of
        from builder.usecase.record import BuildDone, blob_reader, knows_build, read_lock_files, record_build
        from builder.wiring.stores import make_file_store

        engine = "airflow-kubler" if engine == "own" else engine
        if knows_build(self.ledger, request.locks, summary, engine):
            return
        locks = read_lock_files(request.locks, request.stack)
        done = BuildDone(
            locks=locks,
            summary=summary,
            read=blob_reader(request.output),
            engine=engine,
            compression=request.compression or locks.stack.compression,
            seconds=time.monotonic() - started,
            revisions=revisions_of(locks.stack, make_file_store(), (request.platforms or locks.stack.platforms)[0]),
        )
        record_build(self.ledger, done, self.actor)

    def pushed(self, shipped: Shipped) -> None:
        """Record a push with the tags that moved."""
        from builder.ledger.events import Pushed
        from builder.usecase.record import record_push, tag_moves

        plan = shipped.plan
        standing = {tag: plan.channels.get(tag) for tag in shipped.tags}
        if plan.dated_tag and not plan.is_new_tag:
            standing[plan.dated_tag] = plan.transfer.root.digest
        event = Pushed(
            digest=str(plan.transfer.root.digest),
            repository=str(plan.transfer.repository),
            stack=plan.image.name,
            tags=tag_moves(shipped.tags, standing, plan.transfer.root.digest),
            sent_bytes=shipped.report.sent_bytes,
        )
        record_push(self.ledger, event, self.actor)

    def tagged(self, repository: Repository, digest: Digest, before: Mapping[str, Digest | None]) -> None:
        """Record that tags of a repository stand for an image."""
        from builder.ledger.events import Pushed
        from builder.ledger.queries import find_image
        from builder.usecase.record import record_push, tag_moves

        known = find_image(self.ledger, str(digest))
        event = Pushed(
            digest=str(digest),
            repository=str(repository),
            stack=known.built.stack if known else "",
            tags=tag_moves(before, before, digest),
        )
        record_push(self.ledger, event, self.actor)

    def rebuilt(self, statement: Rebuild) -> None:
        """Record that an image was made again, with the statement on what came out."""
        from builder.archive.attestation import dump_statement
        from builder.digest import Digest
        from builder.ledger.events import Rebuilt

        data = dump_statement(statement)
        event = Rebuilt(
            digest=str(statement.digest),
            same=statement.rebuilt == statement.digest,
            by=statement.rebuilder,
            difference=statement.first_difference,
            statement=str(Digest.of(data)),
        )
        self.told(event, data)

    def sealed(self, bundles: Iterable[Sealed]) -> None:
        """Record what was signed, where the ledger does not know it."""
        sealed = tuple(bundles)
        if not sealed:
            return
        from builder.usecase.record_signatures import noted_of_sealed, record_bundles

        record_bundles(self.ledger, map(noted_of_sealed, sealed), self.actor)

    def verified(self, found: Verified, predicate_types: Sequence[str]) -> None:
        """Record what holds, where the ledger does not know it."""
        from builder.usecase.record_signatures import noted_of_verified, record_bundles

        record_bundles(self.ledger, noted_of_verified(found, predicate_types), self.actor)

    def removed(self, repository: Repository, digests: Iterable[Digest], reason: str) -> None:
        """Record what was deleted from a repository, where it was anything."""
        from builder.ledger.events import Removed

        gone = tuple(sorted(map(str, digests)))
        if gone:
            self.told(Removed(repository=str(repository), digests=gone, reason=reason))

    def tested(self, report: CheckReport) -> bool:
        """Record how the suites of an image ended, each with its report; False where the ledger knows no build of it."""
        from builder.canonical import dump_json
        from builder.digest import Digest
        from builder.ledger.events import Tested
        from builder.ledger.queries import find_image
        from builder.testing.model import suite_to_json
        from builder.testing.report import summary_line

        known = find_image(self.ledger, report.manifest)
        if known is None:
            return False
        for suite in report.suites:
            data = dump_json(suite_to_json(report, suite))
            event = Tested(
                digest=known.built.digest,
                name=suite.name,
                passed=suite.passed,
                summary=summary_line(suite),
                report=str(Digest.of(data)),
                seconds=round(suite.seconds, 3),
            )
            self.told(event, data)
        return True

    def told(self, event: Event, report: bytes | None = None) -> None:
        """Record what was found out otherwise, with a report."""
        from builder.usecase.record import record_event

        record_event(self.ledger, event, report, self.actor)


@contextmanager
def open_recorder(place: LedgerPlace | None) -> Iterator[Recorder | None]:
    """Open what records in a ledger, before the work is begun; None where nothing is recorded.

    Raises:
        LedgerUnavailableError: the ledger is not there or cannot be opened.
        LedgerError: it is no ledger.
    """
    if place is None:
        yield None
        return
    # Late: what has no ledger to write in shall not pay for one.
    from builder.wiring.ledgers import open_ledger, this_actor

    with open_ledger(place, write=True) as ledger:
        yield Recorder(ledger=ledger, actor=this_actor())
