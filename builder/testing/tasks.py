"""What is started in a container: the tests of a stack's folders. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import PurePosixPath
from typing import Any, Final

from builder.errors import StackError
from builder.stack.names import nearest
from builder.testing.inside import RESULT
from builder.testing.settings import FILE, Service, Settings

INSIDE: Final = "/opt/airflow/.check"
"""Where all that a check brings along is seen: below AIRFLOW_HOME, where every engine can mount on a read-only root."""
DRIVER: Final = "inside.py"
SPEC: Final = "spec.json"
PYTEST: Final = "pytest"
"""The folder of the pytest that is brought along."""
_PYTEST_PROGRAM: Final = f"""
import os, sys
# Last in the path: what the image itself has comes first, so that tests meet what is shipped.
sys.path.pop(0)
sys.path.append("{INSIDE}/{PYTEST}")
import pytest
sys.exit(pytest.main([*sys.argv[1:], "--junitxml", os.environ["{RESULT}"]]))
"""


class Kind(StrEnum):
    """How the answer of a task is read."""

    STATUS = "status"
    """By the exit status: one test."""
    PYTEST = "pytest"
    """By pytest's JUnit file: a test for each in there."""
    PROVIDERS = "providers"
    """By what inside_providers.py writes: a test for each provider."""
    BUDGET = "budget"
    """By the exit status and the shortest of several times."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A program that runs in the container."""

    name: str
    kind: Kind
    argv: tuple[str, ...]
    timeout_s: int
    env: tuple[tuple[str, str], ...] = ()
    tries: int = 1
    memory_bytes: int = 0
    """Most that each process may have; 0 for no limit."""
    alone: bool = False
    """Nothing else runs beside it."""
    budget_s: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TestFolder:
    """The folder of tests of a stack, or of a parent of it."""

    stack: str
    paths: tuple[str, ...]
    """Of all files, relative."""
    settings: Settings


def find_tests(paths: Iterable[str]) -> tuple[str, ...]:
    """Choose the files that are tests: `test_*.py` at any depth, `*.sh` at the top; others are what these use.

    >>> find_tests(["b.sh", "lib/c.sh", "lib/test_d.py", "conftest.py", ".test_e.py", "tests.toml"])
    ('b.sh', 'lib/test_d.py')
    """

    def is_test(path: PurePosixPath) -> bool:
        if any(part.startswith((".", "__")) for part in path.parts):
            return False
        return path.match("test_*.py") or (path.suffix == ".sh" and len(path.parts) == 1)

    return tuple(sorted(path for path in paths if is_test(PurePosixPath(path))))


def stack_tasks(folders: Sequence[TestFolder], settings: Settings) -> tuple[Task, ...]:
    """Make the tasks of the suite `stack`.

    Args:
        folders: the outermost parent's first.
        settings: with those of parents applied.

    Raises:
        StackError: a tests.toml speaks of a file that is no test.
    """
    return tuple(task for folder in folders for task in _folder_tasks(folder, settings.memory_bytes or 0))


def _folder_tasks(folder: TestFolder, memory_bytes: int) -> Iterable[Task]:
    tests = find_tests(folder.paths)
    for name, _ in folder.settings.file_timeouts:
        if name not in tests:
            where = f"stacks/{folder.stack}/tests/{FILE}: files"
            raise StackError(f"no test {name!r}", context=where, hint=nearest(name, tests, "file"))
    for path in tests:
        place = f"{INSIDE}/tests/{folder.stack}"
        shell = path.endswith(".sh")
        options = ("-q", "-p", "no:cacheprovider", "--rootdir", place, "--color=no")
        yield Task(
            name=f"{folder.stack}/{path}",
            kind=Kind.STATUS if shell else Kind.PYTEST,
            argv=("bash", f"{place}/{path}")
            if shell
            else ("python", "-c", _PYTEST_PROGRAM, *options, f"{place}/{path}"),
            # Plugins that happen to be in the image change nothing; a conftest.py names those that a team wants.
            env=() if shell else (("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1"), ("PYTHONDONTWRITEBYTECODE", "1")),
            timeout_s=folder.settings.file_timeout_s(path),
            memory_bytes=memory_bytes,
        )


def dump_spec(tasks: Sequence[Task], services: Sequence[Service], jobs: int) -> dict[str, Any]:
    """Make what inside.py reads, as JSON."""
    return {
        "jobs": jobs,
        "services": [asdict(service) for service in services],
        "tasks": [asdict(task) | {"env": dict(task.env)} for task in tasks],
    }


def longest_s(tasks: Sequence[Task], services: Sequence[Service]) -> int:
    """Give how long all may take in the worst case, with a minute for the container itself."""
    ending_s = 15
    return (
        60
        + sum(task.tries * (task.timeout_s + ending_s) for task in tasks)
        + sum(service.timeout_s + ending_s for service in services)
    )
