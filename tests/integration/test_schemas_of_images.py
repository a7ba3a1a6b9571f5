"""Schemas read from locked wheels, against Alembic and against databases that real images migrated."""

from __future__ import annotations

import json
import os
import random
import re
import sqlite3
import subprocess
import sys
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from builder.ledger.database import SqliteLedger, create_ledger
from builder.lock.model import StackLock
from builder.lock.pylock import parse_stack_lock
from builder.migrations.advice import advise
from builder.migrations.history import History, Revision, parse_history
from builder.migrations.move import Danger, Schema, classify
from builder.migrations.of_lock import revisions_of
from builder.platform import AMD64, Platform, platform_of_machine
from builder.usecase.database_move import read_schemas
from builder.wiring.stores import make_file_store
from tests.conftest import Build, Kubler, fetch_files
from tests.support.channels import NIGHTLY
from tests.support.core_image import stack_lock
from tests.support.tools import ROOT, require_root, require_tool

pytestmark = pytest.mark.network

FAB = "airflow.providers.fab.auth_manager.models.db.FABDBManager"
ORACLE = """
import json, sys
from alembic.script.revision import Revision, RevisionMap

for line in sys.stdin:
    asked = json.loads(line)
    found = RevisionMap(lambda: [
        Revision(name, tuple(row["down"]) or None, dependencies=tuple(row["depends_on"]) or None)
        for name, row in asked["revisions"].items()
    ])
    heads = found._real_heads
    left = {}
    for name in asked["targets"]:
        try:
            undone = {one.revision for one in found.iterate_revisions(heads, name, select_for_downgrade=True)}
        except Exception as error:
            undone = None
        left[name] = None if undone is None else sorted(set(asked["revisions"]) - undone)
    print(json.dumps({"heads": sorted(heads), "left": left}))
"""


def schemas_of(lock: StackLock, platform: Platform = AMD64) -> tuple[Schema, ...]:
    """Read what a lock's image expects."""
    return tuple(
        Schema(
            owner=found.owner,
            version_table=found.version_table,
            heads=found.heads,
            history=parse_history(document, context=""),
            manager=found.manager,
        )
        for found, document in revisions_of(lock, make_file_store(), platform)
    )


@pytest.fixture(scope="session")
def schemas(kubler: Kubler) -> Mapping[str, tuple[Schema, ...]]:
    """What the shipped images expect."""
    for stack in ("core", "legacy"):
        fetch_files(kubler, stack)
    return {stack: schemas_of(stack_lock(stack)) for stack in ("core", "legacy")}


def test_the_schemas_of_shipped_locks_are_known(schemas: Mapping[str, tuple[Schema, ...]]) -> None:
    found = {
        stack: [(one.owner, one.version_table, one.heads, one.manager) for one in rows]
        for stack, rows in schemas.items()
    }
    assert found == {
        "core": [
            ("apache-airflow-core", "alembic_version", ("d2f4e1b3c5a7",), ""),
            ("apache-airflow-providers-fab", "alembic_version_fab", ("02ca36b0235b",), FAB),
        ],
        "legacy": [("apache-airflow", "alembic_version", ("686269002441",), "")],
    }


def test_a_build_puts_what_its_image_expects_on_record(
    kubler: Kubler, schemas: Mapping[str, tuple[Schema, ...]], tmp_path: Path
) -> None:
    ledger = tmp_path / "ledger.db"
    create_ledger(ledger, "example.org/airflow", NIGHTLY, lambda: 1_790_000_000)
    built = kubler("--ledger", ledger, "build", "core", "--output", tmp_path / "core", "--json")
    with SqliteLedger(ledger, lambda: 0, write=False) as opened:
        assert read_schemas(opened, json.loads(built.stdout)["index_digest"]) == schemas["core"]


