"""Check a stack: the tests of its image, run inside it, as a gate before it may go anywhere.

- A container for each suite, in which tests run in parallel beside the services they need; the image is run as it is shipped.
- Nothing is written to the image or the project. What tests leave behind goes with the container.
- A test that cannot be run is one that failed, with the reason. Only where no container can be started at all it is an error.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Final

from builder.errors import ToolError
from builder.image.base_tree import TreeBuilder, iter_members
from builder.image.layout_reader import FolderLayout
from builder.lock.model import LockedFile, LockedLayer
from builder.oci.layout import blob_path
from builder.run.model import Engine, RunnableImage, RunWish, Volume
from builder.testing.answers import parse_answers, read_cases
from builder.testing.model import SMOKE, STACK, SUITES, Case, CheckReport, SuiteReport
from builder.testing.modes import judge_modes
from builder.testing.settings import FILE, Service, Settings, inherit, parse_settings
from builder.testing.smoke import smoke_tasks
from builder.testing.tasks import (
    DRIVER,
    INSIDE,
    PYTEST,
    SPEC,
    Kind,
    Task,
    TestFolder,
    dump_spec,
    longest_s,
    stack_tasks,
)

_PROGRAMS: Final = (DRIVER, "inside_providers.py", "inside_requirements.py")
_INTERRUPTED: Final = 130

BringPytest = Callable[[Path], None]
"""Fills a folder with a pytest that any Python can import from there; raises BuilderError where there is none to bring."""
Say = Callable[[str], None]
"""Is told what is about to be done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckRequest:
    """What is to be tested."""

    image: RunnableImage
    folders: tuple[tuple[str, Path], ...] = ()
    """Stacks and their folders of tests: the outermost parent first, the stack itself last; those that are there."""
    suites: tuple[str, ...] = SUITES
    jobs: int = 1
    """Most tests at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckTools:
    """What tests are run with."""

    engine: Engine
    bring_pytest: BringPytest
    say: Say


def check_stack(request: CheckRequest, tools: CheckTools) -> CheckReport:
    """Run the tests of an image that is built.

    May be called from any thread; what containers say goes into the report.

    Raises:
        StackError: a tests.toml is wrong.
        BuilderError: the engine cannot start a container, or there is no pytest to bring along.
        KeyboardInterrupt: tests were interrupted.
    """
    folders = tuple(_read_folder(stack, folder) for stack, folder in request.folders)
    settings = inherit([folder.settings for folder in folders])
    suites: list[SuiteReport] = []
    for name in request.suites:
        began = time.monotonic()
        if name == SMOKE:
            cases = _check_smoke(request, tools, settings)
        else:
            cases = _check_own(request, tools, settings, folders)
        if cases:
            suites.append(SuiteReport(name=name, cases=cases, seconds=time.monotonic() - began))
    return CheckReport(
        stack=request.image.stack,
        platform=request.image.image.platform.name,
        manifest=str(request.image.image.descriptor.digest),
        engine=tools.engine.name,
        suites=tuple(suites),
    )


def _check_smoke(request: CheckRequest, tools: CheckTools, settings: Settings) -> tuple[Case, ...]:
    tasks = smoke_tasks(settings)
    tools.say(f"{request.image.stack}: {SMOKE}: {len(tasks) + 1} checks")
    modes = check_modes(request.image, settings.allow_modes)
    return (*_run_in_container(request, tools, tasks, (), "none"), modes)


def _check_own(
    request: CheckRequest, tools: CheckTools, settings: Settings, folders: Sequence[TestFolder]
) -> tuple[Case, ...]:
    tasks = stack_tasks(folders, settings)
    if not tasks:
        tools.say(f"{request.image.stack}: {STACK}: no tests in its folder tests/, nor in its parents'")
        return ()
    tools.say(f"{request.image.stack}: {STACK}: {len(tasks)} files, {len(settings.services)} services")
    return _run_in_container(request, tools, tasks, settings.services, settings.network or "none")


def _run_in_container(
    request: CheckRequest, tools: CheckTools, tasks: Sequence[Task], services: Sequence[Service], network: str
) -> tuple[Case, ...]:
    with tempfile.TemporaryDirectory(prefix="airflow-kubler-check-") as scratch:
        brought, log = Path(scratch, "brought"), Path(scratch, "log")
        _bring(brought, request, tools, tasks)
        (brought / SPEC).write_text(json.dumps(dump_spec(tasks, services, request.jobs)))
        _open_to_all(Path(scratch))
        wish = RunWish(
            command=("python", f"{INSIDE}/{DRIVER}", f"{INSIDE}/{SPEC}"),
            volumes=(Volume(source=brought, target=INSIDE, read_only=True),),
            network=network,
            log=log,
            timeout_s=longest_s(tasks, services),
        )
        ended = ""
        try:
            status = tools.engine.run(request.image, wish)
            ended = f"exit status {status}" if status else ""
        except ToolError as error:
            # With a log the container did start, and what it told by then holds.
            if not log.is_file() or not log.stat().st_size:
                raise
            status, ended = 0, error.message
        if status == _INTERRUPTED:
            raise KeyboardInterrupt
        return tuple(read_cases(parse_answers(log.read_bytes()), tasks, services, ended=ended))


def _bring(folder: Path, request: CheckRequest, tools: CheckTools, tasks: Sequence[Task]) -> None:
    """Fill the folder that is shown inside: our programs, the stacks' tests, and pytest where it is needed."""
    folder.mkdir()
    shipped = resources.files("builder.testing")
    for name in _PROGRAMS:
        (folder / name).write_bytes((shipped / name).read_bytes())
    if tasks and any(task.kind is Kind.PYTEST for task in tasks):
        tools.bring_pytest(folder / PYTEST)
    for stack, tests in request.folders:
        ignored = shutil.ignore_patterns("__pycache__", ".*")
        # Links stay links: inside they lead nowhere that is not the image's.
        shutil.copytree(tests, folder / "tests" / stack, symlinks=True, ignore=ignored)


def _open_to_all(top: Path) -> None:
    """Let the image's user read what this user's umask may have kept to himself."""
    for path in (top, *top.rglob("*")):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | (0o555 if path.is_dir() else 0o444))


def _read_folder(stack: str, folder: Path) -> TestFolder:
    file = folder / FILE
    settings = parse_settings(file.read_bytes(), file=f"stacks/{stack}/tests/{FILE}") if file.is_file() else Settings()
    return TestFolder(stack=stack, paths=tuple(_iter_files(folder)), settings=settings)


def _iter_files(folder: Path) -> Iterator[str]:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield path.relative_to(folder).as_posix()


def check_modes(image: RunnableImage, allowed: Sequence[str]) -> Case:
    """Read the modes of all files from an image's layers, which are checked against their digests, and judge them.

    Raises:
        IntegrityError: a layer is damaged.
    """
    began = time.monotonic()
    layout, tree = FolderLayout(image.layout), TreeBuilder()
    for number, (layer, diff_id) in enumerate(
        zip(image.image.manifest.layers, image.image.config.diff_ids, strict=True)
    ):
        tree.begin(number)
        where = f"layer {number} ({layer.digest})"
        file = LockedFile(name=str(layer.digest), size=layer.size, sha256=layer.digest)
        locked = LockedLayer(media_type=layer.media_type, file=file, diff_id=diff_id)
        for member, _ in iter_members(locked, layout.chunks(blob_path(layer.digest)), where=where):
            tree.add(member, where)
    return judge_modes(tree.nodes, allowed, time.monotonic() - began)
