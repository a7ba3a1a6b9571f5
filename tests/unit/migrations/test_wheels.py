"""Which migrations a wheel brings for Airflow's database."""

import io
import zipfile

import pytest

from builder.digest import Digest
from builder.errors import IntegrityError
from builder.ledger.parts import Revisions
from builder.migrations.history import parse_history
from builder.migrations.wheels import may_hold_migrations, read_revisions
from tests.support.migrations import CORE_ENV, MANAGER, MANAGER_ENV, core_files, migration, zipped

PLUGIN = {
    "acme_plugin/migrations/env.py": MANAGER_ENV,
    "acme_plugin/migrations/versions/0001_x.py": migration("a1"),
    "acme_plugin/migrations/versions/0002_x.py": migration("a2", "a1"),
    "acme_plugin/db.py": MANAGER,
}


def read(files: dict[str, str], project: str = "acme-plugin") -> list[Revisions]:
    return [revisions for revisions, _ in read_revisions(project, zipped(files))]


def test_the_migrations_of_core_are_its_own_table() -> None:
    ((found, document),) = read_revisions("apache-airflow-core", zipped(core_files("r1", "r2", "r3")))
    assert found == Revisions(
        owner="apache-airflow-core",
        version_table="alembic_version",
        heads=("r3",),
        history=str(Digest.of(document)),
    )
    history = parse_history(document, context="")
    assert {name: revision.down for name, revision in history.revisions.items()} == {
        "r1": (),
        "r2": ("r1",),
        "r3": ("r2",),
    }


def test_a_database_manager_names_table_and_path() -> None:
    (found,) = read(PLUGIN)
    assert (found.owner, found.version_table, found.heads) == ("acme-plugin", "alembic_version_acme", ("a2",))
    assert found.manager == "acme_plugin.db.AcmeDBManager"


def test_a_manager_is_followed_through_imports() -> None:
    moved = {
        **PLUGIN,
        "acme_plugin/db.py": "from acme_plugin.deep import AcmeDBManager\n",
        "acme_plugin/deep/__init__.py": MANAGER,
    }
    (found,) = read(moved)
    assert (found.version_table, found.manager) == ("alembic_version_acme", "acme_plugin.deep.AcmeDBManager")


def test_a_table_may_be_named_in_the_environment_itself() -> None:
    environment = "import airflow.settings\nT = 'acme_table'\nname = T\ncontext.configure(version_table=name)\n"
    (found,) = read({**PLUGIN, "acme_plugin/migrations/env.py": environment})
    assert (found.version_table, found.manager) == ("acme_table", "")


@pytest.mark.parametrize(
    "environment",
    [
        "from alembic import context\ncontext.configure(url=1)\n",
        "from alembic import context\ncontext.configure(version_table='mlflow_version')\n",
        CORE_ENV,
        "from airflow import settings\ncontext.configure(version_table='alembic_version')\n",
        "from airflow import settings\ncontext.configure(version_table=make())\n",
        "from airflow import settings\nfrom elsewhere import Manager\ncontext.configure(version_table=Manager.name)\n",
        "from airflow import settings\na = b\nb = a\ncontext.configure(version_table=a)\n",
        "not python",
    ],
    ids=["other-database", "other-table", "default-table", "core-table", "computed", "foreign", "circle", "broken"],
)
def test_migrations_of_other_databases_are_left_alone(environment: str) -> None:
    assert read({**PLUGIN, "acme_plugin/migrations/env.py": environment}) == []


@pytest.mark.parametrize(
    "more",
    [
        {"0003_x.py": "revision = make()\n"},
        {"0003_x.py": "revision = (\n"},
        {"0003_x.py": migration("a2", "a1")},
        {"0003_x.py": migration("a3", "gone")},
        {"0003_x.py": migration("a3", "a4"), "0004_x.py": migration("a4", "a3")},
        {"0003_x.py": f"revision = 'a3'\n# {'x' * (5 << 20)}\n"},
    ],
    ids=["computed", "broken", "twice", "leads-nowhere", "circle", "huge"],
)
def test_what_cannot_be_known_is_told_as_unknown(more: dict[str, str]) -> None:
    files = {**PLUGIN, **{f"acme_plugin/migrations/versions/{name}": text for name, text in more.items()}}
    ((found, document),) = read_revisions("acme-plugin", zipped(files))
    assert (found.owner, found.version_table, found.heads, found.history) == (
        "acme-plugin",
        "alembic_version_acme",
        (),
        "",
    )
    assert document == b""


def test_files_that_alembic_does_not_read_are_none() -> None:
    more = {
        "acme_plugin/migrations/versions/__init__.py": migration("x"),
        "acme_plugin/migrations/versions/.#0009_x.py": migration("x"),
        "acme_plugin/migrations/versions/notes.txt": "x",
        "acme_plugin/migrations/versions/old/0001_x.py": migration("x"),
        "acme_plugin/api/versions/0001_x.py": migration("x"),
    }
    (found,) = read({**PLUGIN, **more})
    assert found.heads == ("a2",)


def test_a_wheel_with_two_schemas_gives_both_by_table() -> None:
    files = {**core_files("r1"), **PLUGIN}
    assert [found.version_table for found in read(files)] == ["alembic_version", "alembic_version_acme"]


def test_the_directory_of_a_wheel_tells_whether_it_is_worth_reading() -> None:
    assert may_hold_migrations(zipped(PLUGIN))
    assert not may_hold_migrations(zipped({"openai/resources/skills/versions/__init__.py": ""}))


@pytest.mark.parametrize("data", [b"", b"PK\x05\x06", zipped(PLUGIN)[:-30]])
def test_what_is_no_wheel_is_told(data: bytes) -> None:
    with pytest.raises(IntegrityError, match="acme-plugin: is no wheel"):
        read_revisions("acme-plugin", data)


def test_a_damaged_entry_is_told() -> None:
    data = zipped(PLUGIN)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        offset = archive.getinfo("acme_plugin/migrations/versions/0001_x.py").header_offset
    at = offset + 30 + len("acme_plugin/migrations/versions/0001_x.py") + 4
    bent = data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :]
    with pytest.raises(IntegrityError, match="acme-plugin: is no wheel"):
        read_revisions("acme-plugin", bent)
