"""What puts together the makers of statements with where locks and ledgers lie."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from builder.usecase.attest import made_statements, statement_of_file, statement_of_predicate
from builder.usecase.image_inputs import locks_of_folder
from builder.usecase.predicates import Told

if TYPE_CHECKING:
    from builder.attest.statement import Statement
    from builder.registry.model import Registry
    from builder.service.address import LedgerPlace
    from builder.usecase.attached import Artifact
    from builder.usecase.sbom import FactTools


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is to be said of an image, as the command line has it."""

    kind: str
    predicate: Path | None
    statement: Path | None
    engine: str | None
    builder: str
    invocation: str
    started: int | None
    finished: int | None


def state(
    registry: Registry,
    artifact: Artifact,
    wish: Wish,
    *,
    locks: Path | None,
    ledger: LedgerPlace | None,
    facts: FactTools,
) -> tuple[Statement, ...]:
    """Make the statements that are wished for; raises BuilderError where what it needs is not there."""
    if wish.statement is not None:
        return (statement_of_file(artifact, wish.kind, wish.statement.read_bytes(), file=str(wish.statement)),)
    if wish.predicate is not None:
        return (statement_of_predicate(artifact, wish.kind, wish.predicate.read_bytes(), file=str(wish.predicate)),)
    told = Told(
        engine=wish.engine or "",
        builder=wish.builder,
        invocation=wish.invocation,
        started=wish.started,
        finished=wish.finished,
    )
    with ExitStack() as later:
        reader = None
        if ledger is not None:
            # Late: what has no ledger shall not pay for one.
            from builder.wiring.ledgers import open_ledger

            reader = later.enter_context(open_ledger(ledger))
        found = (locks_of_folder(locks),) if locks is not None else ()
        return made_statements(registry, artifact, wish.kind, locks=found, ledger=reader, facts=facts, told=told)
