"""Made-up migrations: files of a wheel, histories by a few letters."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence

from builder.migrations.history import CORE_TABLE, History, Revision
from builder.migrations.move import Schema

CORE_ENV = "from alembic import context\nfrom airflow import settings\ncontext.configure(url=1)\n"
MANAGER_ENV = """
from alembic import context
from airflow import settings
from acme_plugin.db import AcmeDBManager as Manager

version_table = Manager.version_table_name

def run():
    context.configure(url=1, version_table=version_table)
"""
MANAGER = """
from airflow.utils.db_manager import BaseDBManager

class AcmeDBManager(BaseDBManager):
    version_table_name = "alembic_version_acme"
"""


def migration(revision: str, down: object = None, *, title: str = "", more: str = "") -> str:
    """Write a migration file."""
    return (
        f'"""\n{title or f"Do {revision}."}\n\nRevision ID: {revision}\n"""\n\nfrom alembic import op\n\n'
        f"revision = {revision!r}\ndown_revision = {down!r}\nbranch_labels = None\ndepends_on = None\n{more}\n\n"
        "def upgrade():\n    op.add_column()\n\n\ndef downgrade():\n    op.drop_column()\n"
    )


def zipped(files: Mapping[str, str]) -> bytes:
    """Pack files as a wheel is packed."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return stream.getvalue()


def core_files(*revisions: str) -> dict[str, str]:
    """Write the migrations of a core: one after the other."""
    downs = (None, *revisions)
    files = {
        f"airflow/migrations/versions/{number:04}_3_0_0_x.py": migration(revision, downs[number])
        for number, revision in enumerate(revisions)
    }
    return {
        "airflow/migrations/__init__.py": "",
        "airflow/migrations/env.py": CORE_ENV,
        "airflow/migrations/versions/__init__.py": "",
        **files,
    }


def history(text: str, *, table: str = CORE_TABLE) -> History:
    """Make a history of a text as `a b:a c:a,b`: revisions, each with those that it comes after."""
    found = {}
    for word in text.split():
        name, _, down = word.partition(":")
        found[name] = Revision(id=name, down=tuple(down.split(",")) if down else ())
    return History(owner="core", version_table=table, revisions=found)


def schema(text: str, *, table: str = CORE_TABLE, heads: Sequence[str] | None = None, manager: str = "") -> Schema:
    """Make what an image expects that knows this history; other heads where they are given."""
    made = history(text, table=table)
    return Schema(
        owner="core" if table == CORE_TABLE else table,
        version_table=table,
        heads=made.heads if heads is None else tuple(heads),
        history=made if text else None,
        manager=manager,
    )
