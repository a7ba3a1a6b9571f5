"""One migration file, read without running it."""

import pytest

from builder.errors import IntegrityError
from builder.migrations.history import Revision
from builder.migrations.source import read_revision
from tests.support.migrations import migration


def read(text: str) -> Revision | None:
    return read_revision(text.encode(), context="0001_x.py")


def test_names_release_and_title_are_read() -> None:
    text = migration("d2f4", "9ff6", title="Add partition_date to runs.", more='airflow_version = "3.3.0"')
    assert read(text) == Revision(id="d2f4", down=("9ff6",), release="3.3.0", title="Add partition_date to runs")


@pytest.mark.parametrize(
    ("given", "down"),
    [
        ("None", ()),
        ("'a'", ("a",)),
        ("('a', 'b')", ("a", "b")),
        ("['a', 'b']", ("a", "b")),
        ("(\n    'a',\n    'b',\n)", ("a", "b")),
        ("()", ()),
    ],
)
def test_a_revision_comes_after_none_one_or_several(given: str, down: tuple[str, ...]) -> None:
    found = read(f"revision = 'c'\ndown_revision = {given}\n")
    assert found is not None
    assert found.down == down


def test_labels_dependencies_and_annotated_names_are_read() -> None:
    found = read("revision: str = 'c'\ndown_revision: str | None = 'b'\nbranch_labels = ('side',)\ndepends_on = 'a'\n")
    assert found == Revision(id="c", down=("b",), depends_on=("a",), labels=("side",))


@pytest.mark.parametrize("text", ["", "x = 1\n", "def revision(): ...\n"])
def test_a_file_that_names_no_revision_is_none(text: str) -> None:
    assert read(text) is None


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("revision = make()\n", "0001_x.py: revision: is computed, and would have to be run to be known"),
        ("revision = 'a'\ndown_revision = ('b', C)\n", "0001_x.py: down_revision: is computed"),
        ("revision = 'a'\ndown_revision = f'{x}'\n", "0001_x.py: down_revision: is computed"),
        ("revision = ''\n", "0001_x.py: names no revision"),
        ("revision = (\n", "0001_x.py: cannot be parsed"),
        ("\0", "0001_x.py: cannot be parsed"),
        ("(" * 10_000, "0001_x.py: cannot be parsed"),
    ],
)
def test_what_would_have_to_be_run_is_told(text: str, complaint: str) -> None:
    with pytest.raises(IntegrityError) as caught:
        read(text)
    assert str(caught.value).startswith(complaint)


def test_nothing_of_a_file_is_run() -> None:
    assert read("import os\nos.abort()\nrevision = 'a'\n") == Revision(id="a")


def test_a_name_below_the_first_function_holds() -> None:
    # Most files are read only down to there: it must not matter.
    text = migration("a", "b") + "\n\ndown_revision = 'c'\n"
    found = read(text)
    assert found is not None
    assert found.down == ("c",)


def test_a_text_with_a_function_in_it_hides_nothing() -> None:
    found = read('"""Title.\n\ndef upgrade():\n"""\nrevision = "a"\ndown_revision = "b"\n')
    assert found == Revision(id="a", down=("b",), title="Title")