def test_airflows_own_table_of_releases_agrees(schemas: Mapping[str, tuple[Schema, ...]]) -> None:
    # `_REVISION_HEADS_MAP` says which revision each release ends with.
    for stack, project, place in (
        ("core", "apache-airflow-core", "airflow/utils/db.py"),
        ("legacy", "apache-airflow", "airflow/utils/db.py"),
    ):
        candidate = next(one for one in stack_lock(stack).candidates if one.project == project)
        with zipfile.ZipFile(make_file_store().path(candidate.wheels[AMD64.name].sha256)) as wheel:
            source = wheel.read(place).decode()
        table = source.partition("_REVISION_HEADS_MAP")[2].partition("}")[0]
        releases = dict(re.findall(r'"([0-9.]+)": "([0-9a-f]+)"', table))
        history = schemas[stack][0].history
        assert history is not None
        for release, revision in releases.items():
            assert revision in history.revisions, f"{stack}: {release}"
            ends = {one.release for one in history.between((revision,), history.heads)}
            assert release not in ends, f"{stack}: {release} does not end with {revision}"


def test_heads_and_ways_back_are_those_of_alembic(kubler: Kubler, tmp_path: Path) -> None:
    fetch_files(kubler, "core")
    for candidate in stack_lock("core").candidates:
        if candidate.project in {"alembic", "sqlalchemy", "mako", "markupsafe", "typing-extensions"}:
            with zipfile.ZipFile(make_file_store().path(candidate.wheels[AMD64.name].sha256)) as wheel:
                wheel.extractall(tmp_path)
    chance = random.Random(5)  # noqa: S311  nothing secret
    histories = [_random_history(chance) for _ in range(300)]
    lines = [
        json.dumps(
            {
                "revisions": {
                    name: {"down": one.down, "depends_on": one.depends_on} for name, one in found.revisions.items()
                },
                "targets": list(found.revisions),
            }
        )
        for found in histories
    ]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", ORACLE],
        input="\n".join(lines),
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    led = 0
    for found, line in zip(histories, done.stdout.splitlines(), strict=True):
        told = json.loads(line)
        assert sorted(found.heads) == told["heads"]
        for target, left in told["left"].items():
            older = History(
                owner="core", version_table="t", revisions={n: found.revisions[n] for n in found.applied([target])}
            )
            move = classify([_schema(found)], [_schema(older)]).schemas[0]
            if move.downgrade_to:
                led += 1
                assert left == sorted(older.revisions), f"{target} of {found.revisions}"
            elif move.danger is Danger.BACKUP:
                assert left != sorted(older.revisions), f"{target} of {found.revisions}"
    assert led > 100


def _random_history(chance: random.Random) -> History:
    revisions: dict[str, Revision] = {}
    for number in range(chance.randint(1, 9)):
        names = list(revisions)
        down = chance.sample(names, min(len(names), chance.choice((0, 1, 1, 1, 1, 2))))
        rest = [name for name in names if name not in down]
        depends_on = chance.sample(rest, 1) if rest and chance.random() < 0.1 else []
        revisions[f"r{number}"] = Revision(id=f"r{number}", down=tuple(down), depends_on=tuple(depends_on))
    return History(owner="core", version_table="t", revisions=revisions)


def _schema(found: History) -> Schema:
    return Schema(owner="core", version_table="t", heads=found.heads, history=found, manager="m")


