"""What a move means for the database: each case, and the steps."""

import pytest

from builder.migrations.advice import Step, advise, move_to_dict
from builder.migrations.move import Danger, DatabaseMove, Schema, classify
from tests.support.migrations import schema

LINE = "a b:a c:b d:c"
FAB = "alembic_version_fab"
MANAGER = "airflow.providers.fab.auth_manager.models.db.FABDBManager"


@pytest.mark.parametrize(
    ("before", "after", "danger", "reason"),
    [
        (schema(LINE), schema(LINE), Danger.SAFE, "both expect d"),
        (schema("a b:a"), schema("x b:x"), Danger.SAFE, "both expect b"),
        (schema("a b:a"), schema(LINE), Danger.MIGRATION, "2 migrations to apply, from b to d"),
        (schema("a b:a c:b"), schema(LINE), Danger.MIGRATION, "1 migration to apply, from c to d"),
        (
            schema(LINE),
            schema("a b:a"),
            Danger.BACKUP,
            "the database is 2 migrations ahead of what the image after knows, at d",
        ),
        (
            schema("a b:a"),
            schema("a c:a"),
            Danger.BACKUP,
            "the image after does not know b, nor the image before c",
        ),
        (schema("a b:a"), schema("b a:b"), Danger.BACKUP, "the two order the same migrations differently"),
        (
            schema("a b:a c:a"),
            schema("a b:a c:b d:c"),
            Danger.BACKUP,
            "the two order the same migrations differently",
        ),
        (
            schema("a c:a"),
            schema("a b:a c:b d:c"),
            Danger.BACKUP,
            "the image after takes b for applied, which the image before does not know",
        ),
        # The oldest stands for many that were joined.
        (schema("a b:a c:b"), schema("joined c:joined d:c"), Danger.MIGRATION, "1 migration to apply, from c to d"),
        (
            schema("", heads=("b",)),
            schema("", heads=("c",)),
            Danger.BACKUP,
            "b and c, and no history of the two is recorded",
        ),
        (schema("", heads=("b",)), schema(LINE), Danger.MIGRATION, "2 migrations to apply, from b to d"),
        (
            schema(LINE),
            schema("", heads=("b",)),
            Danger.BACKUP,
            "the database is 2 migrations ahead of what the image after knows, at d",
        ),
        (
            schema(LINE),
            schema("", heads=()),
            Danger.BACKUP,
            "migrations of the image after cannot be read without running them",
        ),
        (
            schema("", heads=()),
            schema(LINE),
            Danger.BACKUP,
            "migrations of the image before cannot be read without running them",
        ),
    ],
)
def test_a_table_is_classed_by_what_the_images_know(before: Schema, after: Schema, danger: Danger, reason: str) -> None:
    move = classify([before], [after])
    assert (move.danger, move.reason) == (danger, f"core: {reason}")


def test_a_table_that_comes_needs_migration_and_one_that_goes_stays() -> None:
    core, fab = schema(LINE), schema("m n:m", table=FAB)
    assert classify([core], [core, fab]).danger is Danger.MIGRATION
    (_, gone) = classify([core, fab], [core]).schemas
    assert (gone.danger, gone.reason) == (Danger.SAFE, "its tables stay, and nothing reads them")


def test_the_worst_table_decides() -> None:
    move = classify([schema("a"), schema("m n:m", table=FAB)], [schema(LINE), schema("m", table=FAB)])
    assert [(one.owner, one.danger) for one in move.schemas] == [
        ("core", Danger.MIGRATION),
        (FAB, Danger.BACKUP),
    ]
    assert (move.danger, move.reason) == (
        Danger.BACKUP,
        f"{FAB}: the database is 1 migration ahead of what the image after knows, at n",
    )


@pytest.mark.parametrize(
    ("before", "after", "which"), [([], [schema(LINE)], "leaves"), ([schema(LINE)], [], "comes"), ([], [], "comes")]
)
def test_what_was_not_recorded_is_unknown(before: list[Schema], after: list[Schema], which: str) -> None:
    move = classify(before, after)
    assert move == DatabaseMove(
        danger=Danger.UNKNOWN, reason=f"it is not recorded what the image that {which} expects of the database"
    )


