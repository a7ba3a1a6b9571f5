"""What tests stacks: the engine, the folders of tests, the pytest that is brought along."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

from builder.errors import ToolError

if TYPE_CHECKING:
    from builder.project import Project
    from builder.usecase.check_stack import CheckTools, Say

TESTS_FOLDER: Final = "tests"
_BROUGHT: Final = ("pytest", "pluggy", "iniconfig", "packaging", "pygments")
"""pytest and what it imports, all of it plain Python; further requirements of it are for other systems or older Pythons."""
_COMPILED: Final = {".so", ".pyd", ".pyc"}


def make_check_tools(engine: str, say: Say) -> CheckTools:
    """Make what `check_stack` works with.

    Raises:
        BuilderError: the engine, or with `auto` any, cannot be used here.
    """
    from builder.run.engines import choose_engine
    from builder.usecase.check_stack import CheckTools
    from builder.wiring.images import make_engines

    return CheckTools(engine=choose_engine(make_engines(), engine), bring_pytest=bring_pytest, say=say)


def folders_of_tests(project: Project, stack: str) -> tuple[tuple[str, Path], ...]:
    """List the folders of tests of a stack: those of its parents first, its own last, as far as they are there.

    Raises:
        StackError: a stack is wrong, or is not there.
    """
    chain: list[str] = []
    name: str | None = stack
    while name is not None and name not in chain:
        chain.append(name)
        name = project.load_stack(name).extends
    folders = ((one, project.stacks_folder / one / TESTS_FOLDER) for one in reversed(chain))
    return tuple((one, folder) for one, folder in folders if folder.is_dir())


def bring_pytest(folder: Path) -> None:
    """Copy this environment's own pytest.

    Raises:
        ToolError: there is none here.
    """
    for name in _BROUGHT:
        try:
            found = metadata.distribution(name)
        except metadata.PackageNotFoundError as error:
            raise ToolError(
                f"{name} is not installed here, and there are tests for pytest to bring it along to",
                hint="pip install 'airflow-kubler[tests]'",
                argv=("pytest",),
            ) from error
        for path in _plain_files(found):
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(str(found.locate_file(path)), target)


def _plain_files(found: metadata.Distribution) -> Iterator[PurePosixPath]:
    """List what of a distribution lies in site-packages and is no bytecode."""
    for path in found.files or ():
        if ".." not in path.parts and not path.is_absolute() and path.suffix not in _COMPILED:
            yield PurePosixPath(path)