@dataclass(frozen=True, kw_only=True)
class Image:
    """A real image, and the folder that it keeps its AIRFLOW_HOME in."""

    project: Path
    stack: str
    home: Path
    schemas: tuple[Schema, ...]

    def run(self, database: Path, *words: str, environment: Sequence[tuple[str, str]] = ()) -> int:
        """Run a command in it on a database; gives its exit status."""
        variables = (
            ("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "sqlite:////opt/airflow/database/airflow.db"),
            *environment,
        )
        done = subprocess.run(
            [
                *(sys.executable, "-m", "builder", "--project", str(self.project), "run", self.stack),
                *(
                    "--engine",
                    "runc",
                    "--network",
                    "none",
                    "--home",
                    str(self.home),
                    "--volume",
                    f"{database}:/opt/airflow/database",
                ),
                *(word for name, value in variables for word in ("--env", f"{name}={value}")),
                *("--", *words),
            ],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        sys.stderr.write("\n".join((self.stack, *words, done.stdout[-2000:], done.stderr[-2000:])))
        return done.returncode

    def is_at_home(self, database: Path) -> bool:
        """Ask its Airflow whether the database is where its code expects it."""
        return self.run(database, "airflow", "db", "check-migrations", "-t", "1") == 0


@pytest.fixture
def images(
    build_stack: Build, kubler: Kubler, schemas: Mapping[str, tuple[Schema, ...]], tmp_path: Path
) -> tuple[Image, ...]:
    """Airflow 2.9.2, 3.2.1 and 3.3.2: the one between is of a project made for this."""
    require_root("runc needs it")
    require_tool("runc")
    project = tmp_path / "between"
    kubler("init", project, "--airflow", "3.2.1")
    definition = project / "stacks/core/stack.toml"
    definition.write_text(definition.read_text().replace('"linux/amd64", "linux/arm64"', f'"{_host()}"'))
    (project / "locks").mkdir()
    (project / "locks/base.trixie.toml").write_bytes((ROOT / "locks/base.trixie.toml").read_bytes())
    for words in (("lock", "core"), ("fetch", "core")):
        subprocess.run([sys.executable, "-m", "builder", "--project", project, *words], cwd=ROOT, check=True)
    lock = parse_stack_lock((project / "locks/pylock.core.toml").read_bytes(), file="locks/pylock.core.toml")
    build_stack("legacy", "zstd")
    build_stack("core", "zstd")
    between = schemas_of(lock, platform_of_machine(os.uname().machine))
    return (
        Image(project=ROOT, stack="legacy", home=tmp_path / "home-2.9", schemas=schemas["legacy"]),
        Image(project=project, stack="core", home=tmp_path / "home-3.2", schemas=between),
        Image(project=ROOT, stack="core", home=tmp_path / "home-3.3", schemas=schemas["core"]),
    )


def _host() -> str:
    return platform_of_machine(os.uname().machine).name


def heads_in(database: Path) -> dict[str, tuple[str, ...]]:
    """Read the version tables of a database."""
    with sqlite3.connect(database / "airflow.db") as connection:
        tables = connection.execute("SELECT name FROM sqlite_master WHERE name LIKE 'alembic_version%'").fetchall()
        return {
            table: tuple(sorted(row[0] for row in connection.execute(f"SELECT version_num FROM {table}")))
            for (table,) in sorted(tables)
        }


def expected(image: Image) -> dict[str, tuple[str, ...]]:
    return {schema.version_table: schema.heads for schema in image.schemas}


@pytest.mark.tools
@pytest.mark.slow
def test_classes_and_steps_agree_with_what_airflow_does_to_a_database(
    images: tuple[Image, ...], tmp_path: Path
) -> None:
    database = tmp_path / "db"
    database.mkdir()
    os.chown(database, 50_000, 0)
    oldest, between, newest = images
    assert oldest.run(database, "airflow", "db", "migrate") == 0
    assert heads_in(database) == expected(oldest)
    for before, after in ((oldest, between), (between, newest)):
        assert take(before, after, database) is Danger.MIGRATION
        assert heads_in(database) == expected(after)
    assert newest.is_at_home(database)
    older = with_older_provider(newest)
    assert take(newest, older, database) is Danger.BACKUP
    assert heads_in(database) == expected(older)
    assert take(older, newest, database) is Danger.MIGRATION
    assert heads_in(database) == expected(newest)
    for before, after in ((newest, between), (between, oldest)):
        assert not after.is_at_home(database)
        assert take(before, after, database) is Danger.BACKUP
        found = heads_in(database)
        assert {table: found[table] for table in expected(after)} == expected(after)
    assert oldest.is_at_home(database)
    # What nothing reads any more stays.
    assert set(heads_in(database)) - set(expected(oldest)) == {"alembic_version_fab"}


def with_older_provider(image: Image) -> Image:
    """Make believe that an image's provider has only its first migration."""
    core, fab = image.schemas
    assert fab.history is not None
    first = next(one for one in fab.history.revisions.values() if not one.down)
    history = replace(fab.history, revisions={first.id: first})
    return replace(image, schemas=(core, replace(fab, heads=history.heads, history=history)))


def take(before: Image, after: Image, database: Path) -> Danger:
    """Carry out what is advised for a move, as it stands there; gives its class."""
    move = classify(before.schemas, after.schemas)
    steps = [step for step in advise(move, before="before", after="after") if step.command]
    assert steps
    for step in steps:
        image = {"before": before, "after": after}[step.image]
        assert image.run(database, *step.command, environment=step.environment) == 0
    return move.danger
