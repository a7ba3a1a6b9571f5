"""What a move of a channel means for Airflow's metadata database, from what was recorded of both images when they were built."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from builder.digest import Digest
from builder.errors import LedgerError
from builder.ledger.model import LedgerReader
from builder.ledger.parts import Revisions
from builder.ledger.queries import find_image
from builder.migrations.advice import Step, advise, move_to_dict
from builder.migrations.history import History, parse_history
from builder.migrations.move import Danger, DatabaseMove, Schema, classify


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseAdvice:
    """What a move means, and what is to be done."""

    move: DatabaseMove
    steps: tuple[Step, ...]

    def to_dict(self) -> dict[str, Any]:
        """Write it as JSON values."""
        return move_to_dict(self.move, self.steps)


def advise_on_database(ledger: LedgerReader, before: str, after: str) -> DatabaseAdvice:
    """Class the move from an image to another.

    Args:
        ledger: that knows both.
        before: digest of what the channel stands for: the database is taken to be where it expects it; empty for nothing.
        after: digest of what it shall stand for.
    """
    if not before:
        reason = "the channel stood for nothing; a new database is made by `airflow db migrate`"
        move = DatabaseMove(danger=Danger.UNKNOWN, reason=reason)
    else:
        move = classify(read_schemas(ledger, before), read_schemas(ledger, after))
    return DatabaseAdvice(move=move, steps=advise(move, before=before, after=after))


def read_schemas(ledger: LedgerReader, digest: str) -> tuple[Schema, ...]:
    """Read what an image expects of the database, by version table; empty where it was not recorded."""
    image = find_image(ledger, digest)
    revisions = image.built.revisions if image else ()
    tables = Counter(one.version_table for one in revisions)
    found = {one.version_table: _schema(ledger, one, shared=tables[one.version_table] > 1) for one in revisions}
    return tuple(found[table] for table in sorted(found))


def _schema(ledger: LedgerReader, revisions: Revisions, *, shared: bool) -> Schema:
    return Schema(
        owner=revisions.owner,
        version_table=revisions.version_table,
        # Two that write into one table: what stands there is known to nobody.
        heads=() if shared else tuple(sorted(revisions.heads)),
        history=None if shared else _history(ledger, revisions),
        manager=revisions.manager,
    )


def _history(ledger: LedgerReader, revisions: Revisions) -> History | None:
    document = ledger.document(Digest.parse(revisions.history)) if revisions.history else None
    try:
        return parse_history(document, context=revisions.history) if document else None
    except LedgerError:
        return None  # Of a newer program, in a form of its own.
