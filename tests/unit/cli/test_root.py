import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from builder import __version__
from builder.cli.root import VERBS, Context, report_error, root
from builder.errors import BuilderError, IssuesError, LockStaleError, StackError, ToolError

HEAVY = ("rich", "networkx", "httpx", "packaging", "zstandard", "uv", "debian", "tomli_w")


def run_python(code: str, *, stdout: int = subprocess.PIPE) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], stdout=stdout, stderr=subprocess.PIPE, text=True, check=False)


@pytest.fixture
def raising() -> Iterator[type]:
    """A verb of this test's own, that raises what it is told to."""

    class Raising:
        error: BaseException | None = None
        status: int | None = None

    @click.command()
    def command() -> int | None:
        if Raising.error:
            raise Raising.error
        return Raising.status

    root.add_command(command, "test-raise")
    yield Raising
    del root.commands["test-raise"]


def test_help_lists_every_verb() -> None:
    result = CliRunner().invoke(root, ["--help"])
    assert result.exit_code == 0
    assert [line.split()[0] for line in result.output.partition("Commands:\n")[2].splitlines()] == list(VERBS)


def test_help_imports_nothing_heavy_and_no_verb() -> None:
    code = (
        "import sys, builder.cli.root as r\n"
        "try: r.root.main(['--help'])\n"
        "except SystemExit: pass\n"
        f"found = [m for m in {HEAVY!r} if m in sys.modules]\n"
        "found += [m for m in sys.modules if m.startswith('builder.') and m not in "
        "{'builder.cli', 'builder.cli.root', 'builder.errors'}]\n"
        "assert not found, found"
    )
    done = run_python(code)
    assert done.stderr == ""


def test_version_is_the_distribution_s() -> None:
    assert CliRunner().invoke(root, ["--version"]).output == f"airflow-kubler, version {__version__}\n"


def test_a_misspelt_verb_is_answered_with_the_nearest() -> None:
    result = CliRunner().invoke(root, ["biuld"])
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1] == "Error: No such command 'biuld'. Did you mean 'build'?"


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_that_is_there_has_help(verb: str) -> None:
    if find_spec(VERBS[verb].target.partition(":")[0]) is None:
        pytest.skip("not written yet")
    result = CliRunner().invoke(root, [verb, "--help"])
    assert result.exit_code == 0
    assert result.output.startswith(f"Usage: root {verb}")


@pytest.mark.parametrize(
    ("error", "status", "text"),
    [
        (StackError("is wrong", context="f: k", hint="mend it"), 3, "error: f: k: is wrong\n  mend it\n"),
        (LockStaleError("is stale", context="locks/x"), 1, "error: locks/x: is stale\n"),
        (IssuesError([StackError("a", context="f"), StackError("b")], hint="c"), 3, "error: f: a\nerror: b\n  c\n"),
        (
            ToolError("failed", argv=("docker", "load"), stderr="one\ntwo\n"),
            4,
            "error: docker: failed\n  | one\n  | two\n",
        ),
        (PermissionError(13, "Permission denied", "locks"), 4, "error: locks: Permission denied\n"),
        (KeyboardInterrupt(), 130, "interrupted\n"),
    ],
    ids=["stack", "stale", "issues", "tool", "os", "interrupt"],
)
def test_errors_become_text_and_exit_status(raising: type, error: BaseException, status: int, text: str) -> None:
    raising.error = error  # type: ignore[attr-defined]
    result = CliRunner().invoke(root, ["test-raise"])
    assert (result.exit_code, result.stderr, result.stdout) == (status, text, "")


def test_debug_shows_the_trace(raising: type) -> None:
    raising.error = StackError("is wrong")  # type: ignore[attr-defined]
    result = CliRunner().invoke(root, ["--debug", "test-raise"])
    assert result.stderr.startswith("Traceback (most recent call last):")
    assert result.stderr.endswith("\nerror: is wrong\n")


def test_a_defect_of_ours_is_never_taken_for_a_negative_answer(raising: type) -> None:
    raising.error = RuntimeError("oh")  # type: ignore[attr-defined]
    result = CliRunner().invoke(root, ["test-raise"])
    assert result.exit_code == 4
    assert result.stderr.startswith("Traceback")
    assert result.stderr.endswith(f"\nerror: this is a defect of airflow-kubler {__version__}, please report it\n")


def test_a_verb_s_integer_is_its_exit_status(raising: type) -> None:
    raising.status = 1  # type: ignore[attr-defined]
    assert CliRunner().invoke(root, ["test-raise"]).exit_code == 1


def test_a_closed_pipe_is_quiet() -> None:
    code = (
        "import sys, builder.cli.root as r, click\n"
        "@click.command()\n"
        "def command():\n"
        "    sys.stdin.read()\n"
        "    print('x' * 100000)\n"
        "r.root.add_command(command, 'shout')\n"
        "sys.argv = ['airflow-kubler', 'shout']\n"
        "r.main()\n"
    )
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", code], stdin=pipe, stdout=pipe, stderr=pipe) as process:
        for stream in (process.stdout, process.stdin):
            assert stream is not None
            stream.close()
        assert process.stderr is not None
        assert process.stderr.read() == b""
        assert process.wait(timeout=30) == 141


def test_every_family_of_errors_has_a_documented_exit_status() -> None:
    families = [BuilderError]
    for family in families:
        families += family.__subclasses__()
    assert {family.exit_code for family in families} == {1, 3, 4}


def test_a_folder_given_is_the_project_itself_not_one_above(tmp_path: Path) -> None:
    (tmp_path / "stacks").mkdir()
    assert Context(folder=tmp_path).project().root == tmp_path
    with pytest.raises(StackError, match="holds no folder stacks/"):
        Context(folder=tmp_path / "stacks").project()


def test_reporting_returns_the_family_s_status(capsys: pytest.CaptureFixture[str]) -> None:
    assert report_error(LockStaleError("is stale"), debug=False) == 1
    assert capsys.readouterr().err == "error: is stale\n"


@pytest.mark.parametrize("debug", [False, True])
def test_errors_hold_nothing_that_a_terminal_obeys(*, debug: bool, capsys: pytest.CaptureFixture[str]) -> None:
    report_error(ToolError("\x1b]0;owned\x07", argv=["docker"], stderr="\x1b[2J"), debug=debug)
    assert "\x1b" not in capsys.readouterr().err
