"""Find the migrations of Airflow's metadata database that a wheel brings: Airflow's own, and those of database managers.

- A folder of migrations is an environment of Alembic: `env.py` beside `versions/`.
- Airflow's own is `airflow/migrations`. Another counts where its environment imports Airflow, and so works on Airflow's database,
  under a version table of its own; tools that bring migrations for databases of theirs do neither.
- The version table is what the environment gives to `context.configure`; most often it is the attribute `version_table_name` of a
  database manager in the same wheel, whose path is kept: `airflow db-manager` takes it.
- What would have to be run to be known is told as unknown: an owner without heads.
"""

from __future__ import annotations

import ast
import io
import posixpath
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import msgspec

from builder.digest import Digest
from builder.errors import IntegrityError
from builder.ledger.parts import Revisions
from builder.migrations.history import CORE_TABLE, History, Revision, dump_history
from builder.migrations.source import module_values, parse_module, read_revision, text_of

CORE_FOLDER: Final = "airflow/migrations"
_MOST_ENTRY_BYTES: Final = 4 << 20
"""Of one file; Airflow's largest has 40 kB."""
_MOST_STEPS: Final = 5
"""How far a name is followed."""
_NO_MIGRATION: Final = ("__init__", ".#")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Table:
    """The version table of an environment."""

    name: str
    manager: str = ""
    """Path of the database manager's class, where the name comes from one."""


class _Wheel:
    """An open wheel."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self.files = {entry.filename: entry for entry in archive.infolist()}

    def read(self, name: str) -> bytes:
        """Read a file; raises IntegrityError where it is not there, or too large to be a migration."""
        entry = self.files.get(name)
        if entry is None:
            raise IntegrityError("is not there", context=name)
        if entry.file_size > _MOST_ENTRY_BYTES:
            raise IntegrityError(f"{entry.file_size} bytes", context=name)
        return self._archive.read(entry)

    def parse(self, name: str) -> ast.Module:
        """Parse a module; raises IntegrityError where it is none."""
        return parse_module(self.read(name), context=name)

    def version_files(self, folder: str) -> tuple[str, ...]:
        """List the files that Alembic takes for migrations, sorted."""
        prefix = f"{folder}/versions/"
        names = (name.removeprefix(prefix) for name in self.files if name.startswith(prefix) and name.endswith(".py"))
        return tuple(sorted(prefix + name for name in names if "/" not in name and not name.startswith(_NO_MIGRATION)))

    def folders(self) -> tuple[str, ...]:
        """List the folders that hold `env.py` and `versions/`, sorted."""
        environments = {posixpath.dirname(name) for name in self.files if posixpath.basename(name) == "env.py"}
        return tuple(sorted(folder for folder in environments if self.version_files(folder)))


def may_hold_migrations(names: bytes) -> bool:
    """Tell from the bytes of a wheel's central directory whether it is worth reading."""
    return b"/versions/" in names and b"/env.py" in names


def read_revisions(project: str, wheel: bytes) -> tuple[tuple[Revisions, bytes], ...]:
    """Read the schemas that a wheel brings migrations for, each with the document of its history, by version table.

    Args:
        project: of the wheel, as `apache-airflow-core`.
        wheel: its bytes, of the right hash.

    Raises:
        IntegrityError: it is no wheel.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(wheel)) as archive:
            opened = _Wheel(archive)
            tables = ((folder, _version_table(opened, folder)) for folder in opened.folders())
            found = [_read_folder(project, opened, folder, table) for folder, table in tables if table]
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError) as error:
        raise IntegrityError(f"is no wheel: {error}", context=project) from error
    return tuple(sorted(found, key=lambda pair: pair[0].version_table))


def _read_folder(project: str, wheel: _Wheel, folder: str, table: _Table) -> tuple[Revisions, bytes]:
    unknown = Revisions(owner=project, version_table=table.name, heads=(), manager=table.manager)
    try:
        history = History(owner=project, version_table=table.name, revisions=_read_files(wheel, folder))
    except IntegrityError:
        return unknown, b""
    if history.missing() or history.is_circular():
        return unknown, b""
    document = dump_history(history)
    return msgspec.structs.replace(unknown, heads=history.heads, history=str(Digest.of(document))), document


def _read_files(wheel: _Wheel, folder: str) -> Mapping[str, Revision]:
    """Read all revisions of a folder; raises IntegrityError where one cannot be known, or there are two of one name."""
    found: dict[str, Revision] = {}
    for name in wheel.version_files(folder):
        revision = read_revision(wheel.read(name), context=name)
        if revision is not None and found.setdefault(revision.id, revision) is not revision:
            raise IntegrityError(f"another file has revision {revision.id}", context=name)
    return found


def _version_table(wheel: _Wheel, folder: str) -> _Table | None:
    """Find the version table of an environment; None where it is not of Airflow's database."""
    if folder == CORE_FOLDER:
        return _Table(name=CORE_TABLE)
    try:
        environment = wheel.parse(f"{folder}/env.py")
        if not any(module.partition(".")[0] == "airflow" for module in _imported_modules(environment)):
            return None
        tables = (_resolve(wheel, environment, given) for given in _given_tables(environment))
        return next((table for table in tables if table and table.name != CORE_TABLE), None)
    except IntegrityError:
        return None


def _given_tables(environment: ast.Module) -> Iterator[ast.expr]:
    """Iterate over what an environment gives as version table to `context.configure`."""
    for node in ast.walk(environment):
        match node:
            case ast.Call(func=ast.Attribute(attr="configure"), keywords=keywords):
                yield from (keyword.value for keyword in keywords if keyword.arg == "version_table")


def _resolve(wheel: _Wheel, module: ast.Module, given: ast.expr | None) -> _Table | None:
    """Follow an expression to a text: through names of its module, to an attribute of a class of the wheel."""
    for _ in range(_MOST_STEPS):
        match given:
            case ast.Constant(value=str(name)):
                return _Table(name=name)
            case ast.Name(id=name):
                given = module_values(module).get(name)
            case ast.Attribute(value=ast.Name(id=name), attr=attribute):
                return _resolve_class(wheel, module, name, attribute)
            case _:
                return None
    return None


def _resolve_class(wheel: _Wheel, module: ast.Module, name: str, attribute: str) -> _Table | None:
    """Follow a class through imports to where it is defined, within the wheel."""
    path = ""
    for _ in range(_MOST_STEPS):
        for statement in module.body:
            if isinstance(statement, ast.ClassDef) and statement.name == name:
                text = text_of(module_values(statement).get(attribute))
                return _Table(name=text, manager=f"{path}.{name}" if path else "") if text else None
        imported = _imported_names(module).get(name)
        if imported is None:
            return None
        path, name = imported
        file = path.replace(".", "/")
        module = wheel.parse(f"{file}.py" if f"{file}.py" in wheel.files else f"{file}/__init__.py")
    return None


def _imported_modules(module: ast.Module) -> Iterator[str]:
    for node in ast.walk(module):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=str(name), level=0):
                yield name


def _imported_names(module: ast.Module) -> Mapping[str, tuple[str, str]]:
    """List the names that a module imports from others: module and name there."""
    return {
        alias.asname or alias.name: (node.module, alias.name)
        for node in ast.walk(module)
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0
        for alias in node.names
    }
