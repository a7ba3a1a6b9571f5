"""A project whose night has all that may happen to stacks: they come out, fail, are held."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.index_project import IndexProject, make_index_project
from tests.support.index_server import Index, Said, serve

GOOD = ("child", "finance", "other")
"""Stacks whose images are made."""
_CHILDREN = {
    "broken": ("finance", "nowhere"),
    "child": ("finance", "gamma"),
    "heir": ("broken", "gamma"),
    "other": ("finance", "beta"),
}
"""Stack to its parent and what it asks for; `nowhere` is on no index."""


@contextmanager
def serve_night_index() -> Iterator[Index]:
    """Serve what the stacks ask for."""
    made = Index()
    for project, version, *requires in (("apache-airflow", "3.3.2"), ("alpha", "1.0", "beta"), ("beta", "1.0")):
        made.offer(project, version, *requires, said=Said(metadata=True))
    made.offer("gamma", "1.0", said=Said(metadata=True))
    with serve(made) as served:
        yield served


def make_night_project(root: Path, index: Index, cache: Mapping[str, str]) -> IndexProject:
    """Make a parent with three children, one of which cannot be locked and has a child, and a ledger.

    Args:
        root: a folder that is not there.
        index: what is asked.
        cache: the variable that names a cache in which the base is built.
    """
    root.mkdir()
    project = make_index_project(root, [("default", index)]).with_settings(**cache)
    project.ask_for("alpha")
    (project.folder / "stacks/nightly.toml").write_text("[nightly]\nbases = false\ntests = false\n")
    for name, (parent, requirement) in _CHILDREN.items():
        path = project.folder / "stacks" / name / "stack.toml"
        path.parent.mkdir()
        path.write_text(f'description = "Made up"\nextends = "{parent}"\n[plugins]\nrequirements = ["{requirement}"]\n')
    project.run("ledger", "init")
    return project


def built_indexes(project: IndexProject) -> dict[str, Any]:
    """Read the index of each image that was made: its digests."""
    return {name: json.loads((project.folder / f"build/{name}/index.json").read_bytes()) for name in GOOD}
