"""A stack's tests, run by an engine that starts them on this machine, and by others that do worse."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from builder.errors import StackError, ToolError
from builder.run.model import Engine, RunnableImage, RunWish
from builder.testing.model import Case, CheckReport, Status
from builder.testing.tasks import INSIDE
from builder.usecase.check_stack import CheckRequest, CheckTools, check_modes, check_stack
from builder.wiring.testing import bring_pytest
from tests.support.tiny_image import write_tiny_image


class LocalEngine:
    """No container: what would be shown inside is taken from where it lies."""

    name = "local"

    def __init__(self) -> None:
        self.wishes: list[RunWish] = []

    def unavailable(self) -> str | None:
        return None

    def run(self, image: RunnableImage, wish: RunWish) -> int:
        del image
        self.wishes.append(wish)
        (volume,) = wish.volumes
        assert (volume.target, volume.read_only) == (INSIDE, True)
        assert wish.log is not None
        spec = volume.source / "spec.json"
        spec.write_text(spec.read_text().replace(INSIDE, str(volume.source)))
        argv = [word.replace(INSIDE, str(volume.source)) for word in wish.command]
        env = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
        with wish.log.open("wb") as log:
            return subprocess.run(argv, stdout=log, stderr=log, env=env, check=False).returncode


class FakeEngine:
    """An engine that says or does what it is told."""

    name = "fake"

    def __init__(self, act: Callable[[RunWish], int]) -> None:
        self._act = act

    def unavailable(self) -> str | None:
        return None

    def run(self, image: RunnableImage, wish: RunWish) -> int:
        del image
        return self._act(wish)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> RunnableImage:
    return write_tiny_image(tmp_path_factory.mktemp("image") / "layout", os.uname().machine)


def check(image: RunnableImage, engine: Engine, *folders: Path, suite: str = "stack") -> CheckReport:
    named = tuple((folder.parent.name, folder) for folder in folders)
    tools = CheckTools(engine=engine, bring_pytest=bring_pytest, say=lambda _: None)
    return check_stack(CheckRequest(image=image, folders=named, suites=(suite,), jobs=2), tools)


def write(top: Path, stack: str, **files: str) -> Path:
    folder = top / stack / "tests"
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)
    return folder


def by_name(report: CheckReport) -> dict[str, Case]:
    return {case.name: case for suite in report.suites for case in suite.cases}


def test_own_and_parents_tests_run_beside_their_services(image: RunnableImage, tmp_path: Path) -> None:
    up = tmp_path / "up"
    service = f'[[services]]\nname = "s"\ncommand = "touch {up}; exec sleep 60"\nhealth = "test -e {up}"\ninterval = "1s"\nstreak=1\n'
    parent = write(tmp_path, "parent", tests__toml=service, up__sh=f"test -e {up}")
    child = write(
        tmp_path,
        "child",
        tests__toml='timeout = "20s"\n[[files]]\nname = "slow.sh"\ntimeout = "1s"\n',
        slow__sh="echo waiting; sleep 30",
        test_it__py="from helper import two\n\ndef test_good(): assert two == 2\n\ndef test_bad(): assert two == 3\n",
        helper__py="two = 2\n",
    )
    report = check(image, LocalEngine(), parent, child)
    found = by_name(report)
    assert {name: str(case.status) for name, case in found.items()} == {
        "service s": "passed",
        "parent/up.sh": "passed",
        "child/slow.sh": "timed out",
        "child/test_it.py::test_good": "passed",
        "child/test_it.py::test_bad": "failed",
    }
    assert found["child/slow.sh"].reason == "waiting\nnot done within 1 s"
    assert "assert 2 == 3" in found["child/test_it.py::test_bad"].reason
    assert (report.passed, report.stack, report.engine) == (False, "tiny", "local")
    assert report.manifest == str(image.image.descriptor.digest)


def test_a_container_has_no_network_unless_the_tests_ask_for_it(image: RunnableImage, tmp_path: Path) -> None:
    engine = LocalEngine()
    check(image, engine, write(tmp_path, "a", good__sh="true"))
    check(image, engine, write(tmp_path, "b", good__sh="true", tests__toml='network = "host"'))
    assert [(wish.network, wish.read_only, wish.home) for wish in engine.wishes] == [
        ("none", True, None),
        ("host", True, None),
    ]


def test_a_stack_without_tests_has_no_suite_of_them(image: RunnableImage, tmp_path: Path) -> None:
    report = check(image, LocalEngine(), write(tmp_path, "a", tests__toml=""))
    assert report.suites == ()


def test_pytest_is_brought_along_only_where_there_is_a_file_for_it(image: RunnableImage, tmp_path: Path) -> None:
    def none_here(folder: Path) -> None:
        raise ToolError(f"no pytest for {folder.name}", argv=("pytest",))

    request = CheckRequest(image=image, folders=(("a", write(tmp_path, "a", good__sh="true")),), suites=("stack",))
    tools = CheckTools(engine=LocalEngine(), bring_pytest=none_here, say=lambda _: None)
    assert check_stack(request, tools).passed
    with pytest.raises(ToolError, match="no pytest"):
        check_stack(replace(request, folders=(("b", write(tmp_path, "b", test_a__py="")),)), tools)


def test_wrong_settings_are_told_before_anything_is_started(image: RunnableImage, tmp_path: Path) -> None:
    def never(_: RunWish) -> int:
        raise AssertionError

    wrong = write(tmp_path, "a", good__sh="true", tests__toml='[[files]]\nname = "godo.sh"\ntimeout = "1s"\n')
    with pytest.raises(StackError, match=r"stacks/a/tests/tests.toml: files: no test 'godo.sh'"):
        check(image, FakeEngine(never), wrong)


def test_a_container_that_dies_or_must_be_ended_fails_what_it_did_not_tell_of(
    image: RunnableImage, tmp_path: Path
) -> None:
    folder = write(tmp_path, "a", good__sh="true")

    def die(wish: RunWish) -> int:
        assert wish.log is not None
        wish.log.write_text("out of memory\n")
        return 137

    def hang(wish: RunWish) -> int:
        die(wish)
        raise ToolError("did not end within 9 s, and was ended", argv=("x",))

    (died,) = by_name(check(image, FakeEngine(die), folder)).values()
    assert (died.status, died.reason) == (
        Status.FAILED,
        "out of memory\nthe container ended before this: exit status 137",
    )
    (hung,) = by_name(check(image, FakeEngine(hang), folder)).values()
    assert "did not end within 9 s" in hung.reason


def test_a_container_that_cannot_be_started_is_no_verdict(image: RunnableImage, tmp_path: Path) -> None:
    def refuse(_: RunWish) -> int:
        raise ToolError("the container could not be started", argv=("x",))

    with pytest.raises(ToolError, match="could not be started"):
        check(image, FakeEngine(refuse), write(tmp_path, "a", good__sh="true"))


def test_an_interrupt_is_no_verdict(image: RunnableImage, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        check(
            image,
            FakeEngine(lambda wish: (wish.log or tmp_path).write_bytes(b"") or 130),
            write(tmp_path, "a", x__sh=""),
        )


def test_the_smoke_suite_reads_modes_from_layers(image: RunnableImage) -> None:
    def silent(wish: RunWish) -> int:
        assert wish.log is not None
        wish.log.write_bytes(b"")
        return 127

    report = check(image, FakeEngine(silent), suite="smoke")
    found = by_name(report)
    assert list(found) == ["start version", "start dags", "providers", "database", "requirements", "modes"]
    assert [name for name, case in found.items() if not case.bad] == ["modes"]
    assert check_modes(image, ()).status is Status.PASSED
