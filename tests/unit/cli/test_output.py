import sys
from collections.abc import Sequence
from typing import Any

import click
import pytest
from click.testing import CliRunner

from builder.cli.options import jobs_option, platform_option
from builder.cli.output import note, plain, progress, render_size, render_table, show_json, show_text, tally
from builder.platform import AMD64, ARM64, Platform


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (999_949, "999.9 kB"), (999_950, "1.0 MB"), (10**16, "10000.0 TB")],
)
def test_sizes_are_rendered_by_decimal_units(size: int, text: str) -> None:
    assert render_size(size) == text


def test_tables_are_as_wide_as_their_widest_cell() -> None:
    rows = [("a", "1"), ("bbbbb", "1000")]
    assert render_table(("name", "size"), rows, right=(1,)) == "name   size\na         1\nbbbbb  1000"


def test_a_table_without_rows_is_its_header() -> None:
    assert render_table(("name", "size"), []) == "name  size"


def test_json_keeps_the_order_of_keys_and_letters(capsys: pytest.CaptureFixture[str]) -> None:
    show_json({"b": "é", "a": (1,)})
    assert capsys.readouterr().out == '{\n  "b": "é",\n  "a": [\n    1\n  ]\n}\n'


def test_unwatched_progress_is_one_line_and_does_not_import_rich(capsys: pytest.CaptureFixture[str]) -> None:
    loaded = "rich.progress" in sys.modules
    with progress("fetch", 2_500_000) as tell:
        tell(1)
    with progress("compile", 3, unit="distributions") as tell:
        tell(1)
    with progress("nothing", 0) as tell:
        tell(0)
    assert capsys.readouterr().err == "fetch: 2.5 MB\ncompile: 3 distributions\n"
    assert ("rich.progress" in sys.modules) == loaded


@pytest.mark.parametrize("unit", ["bytes", "files"])
def test_watched_progress_is_shown_on_standard_error(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, unit: str
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    with progress("fetch", 10, unit=unit) as tell:
        tell(10)
    assert capsys.readouterr().out == ""


def invoke(args: Sequence[str]) -> tuple[dict[str, Any], str]:
    given: dict[str, Any] = {}

    @click.command()
    @platform_option
    @jobs_option
    def command(platforms: tuple[Platform, ...], jobs: int) -> None:
        given.update(platforms=platforms, jobs=jobs)

    return given, CliRunner().invoke(command, args).stderr


def test_platforms_are_sorted_without_repeats() -> None:
    args = ["--platform", "linux/arm64", "--platform", "linux/amd64", "--platform", "linux/arm64", "-j", "3"]
    assert invoke(args) == ({"platforms": (AMD64, ARM64), "jobs": 3}, "")


def test_platforms_are_empty_where_none_is_given_and_host_is_one() -> None:
    assert invoke([])[0]["platforms"] == ()
    assert len(invoke(["--platform", "host"])[0]["platforms"]) == 1


def test_an_unknown_platform_is_a_usage_error() -> None:
    assert invoke(["--platform", "linux/s390x"])[1].splitlines()[-1] == (
        "Error: Invalid value for '--platform': unknown platform 'linux/s390x'; "
        "known platforms: linux/amd64, linux/arm64, or host"
    )


def test_a_tally_says_nothing_where_nobody_watches(capsys: pytest.CaptureFixture[str]) -> None:
    with tally("asking") as count:
        count("pages")
    assert capsys.readouterr() == ("", "")


def test_nothing_that_a_terminal_obeys_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    hostile = "a\x1b[2J\r\x07\u202eb\n\tc"
    assert plain(hostile) == "a?[2J???b\n\tc"
    show_text(hostile)
    note(hostile)
    out, err = capsys.readouterr()
    assert out == err == "a?[2J???b\n\tc\n"