def steps(before: list[Schema], after: list[Schema]) -> list[tuple[str, str, tuple[str, ...]]]:
    found = advise(classify(before, after), before="OLD", after="NEW")
    return [(step.what, step.image, step.command) for step in found]


def test_nothing_is_to_be_done_where_it_is_safe() -> None:
    assert steps([schema(LINE)], [schema(LINE)]) == []


def test_the_image_that_comes_applies_its_migrations() -> None:
    assert steps([schema("a")], [schema(LINE)]) == [
        ("back the database up", "", ()),
        ("apply the migrations", "NEW", ("airflow", "db", "migrate")),
    ]


def test_the_image_that_leaves_takes_its_migrations_back_others_first() -> None:
    fab, older = (schema(text, table=FAB, manager=MANAGER) for text in ("m n:m", "m"))
    move = classify([schema(LINE), fab], [schema("a b:a"), older])
    assert advise(move, before="OLD", after="NEW") == (
        Step(what="stop everything that uses the database"),
        Step(what="back the database up"),
        Step(
            what=f"take 1 migration of {FAB} back; what they dropped does not return",
            image="OLD",
            command=("airflow", "db-manager", "downgrade", MANAGER, "--to-revision", "m", "--yes"),
            environment=(("AIRFLOW__DATABASE__EXTERNAL_DB_MANAGERS", MANAGER),),
        ),
        Step(
            what="take 2 migrations of core back; what they dropped does not return",
            image="OLD",
            command=("airflow", "db", "downgrade", "--to-revision", "b", "--yes"),
        ),
    )


def test_one_table_may_go_back_while_another_goes_on() -> None:
    fab, newer = (schema(text, table=FAB, manager=MANAGER) for text in ("m", "m n:m"))
    assert [command for *_, command in steps([schema(LINE), fab], [schema("a"), newer])][2:] == [
        ("airflow", "db", "downgrade", "--to-revision", "a", "--yes"),
        ("airflow", "db", "migrate"),
    ]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([schema("a b:a")], [schema("a c:a")]),
        # Taking d back leaves a side branch applied.
        ([schema("a b:a c:a d:b,c")], [schema("a b:a")]),
        ([schema("a b:a c:a d:b,c")], [schema("a b:a c:a")]),
        ([schema("m n:m", table=FAB)], [schema("m", table=FAB)]),
    ],
    ids=["apart", "side-branch", "several-heads", "nameless-manager"],
)
def test_a_backup_is_restored_where_no_command_leads_back(before: list[Schema], after: list[Schema]) -> None:
    found = steps(before, after)
    assert [image for _, image, _ in found] == ["", "", ""]
    assert found[-1][0].startswith("restore a backup of a time when the image that comes ran")


def test_where_nothing_is_recorded_the_database_is_looked_at() -> None:
    assert steps([], [schema(LINE)])[-1] == (
        "look whether the database is where the image that comes expects it",
        "NEW",
        ("airflow", "db", "check-migrations", "-t", "1"),
    )


def test_all_of_it_can_be_had_as_data() -> None:
    move = classify([schema("a b:a")], [schema("a")])
    assert move_to_dict(move, advise(move, before="OLD", after="NEW")) == {
        "class": "needs backup",
        "reason": "core: the database is 1 migration ahead of what the image after knows, at b",
        "schemas": [
            {
                "owner": "core",
                "version_table": "alembic_version",
                "class": "needs backup",
                "reason": "the database is 1 migration ahead of what the image after knows, at b",
                "before": ["b"],
                "after": ["a"],
                "applied": [],
                "undone": [{"revision": "b", "release": "", "title": ""}],
                "downgrade_to": "a",
            }
        ],
        "steps": [
            {"what": "stop everything that uses the database", "image": None, "command": None, "environment": {}},
            {"what": "back the database up", "image": None, "command": None, "environment": {}},
            {
                "what": "take 1 migration of core back; what they dropped does not return",
                "image": "OLD",
                "command": ["airflow", "db", "downgrade", "--to-revision", "a", "--yes"],
                "environment": {},
            },
        ],
    }
