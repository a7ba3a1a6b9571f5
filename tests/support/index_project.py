"""A project locked by the command line against indexes of a test's own: no settings of the user's, no network."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import zstandard

from builder.lock.model import StackLock
from builder.lock.pylock import parse_stack_lock
from tests.support.index_server import Index
from tests.support.tools import ROOT

STACK = "finance"
_STACK_TOML = """\
description = "Made up"
owners = ["team:finance"]
[airflow]
version = "3.3.2"
constraints = "none"
[base]
name = "trixie"
[plugins]
requirements = {requirements}
[image]
platforms = ["linux/amd64"]
{more}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a command said."""

    status: int
    stdout: str
    stderr: str

    @property
    def text(self) -> str:
        """All of it."""
        return self.stdout + self.stderr

    @property
    def flat(self) -> str:
        """All of it on one line."""
        return " ".join(self.text.split())


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexProject:
    """A folder with one stack, its base locked, and a cache of its own."""

    folder: Path
    home: Path
    """Holds the cache and all that a user has."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """Of the environment: where the indexes are, and whatever else a test wants."""

    @property
    def cache(self) -> Path:
        """Where the user's cache lies."""
        return self.home / "cache"

    @property
    def lock_path(self) -> Path:
        """The stack's lock."""
        return self.folder / f"locks/pylock.{STACK}.toml"

    @property
    def lock(self) -> StackLock:
        """The stack's lock, read."""
        return parse_stack_lock(self.lock_path.read_bytes(), file=STACK)

    def versions(self) -> dict[str, str]:
        """Versions of the lock, by project, without Airflow's."""
        found = {candidate.project: candidate.version for candidate in self.lock.candidates}
        return {project: version for project, version in found.items() if project != "apache-airflow"}

    def ask_for(self, *requirements: str, rules: str = "", indexes: str = "") -> None:
        """Write the stack, tables behind its own, and what holds for indexes."""
        path = self.folder / "stacks" / STACK / "stack.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_STACK_TOML.format(requirements=json.dumps(requirements), more=rules))
        if indexes:
            (self.folder / "stacks/indexes.toml").write_text(indexes)

    def with_settings(self, **settings: str) -> IndexProject:
        """Run in another environment."""
        return replace(self, settings={**self.settings, **settings})

    def with_home(self, home: Path) -> IndexProject:
        """Run as a user whose cache is empty."""
        home.mkdir(parents=True, exist_ok=True)
        return replace(self, home=home)

    def run(self, *arguments: str | Path, status: int = 0) -> Said:
        """Run the command line as a process of its own; another exit status fails the test."""
        done = subprocess.run(
            self.argv(*arguments),
            env=self.environment(),
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        said = Said(status=done.returncode, stdout=done.stdout, stderr=done.stderr)
        assert done.returncode == status, f"{arguments}: {done.returncode}\n{said.text[-4000:]}"
        return said

    def relock(self, *arguments: str) -> bytes:
        """Lock; returns the lock's bytes."""
        self.run("lock", STACK, *arguments)
        return self.lock_path.read_bytes()

    def snapshots(self) -> list[Any]:
        """List snapshots."""
        found: list[Any] = json.loads(self.run("snapshot", "ls", "--json").stdout)
        return found

    def files(self) -> Iterable[Path]:
        """List all files of the project and the user."""
        return (path for root in (self.folder, self.home) for path in root.rglob("*") if path.is_file())

    def holders(self, secret: bytes) -> list[Path]:
        """List files that hold some bytes; what a database keeps compressed is looked at, too."""
        return [path for path in self.files() if secret in path.read_bytes() or secret in _unpacked(path)]

    def argv(self, *arguments: str | Path) -> list[str]:
        """Name a command in this project."""
        return [sys.executable, "-m", "builder", "--project", str(self.folder), *map(str, arguments)]

    def environment(self) -> dict[str, str]:
        """Make what commands see."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "AIRFLOW_KUBLER_CACHE": str(self.cache),
            "XDG_CONFIG_DIRS": str(self.home / "none"),
            "PIP_CONFIG_FILE": os.devnull,
            **self.settings,
        }


def _unpacked(path: Path) -> bytes:
    """Read all values of a database, decompressed; nothing of another file."""
    if path.suffix != ".db":
        return b""
    with closing(sqlite3.connect(path)) as database:
        tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        rows = [row for table in tables for row in database.execute(f'SELECT * FROM "{table}"')]
    return b"\n".join(_unpack(value) for row in rows for value in row if isinstance(value, bytes | str))


def _unpack(value: bytes | str) -> bytes:
    data = value.encode() if isinstance(value, str) else value
    return zstandard.ZstdDecompressor().decompress(data) if data.startswith(zstandard.FRAME_HEADER) else data


def make_index_project(root: Path, indexes: Sequence[tuple[str, Index]]) -> IndexProject:
    """Write a project without stacks, over the shipped base as it is locked.

    Args:
        root: the folder for all of it.
        indexes: served ones by name, in order of priority; the last one is the default.
    """
    folder, home = root / "project", root / "home"
    (folder / "stacks/bases").mkdir(parents=True)
    (folder / "locks").mkdir()
    home.mkdir()
    shutil.copy(ROOT / "stacks/bases/trixie.toml", folder / "stacks/bases")
    shutil.copy(ROOT / "locks/base.trixie.toml", folder / "locks")
    *extra, (_, default) = indexes
    settings = {"UV_DEFAULT_INDEX": default.simple}
    if extra:
        settings["UV_INDEX"] = " ".join(f"{name}={index.simple}" for name, index in extra)
    return IndexProject(folder=folder, home=home, settings=settings)
