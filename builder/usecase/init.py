"""Start a folder of stacks: one stack, the shipped bases, rules of channels and licences, and what git must leave out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from builder.errors import StackError
from builder.project import create_files, shipped_bases, shipped_channels, shipped_licences
from builder.stack.names import check_name, nearest
from builder.stack.reader import check_version

DEFAULT_AIRFLOW_VERSION = "3.3.2"
DEFAULT_BASE = "trixie"

_STACK = """\
description = "Airflow with what our deployments need"
owners = []                          # who answers for it, as ["team:data-platform"]
# extends = "other-stack"            # a parent: its lock binds this one, its layers are shared

[airflow]
version = "{airflow_version}"
constraints = "none"                 # or the path of a constraints file beside this one

[base]
name = "{base}"                      # a file of stacks/bases/

[plugins]
requirements = [
    "apache-airflow-providers-standard",
    "apache-airflow-providers-fab",
]

[image]
platforms = ["linux/amd64", "linux/arm64"]
"""

_STACK_README = """\
# {stack}

What this stack is for, who owns it, and what its users should know.
"""

_README = """\
# Airflow stacks

Each folder of `stacks/` says what an Airflow image holds. Its lock in `locks/` pins every file of it by hash, and the
image is made from the lock alone.

    airflow-kubler lock {stack}
    airflow-kubler fetch {stack}
    airflow-kubler build {stack}
    airflow-kubler run {stack} -- airflow version

Commit `stacks/` and `locks/`. To add a stack, add `stacks/<name>/stack.toml` with `extends = "{stack}"` and the plugins it
adds, then lock it.
"""

_GITIGNORE = """\
# Files that locks name; `airflow-kubler fetch` brings them.
/locks/files/
/locks/.*
# Images; `airflow-kubler build` makes them.
/build/
"""


def make_scaffold(*, stack: str, base: str, airflow_version: str, bases: Mapping[str, bytes]) -> Mapping[str, bytes]:
    """Make the files of a new project, by relative path, sorted.

    Raises:
        StackError: the name cannot be a stack's, the base is not among the bases, or the version is none.
    """
    problem = check_name(stack, context="--stack")
    if problem:
        raise problem
    if base not in bases:
        raise StackError(f"no base {base!r}", context="--base", hint=nearest(base, bases, "base"))
    wrong, way_out = check_version(airflow_version)
    if wrong:
        raise StackError(wrong, context="--airflow", hint=way_out)
    texts = {
        ".gitignore": _GITIGNORE,
        "README.md": _README.format(stack=stack),
        f"stacks/{stack}/README.md": _STACK_README.format(stack=stack),
        f"stacks/{stack}/stack.toml": _STACK.format(airflow_version=airflow_version, base=base),
    }
    files = {path: text.encode() for path, text in texts.items()}
    files |= {f"stacks/bases/{name}.toml": data for name, data in bases.items()}
    files["stacks/channels.toml"] = shipped_channels()
    files["stacks/licences.toml"] = shipped_licences()
    return dict(sorted(files.items()))


def init_project(folder: Path, *, stack: str, base: str, airflow_version: str) -> tuple[str, ...]:
    """Start a project in a folder, new or not; nothing there is overwritten.

    Returns:
        The paths written, relative to the folder, sorted.
    """
    files = make_scaffold(stack=stack, base=base, airflow_version=airflow_version, bases=shipped_bases())
    create_files(folder, files)
    return tuple(files)
