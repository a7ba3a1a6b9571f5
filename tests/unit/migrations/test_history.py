"""Histories of revisions: heads, what is applied, and the document."""

import pytest

from builder.errors import LedgerError
from builder.migrations.history import History, Revision, dump_history, parse_history
from tests.support.migrations import history


@pytest.mark.parametrize(
    ("text", "heads"),
    [
        ("", ()),
        ("a", ("a",)),
        ("a b:a c:b", ("c",)),
        ("a b:a c:a", ("b", "c")),
        ("a b:a c:a d:b,c", ("d",)),
        ("a b", ("a", "b")),
    ],
)
def test_heads_are_what_nothing_comes_after(text: str, heads: tuple[str, ...]) -> None:
    assert history(text).heads == heads


def test_what_another_depends_on_is_no_head() -> None:
    revisions = {
        "a": Revision(id="a", labels=("side",)),
        "b": Revision(id="b"),
        "c": Revision(id="c", down=("b",), depends_on=("side",)),
    }
    found = History(owner="x", version_table="t", revisions=revisions)
    assert found.heads == ("c",)
    assert found.applied(("c",)) == {"a", "b", "c"}
    assert not found.missing()


def test_what_lies_between_comes_in_the_order_to_apply_it() -> None:
    found = history("z y:z x:z w:x,y v:w").between(("y",), ("v",))
    assert [revision.id for revision in found] == ["x", "w", "v"]


def test_revisions_that_lead_nowhere_or_in_a_circle_are_seen() -> None:
    assert history("b:a").missing() == ("a",)
    assert history("a:b b:a").is_circular()
    assert not history("a b:a").is_circular()


def test_the_document_reads_back_and_its_bytes_are_stable() -> None:
    revisions = {
        "b": Revision(id="b", down=("a",), release="3.3.0", title="Do b"),
        "a": Revision(id="a", labels=("side",), depends_on=("c",)),
        "c": Revision(id="c"),
    }
    found = History(owner="x", version_table="t", revisions=revisions)
    document = dump_history(found)
    assert parse_history(document, context="") == found
    assert document == (
        b'{"format":1,"owner":"x","revisions":{"a":{"depends_on":["c"],"labels":["side"]},'
        b'"b":{"down":["a"],"release":"3.3.0","title":"Do b"},"c":{}},"version_table":"t"}'
    )


@pytest.mark.parametrize(
    "data", [b"", b"[]", b'{"format":2,"owner":"x","revisions":{},"version_table":"t"}', b'{"format":1,"owner":"x"}']
)
def test_what_is_no_history_is_told(data: bytes) -> None:
    with pytest.raises(LedgerError, match="sha256:00: is no history of a database schema"):
        parse_history(data, context="sha256:00")
