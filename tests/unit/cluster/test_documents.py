"""What kubectl printed: lists, single objects, several documents; errors of kubectl are no empty clusters."""

from __future__ import annotations

import json
from typing import Any

import pytest

from builder.cluster.documents import Document, PrintedCluster
from builder.errors import BuilderError, ClusterError, InvalidInputError
from tests.support.pods import config_map, deployed, listed


def read(*texts: str | bytes, namespaces: tuple[str, ...] = ()) -> list[Any]:
    documents = [Document(data=text if isinstance(text, bytes) else text.encode(), file="pods.json") for text in texts]
    return list(PrintedCluster("production", documents).objects(namespaces))


def test_lists_objects_and_several_documents_are_read() -> None:
    a, b, c = (deployed(name) for name in ("a", "b", "c"))
    text = json.dumps(listed(a, config_map("[core]"))) + "\n" + json.dumps(b, indent=4)
    assert read(text, json.dumps(c)) == [a, config_map("[core]"), b, c]
    assert read("\ufeff" + json.dumps(a)) == [a]


def test_items_get_the_kind_of_their_list() -> None:
    bare = {name: value for name, value in deployed("a").items() if name != "kind"}
    assert read(json.dumps(listed(bare, kind="PodList")))[0]["kind"] == "Pod"


def test_namespaces_are_chosen_and_what_has_none_is_not_dropped() -> None:
    items = [deployed("a"), deployed("b", namespace="other"), {"kind": "Pod"}]
    assert read(json.dumps(listed(*items)), namespaces=("other",)) == items[1:]


def test_an_empty_list_is_one() -> None:
    assert read(json.dumps(listed())) == []


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("", ClusterError, "is empty: kubectl said nothing"),
        ("  \n", ClusterError, "is empty"),
        ('{"kind": "Status", "message": "Unauthorized"}', ClusterError, "is an error of kubectl: Unauthorized"),
        ('{"kind": "Status", "message": 7}', ClusterError, "is an error of kubectl: 7"),
        ("NAME READY", InvalidInputError, "is not JSON"),
        ('{"kind": "List", "items": [{"a', InvalidInputError, "is not JSON"),
        ("[" * 200_000, InvalidInputError, "is not JSON"),
        ("[]", InvalidInputError, "is no object of Kubernetes"),
        ("7", InvalidInputError, "is no object of Kubernetes"),
        ('{"items": []}', InvalidInputError, "is no object of Kubernetes"),
        ('{"kind": "PodList"}', InvalidInputError, "is a PodList without items"),
        ('{"kind": "PodList", "items": {}}', InvalidInputError, "is a PodList without items"),
        (
            '{"kind": "PodList", "items": [], "metadata": {"continue": "x"}}',
            InvalidInputError,
            "one page of a longer list",
        ),
        ('{"kind": "Pod"} {"kind"', InvalidInputError, "pods.json: byte 16: is not JSON"),
        (b"\xff\xfe{}", InvalidInputError, "is not JSON"),
    ],
)
def test_what_tells_nothing_is_refused(text: str | bytes, error: type[BuilderError], message: str) -> None:
    with pytest.raises(error, match=message):
        read(text)


def test_what_was_printed_runs_nothing() -> None:
    with pytest.raises(ClusterError, match="runs nothing"):
        PrintedCluster("production", []).run("airflow", "x", "y", ["python"])
