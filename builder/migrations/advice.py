"""What to do with the database for a move, in steps: for people, and as data for what carries them out. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from builder.migrations.history import CORE_TABLE, Revision
from builder.migrations.move import Danger, DatabaseMove, SchemaMove

_MANAGERS: Final = "AIRFLOW__DATABASE__EXTERNAL_DB_MANAGERS"
_RESTORE: Final = (
    "restore a backup of a time when the image that comes ran; or go by way of an image that knows both schemas, as one of an "
    "Airflow between the two"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing to do, before containers of the image that comes are started."""

    what: str
    image: str = ""
    """Digest of the image that the command runs in."""
    command: tuple[str, ...] = ()
    """As the image's entrypoint takes it."""
    environment: tuple[tuple[str, str], ...] = ()
    """Variables that it needs besides."""


def advise(move: DatabaseMove, *, before: str, after: str) -> tuple[Step, ...]:
    """List what is to be done, in its order.

    Args:
        move: as it was classed.
        before: digest of the image that leaves.
        after: digest of the image that comes.
    """
    match move.danger:
        case Danger.SAFE:
            return ()
        case Danger.MIGRATION:
            return (Step(what="back the database up"), _migrate(after))
        case Danger.UNKNOWN:
            what = "look whether the database is where the image that comes expects it"
            return (
                Step(what="back the database up"),
                Step(what=what, image=after, command=("airflow", "db", "check-migrations", "-t", "1")),
            )
        case Danger.BACKUP:
            return (
                Step(what="stop everything that uses the database"),
                Step(what="back the database up"),
                *_go_back(move.schemas, before),
                *([_migrate(after)] if any(one.danger is Danger.MIGRATION for one in move.schemas) else []),
            )


def move_to_dict(move: DatabaseMove, steps: Sequence[Step]) -> dict[str, Any]:
    """Write a move as JSON values."""
    return {
        "class": str(move.danger),
        "reason": move.reason,
        "schemas": [
            {
                "owner": one.owner,
                "version_table": one.version_table,
                "class": str(one.danger),
                "reason": one.reason,
                "before": list(one.before),
                "after": list(one.after),
                "applied": [_revision_to_dict(revision) for revision in one.applied],
                "undone": [_revision_to_dict(revision) for revision in one.undone],
                "downgrade_to": one.downgrade_to or None,
            }
            for one in move.schemas
        ],
        "steps": [
            {
                "what": step.what,
                "image": step.image or None,
                "command": list(step.command) or None,
                "environment": dict(step.environment),
            }
            for step in steps
        ],
    }


def _migrate(after: str) -> Step:
    return Step(what="apply the migrations", image=after, command=("airflow", "db", "migrate"))


def _go_back(schemas: Sequence[SchemaMove], before: str) -> Iterator[Step]:
    """Take migrations back, Airflow's own last: tables of others may lean on them."""
    ahead = sorted((one for one in schemas if one.danger is Danger.BACKUP), key=lambda one: one.manager, reverse=True)
    steps = [_downgrade(one, before) for one in ahead]
    found = [step for step in steps if step is not None]
    if len(found) < len(ahead):
        yield Step(what=_RESTORE)
    else:
        yield from found


def _downgrade(schema: SchemaMove, before: str) -> Step | None:
    """Name the command that takes a schema back; None where there is none."""
    if not schema.downgrade_to or (not schema.manager and schema.version_table != CORE_TABLE):
        return None
    count = len(schema.undone)
    what = (
        f"take {count} migration{'' if count == 1 else 's'} of {schema.owner} back; what they dropped does not return"
    )
    last = ("--to-revision", schema.downgrade_to, "--yes")
    if schema.version_table == CORE_TABLE:
        return Step(what=what, image=before, command=("airflow", "db", "downgrade", *last))
    return Step(
        what=what,
        image=before,
        command=("airflow", "db-manager", "downgrade", schema.manager, *last),
        # The command takes only managers that stand in the configuration, whether Airflow found them itself or not.
        environment=((_MANAGERS, schema.manager),),
    )


def _revision_to_dict(revision: Revision) -> dict[str, str]:
    return {"revision": revision.id, "release": revision.release, "title": revision.title}
