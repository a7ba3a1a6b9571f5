"""What a move from one image to another means for Airflow's metadata database. Pure.

The database is at the heads of the image before. For each version table:

- equal heads: `safe`.
- The image after knows the heads: it can go on from them: `needs migration`, by `airflow db migrate` of the image after.
- Only the image before knows both: the database is ahead, and code of the image after does not know what stands in it:
  `needs backup`; the image before can take its migrations back, where what is left is what the image after expects.
- Neither: they have gone apart: `needs backup`.
- A table that only one of them has: new ones are made by `airflow db migrate`; old ones stay, and nobody reads them.

The worst of all tables is the class of the move; `unknown` where it is not recorded what one of the images expects.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from builder.migrations.history import History, Revision


class Danger(StrEnum):
    """What a move asks for, the mildest first."""

    SAFE = "safe"
    MIGRATION = "needs migration"
    UNKNOWN = "unknown"
    BACKUP = "needs backup"


_ORDER: Final = tuple(Danger)


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """What an image expects of one version table."""

    owner: str
    version_table: str
    heads: tuple[str, ...]
    """Sorted; none where they are not known."""
    history: History | None = None
    manager: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaMove:
    """What a move means for one version table."""

    owner: str
    version_table: str
    danger: Danger
    reason: str
    before: tuple[str, ...]
    """Heads."""
    after: tuple[str, ...]
    applied: tuple[Revision, ...] = ()
    """Migrations that the image after applies, in their order."""
    undone: tuple[Revision, ...] = ()
    """Migrations that have to be taken back, in the order to do so."""
    downgrade_to: str = ""
    """Revision that the image before can take the database back to; empty where a backup has to be restored."""
    manager: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseMove:
    """What a move means for the database."""

    danger: Danger
    reason: str
    schemas: tuple[SchemaMove, ...] = ()
    """By version table."""


def classify(before: Sequence[Schema], after: Sequence[Schema]) -> DatabaseMove:
    """Class the move from an image to another, by what each expects; each version table stands once in either."""
    if not before or not after:
        which = "leaves" if after else "comes"
        return DatabaseMove(
            danger=Danger.UNKNOWN, reason=f"it is not recorded what the image that {which} expects of the database"
        )
    old, new = _by_table(before), _by_table(after)
    moves = tuple(_classify_table(old.get(table), new.get(table)) for table in sorted(old.keys() | new.keys()))
    worst = max(moves, key=lambda move: _ORDER.index(move.danger))
    return DatabaseMove(danger=worst.danger, reason=f"{worst.owner}: {worst.reason}", schemas=moves)


def _by_table(schemas: Sequence[Schema]) -> Mapping[str, Schema]:
    return {schema.version_table: schema for schema in schemas}


def _classify_table(before: Schema | None, after: Schema | None) -> SchemaMove:
    if before is not None and after is not None:
        return _compare(before, after)
    if after is not None:
        applied = after.history.between((), after.heads) if after.history else ()
        reason = "its tables are not there yet"
        return _move(None, after, Danger.MIGRATION, reason, applied=applied)
    return _move(before, None, Danger.SAFE, "its tables stay, and nothing reads them")


def _compare(before: Schema, after: Schema) -> SchemaMove:
    if not before.heads or not after.heads:
        which = "after" if before.heads else "before"
        return _move(
            before, after, Danger.BACKUP, f"migrations of the image {which} cannot be read without running them"
        )
    if before.heads == after.heads:
        return _move(before, after, Danger.SAFE, f"both expect {_names(after.heads)}")
    goes_on, was_there = _knows(after.history, before.heads), _knows(before.history, after.heads)
    if goes_on and was_there:
        return _move(before, after, Danger.BACKUP, "the two order the same migrations differently")
    if goes_on and after.history is not None:
        return _go_on(before, after, after.history)
    if was_there and before.history is not None:
        return _go_back(before, before.history, after)
    strange = [head for head in before.heads if not _knows(after.history, (head,))]
    reason = f"the image after does not know {_names(strange)}, nor the image before {_names(after.heads)}"
    if before.history is None or after.history is None:
        reason = f"{_names(before.heads)} and {_names(after.heads)}, and no history of the two is recorded"
    return _move(before, after, Danger.BACKUP, reason)


def _go_on(before: Schema, after: Schema, history: History) -> SchemaMove:
    """The image after knows where the database is: find whether all that it takes for applied has been."""
    taken = history.applied(before.heads)
    if any(head in history.applied(history.before(other)) for head in before.heads for other in before.heads):
        return _move(before, after, Danger.BACKUP, "the two order the same migrations differently")
    if before.history is not None:
        # The oldest may stand for many that were joined; one further up that was put in later is left out for good.
        new = sorted(name for name in taken - before.history.revisions.keys() if history.before(name))
        if new:
            reason = f"the image after takes {_names(new)} for applied, which the image before does not know"
            return _move(before, after, Danger.BACKUP, reason)
    applied = history.between(before.heads, after.heads)
    reason = f"{_count(applied)} to apply, from {_names(before.heads)} to {_names(after.heads)}"
    return _move(before, after, Danger.MIGRATION, reason, applied=applied)


def _go_back(before: Schema, history: History, after: Schema) -> SchemaMove:
    """The database is ahead: find whether the image before can take back what the image after does not know."""
    undone = history.between(after.heads, before.heads)[::-1]
    reason = f"the database is {_count(undone)} ahead of what the image after knows, at {_names(before.heads)}"
    # Alembic takes back what comes right after the revision named, and all that needs it; what only depends on it stays.
    (target, *others) = after.heads
    first = {name for name, revision in history.revisions.items() if target in revision.down}
    can = not others and all(first & history.applied((revision.id,)) for revision in undone)
    return _move(before, after, Danger.BACKUP, reason, undone=undone, downgrade_to=target if can else "")


def _move(
    before: Schema | None,
    after: Schema | None,
    danger: Danger,
    reason: str,
    *,
    applied: tuple[Revision, ...] = (),
    undone: tuple[Revision, ...] = (),
    downgrade_to: str = "",
) -> SchemaMove:
    named = after or before
    assert named is not None  # noqa: S101  callers give one of them
    return SchemaMove(
        owner=named.owner,
        version_table=named.version_table,
        danger=danger,
        reason=reason,
        before=before.heads if before else (),
        after=after.heads if after else (),
        applied=applied,
        undone=undone,
        downgrade_to=downgrade_to,
        manager=(before.manager if before else "") or named.manager,
    )


def _knows(history: History | None, heads: Sequence[str]) -> bool:
    return history is not None and all(head in history.revisions for head in heads)


def _names(heads: Sequence[str]) -> str:
    return ", ".join(heads)


def _count(revisions: Sequence[Revision]) -> str:
    return f"{len(revisions)} migration{'' if len(revisions) == 1 else 's'}"
