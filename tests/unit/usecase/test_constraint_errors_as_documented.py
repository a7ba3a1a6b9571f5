"""Every error of constraints and of the hard pin stands in docs/locks.md as a user sees it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from builder.cli.root import render_error
from builder.errors import BuilderError
from builder.lock.pylock import dump_stack_lock, parse_stack_lock
from builder.project import Project, create_files, open_project, shipped_bases
from builder.resolve.constraints import demands_from
from builder.resolve.constraints import tested_versions as pinned  # pytest takes its own name for a test
from builder.stack.graph import effective_stack
from builder.store.files import DirectoryFileStore
from builder.usecase.constraints import ConstraintSource, ensure_constraints
from tests.support.stack_locks import make_candidate, make_lock

PAGE = (Path(__file__).parents[3] / "docs/locks.md").read_text(encoding="utf-8")
FILE = "stacks/finance/constraints.txt"
STACK = b'description = "x"\n[airflow]\nversion = "3.3.2"\nconstraints = "official"\n[base]\nname = "trixie"\n'
PUBLISHED = {"3.10", "3.11", "3.12"}


def _project(folder: Path) -> Project:
    files = {f"stacks/bases/{name}.toml": data for name, data in shipped_bases().items()}
    create_files(folder, {"stacks/finance/stack.toml": STACK, **files})
    return open_project(folder)


def _read_moved(folder: Path, project: str, version: str, tested: str | None) -> None:
    del folder
    data = dump_stack_lock(make_lock(make_candidate(project, version, tested=tested)))
    parse_stack_lock(data, file="locks/pylock.finance.toml")


def _require_airflow(folder: Path) -> None:
    project = _project(folder)
    path = project.root / "stacks/finance/requirements.in"
    path.write_text("apache-airflow[amazon]==3.4.0\n", encoding="utf-8")
    effective_stack(project.load_stacks(), "finance")


def _other_airflow(folder: Path) -> None:
    stack = effective_stack(_project(folder).load_stacks(), "finance")
    demands_from(stack, pinned(b"apache-airflow==2.10.5\n", {}, file=FILE), file=FILE)


def _fetch(folder: Path, *, offline: bool) -> None:
    project = _project(folder)
    source = ConstraintSource(
        official="{ref}/{py}",
        fetch=lambda url: b"a==1\n" if url.rpartition("/")[2] in PUBLISHED else None,
        offline=offline,
    )
    stack = effective_stack(project.load_stacks(), "finance")
    ensure_constraints(project, stack, source, DirectoryFileStore(folder / "cache"))


ERRORS: dict[str, Callable[[Path], object]] = {
    "moved": lambda folder: _read_moved(folder, "apache-airflow-core", "3.4.0", None),
    "required": _require_airflow,
    "undiverged": lambda folder: _read_moved(folder, "protobuf", "5.29.1", "4.25.3"),
    "other-airflow": _other_airflow,
    "no-pin": lambda _: pinned(b"a==1\nprotobuf>=4\n", {}, file=FILE),
    "no-set": lambda folder: _fetch(folder, offline=False),
    "offline": lambda folder: _fetch(folder, offline=True),
}


@pytest.mark.parametrize("name", list(ERRORS))
def test_errors_of_constraints_read_as_the_page_shows_them(name: str, tmp_path: Path) -> None:
    with pytest.raises(BuilderError) as caught:
        ERRORS[name](tmp_path)
    block = f"```text\n{render_error(caught.value)}\n```"
    assert block in PAGE, f"docs/locks.md does not show:\n{block}"
