"""What a move means for a database, against what Alembic's steps would do to one: on random histories."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from builder.migrations.advice import advise
from builder.migrations.history import History, Revision, dump_history, parse_history
from builder.migrations.move import Danger, Schema, classify
from tests.support.migrations import history

_TABLE = "alembic_version"


@st.composite
def _histories(draw: st.DrawFn, *, least: int = 1, prefix: str = "r") -> History:
    """A history that grows by revisions after any of those before, merges and new roots among them."""
    names: list[str] = []
    revisions: dict[str, Revision] = {}
    for number in range(draw(st.integers(least, 8))):
        name = f"{prefix}{number}"
        down = draw(st.lists(st.sampled_from(names), unique=True, max_size=3)) if names else []
        revisions[name] = Revision(id=name, down=tuple(down))
        names.append(name)
    return History(owner="core", version_table=_TABLE, revisions=revisions)


@st.composite
def _pairs(draw: st.DrawFn) -> tuple[History, History]:
    """A history, and one of its beginnings: what an older image knows."""
    newer = draw(_histories())
    names = list(newer.revisions)
    kept = names[: draw(st.integers(1, len(names)))]
    older = History(owner="core", version_table=_TABLE, revisions={name: newer.revisions[name] for name in kept})
    return older, newer


def _schema(found: History) -> Schema:
    return Schema(owner="core", version_table=_TABLE, heads=found.heads, history=found)


def _upgraded(applied: frozenset[str], image: History) -> frozenset[str] | None:
    """Apply all that an image knows; None where it does not know what stands in the version table."""
    known = frozenset(image.revisions)
    heads = {name for name in applied if not any(name in _below(image, other) for other in applied)}
    return None if not heads <= known else known


def _below(image: History, name: str) -> frozenset[str]:
    return image.applied([name]) - {name} if name in image.revisions else frozenset()


def _downgraded(applied: frozenset[str], image: History, target: str) -> frozenset[str]:
    """Take back all that comes after a revision, as Alembic does."""
    return frozenset(name for name in applied if name == target or target not in image.applied([name]))


@given(_pairs())
@settings(deadline=None)
def test_going_on_to_a_newer_image_is_safe_or_a_migration(pair: tuple[History, History]) -> None:
    older, newer = pair
    move = classify([_schema(older)], [_schema(newer)])
    same = older.revisions.keys() == newer.revisions.keys()
    assert move.danger is (Danger.SAFE if same else Danger.MIGRATION)
    (one,) = move.schemas
    applied = frozenset(older.revisions)
    for revision in one.applied:
        # In their order: what each comes after is there.
        assert set(revision.down) <= applied
        applied |= {revision.id}
    assert applied == frozenset(newer.revisions)


@given(_pairs())
@settings(deadline=None)
def test_going_back_needs_a_backup_and_its_command_leads_where_the_older_image_is(
    pair: tuple[History, History],
) -> None:
    older, newer = pair
    move = classify([_schema(newer)], [_schema(older)])
    if older.revisions.keys() == newer.revisions.keys():
        assert move.danger is Danger.SAFE
        return
    assert move.danger is Danger.BACKUP
    (one,) = move.schemas
    assert {revision.id for revision in one.undone} == newer.revisions.keys() - older.revisions.keys()
    commands = [step.command for step in advise(move, before="OLD", after="NEW") if step.command]
    reached = [
        _downgraded(frozenset(newer.revisions), newer, head) == frozenset(older.revisions) for head in older.heads
    ]
    if commands:
        assert commands == [("airflow", "db", "downgrade", "--to-revision", one.downgrade_to, "--yes")]
        assert _downgraded(frozenset(newer.revisions), newer, one.downgrade_to) == frozenset(older.revisions)
    else:
        # No single revision leads there, so a command would leave the older image with what it does not know.
        assert len(older.heads) > 1 or not any(reached)


@given(_histories(), _histories())
@settings(deadline=None)
def test_a_move_that_is_called_a_migration_is_one_for_any_two_histories(before: History, after: History) -> None:
    move = classify([_schema(before)], [_schema(after)])
    (one,) = move.schemas
    if move.danger is Danger.MIGRATION:
        assert _upgraded(frozenset(before.revisions), after) is not None
        assert set(before.heads) <= after.revisions.keys()
        assert before.heads != after.heads
        assert {revision.id for revision in one.applied} == after.revisions.keys() - after.applied(before.heads)
    if move.danger is Danger.SAFE:
        assert before.heads == after.heads
    assert move == classify([_schema(before)], [_schema(after)])


@given(_histories(prefix="a"), _histories(prefix="b"))
@settings(deadline=None)
def test_histories_that_share_nothing_always_need_a_backup(before: History, after: History) -> None:
    move = classify([_schema(before)], [_schema(after)])
    assert move.danger is Danger.BACKUP
    assert move.schemas[0].downgrade_to == ""


@given(_histories())
@settings(deadline=None)
def test_a_history_reads_back(found: History) -> None:
    assert parse_history(dump_history(found), context="") == found
    assert not found.is_circular()
    assert found.applied(found.heads) == found.revisions.keys()


def test_the_steps_of_these_tests_are_alembics_own() -> None:
    # A side branch stays where a revision beside it is named: tests/integration/test_schemas_of_images.py asks Alembic itself.
    merged = history("a b:a c:a d:b,c")
    assert _downgraded(frozenset("abcd"), merged, "b") == {"a", "b", "c"}
