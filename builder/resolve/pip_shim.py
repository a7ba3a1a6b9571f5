"""pip-compile for another Python and platform than the ones that run it: a program of its own, which pip_tools.py starts.

pip-compile has no option for a target. Three places of pip decide what is resolved for, and they are set here:
1. the finder's TargetPython: tags of wheels, and Requires-Python on the index's pages;
2. the resolver's Python: Requires-Python of metadata;
3. packaging's default environment: markers.
One place of pip-tools decides what becomes of preferences that stand in the way (`_let_preferences_yield`).

These are insides, so pip_tools.py refuses versions that were not tried. pip's own `pip lock` and `--dry-run --report` take
a target, but for tags and Python's version only: they judge markers by the Python that runs them, and they know no preferences.

Reads one JSON object from stdin: `arguments` of pip-compile, `environment` of markers, `python` as three numbers, `tags`, best
first, `parent`, the process that must outlive this one. Writes one to stdout: `failure`, null or kind and message; `conflict`,
what pip says of the conflict that it ended with; `unread`, pages that could not be had. All else that pip says goes to stderr.
"""

from __future__ import annotations

import ctypes
import json
import logging
import os
import signal
import sys
from typing import Any, cast

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Do what stdin says."""
    task = json.load(sys.stdin)
    _end_with(task["parent"])
    answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    # pip writes to stdout as it likes.
    os.dup2(2, 1)
    json.dump(_run(task), answer)
    answer.close()


def _run(task: dict[str, Any]) -> dict[str, Any]:
    _set_markers(task["environment"])
    _set_target(tuple(task["python"]), task["tags"])
    # Set beside what pip itself sets: its own levels hide why things cannot be had, and pages that it passes over.
    conflict = _listen("pip._internal.resolution.resolvelib.factory", logging.INFO)
    pages = _listen("pip._internal.index.collector", logging.DEBUG)
    _let_preferences_yield(conflict)

    from piptools.scripts.compile import cli

    try:
        cli.main(args=task["arguments"], prog_name="pip-compile", standalone_mode=False)
    except SystemExit as error:
        message = f"pip-compile ended with status {error.code}"
        failure = {"kind": "SystemExit", "message": message} if error.code else None
    except Exception as error:  # noqa: BLE001 - whatever pip raises is told to who started this, by kind
        failure = {"kind": type(error).__name__, "message": str(error)}
    else:
        failure = None
    # That an index does not have a project is an answer, all else is none.
    unread = [text for text in pages if text.startswith("Could not fetch") and "404 Client Error" not in text]
    return {"failure": failure, "conflict": conflict, "unread": unread}


def _set_markers(environment: dict[str, str]) -> None:
    from pip._vendor.packaging import markers

    markers.default_environment = lambda: cast("markers.Environment", dict(environment))


def _set_target(python: tuple[int, ...], tags: list[list[str]]) -> None:
    import piptools.repositories.pypi as repositories
    from pip._internal.commands.install import InstallCommand
    from pip._internal.models.target_python import TargetPython
    from pip._vendor.packaging.tags import Tag

    target = TargetPython(py_version_info=python)
    target._valid_tags = [Tag(*tag) for tag in tags]  # noqa: SLF001 - pip has no glibc of its own to ask for

    class Command(InstallCommand):
        def _build_package_finder(self, *args: Any, **options: Any) -> Any:
            return super()._build_package_finder(*args, **(options | {"target_python": target}))

        @classmethod
        def make_resolver(cls, *args: Any, **options: Any) -> Any:
            return super().make_resolver(*args, **(options | {"py_version_info": python}))

    def create_command(name: str, **options: Any) -> Any:
        return Command(name, "for another Python", **options)

    vars(repositories)["create_command"] = create_command


def _let_preferences_yield(conflict: list[str]) -> None:
    """Drop preferences that stand in a conflict, or whose candidates do, and at last all; then it is a conflict.

    pip-tools itself gives up as soon as a project in the conflict has no preference, though another preference made it.
    """
    import piptools.scripts.compile as compiling
    from pip._internal.exceptions import InstallationError
    from pip._vendor.packaging.utils import canonicalize_name
    from piptools.resolver import BacktrackingResolver

    class Yielding(BacktrackingResolver):
        def _do_resolve(self, resolver: Any, compatible_existing_constraints: dict[str, Any]) -> bool:
            preferred = compatible_existing_constraints
            try:
                resolver.resolve([*self.constraints, *preferred.values()], check_supported_wheels=False)
            except InstallationError as error:
                causes = getattr(error.__cause__, "causes", ())
                if not causes or not preferred:
                    raise
                named = {str(canonicalize_name(part.project_name)) for cause in causes for part in cause if part}
                for name in named & preferred.keys() or tuple(preferred):
                    del preferred[name]
                conflict.clear()
                return False
            return True

    vars(compiling)["BacktrackingResolver"] = Yielding


def _listen(name: str, level: int) -> list[str]:
    """Collect what one of pip's modules says, from now on."""
    said: list[str] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(record.getMessage().strip())

    logger = logging.getLogger(name)
    logger.setLevel(level)
    logger.addHandler(Handler())
    return said


def _end_with(parent: int) -> None:
    """End when the process ends that started this one, even where it is killed."""
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None:
        prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))
        if os.getppid() != parent:
            sys.exit(1)


if __name__ == "__main__":
    main()
