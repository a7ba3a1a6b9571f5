"""Whatever text goes into a form, every reader of YAML gets it back as it was."""

from __future__ import annotations

import json
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from builder.deploy.manifest import Array, Node, Object, Scalar, parse_manifest
from builder.deploy.yaml_text import Tree, render_yaml
from builder.errors import InvalidInputError
from tests.support.tools import require_tool, run_tool

# Lone surrogates are no text; YAML has no way to write them.
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
LINES = st.lists(TEXTS, min_size=1, max_size=4).map("\n".join)
KEYS = TEXTS.filter(lambda text: text != "<<")
VALUES = st.recursive(
    LINES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=12
)


@given(st.dictionaries(KEYS, VALUES, min_size=1, max_size=4))
@settings(max_examples=150)
def test_what_is_rendered_reads_back(value: Any) -> None:
    text = render_yaml(value, header="header")
    assert yaml.load(text, Loader=yaml.CSafeLoader) == value
    (node,) = parse_manifest(text, file="f")
    assert to_value(node) == value


def to_value(node: Node) -> Any:
    match node:
        case Scalar():
            return node.text
        case Object():
            return {key: to_value(item) for key, item in node.values.items()}
        case Array():
            return [to_value(item) for item in node.values]


@given(st.text(max_size=200) | st.binary(max_size=200).map(lambda data: data.decode(errors="replace")))
@settings(max_examples=150)
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(InvalidInputError):
        parse_manifest(text, file="f")


@given(st.dictionaries(TEXTS, VALUES, min_size=1, max_size=4))
def test_json_reads_as_itself(value: Any) -> None:
    (node,) = parse_manifest(json.dumps(value), file="f")
    assert to_value(node) == value


# kustomize 5.8 writes some control characters as they are, and then refuses what it wrote.
GO_LINES = st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=40), min_size=1).map("\n".join)


@pytest.mark.tools
@given(st.dictionaries(st.from_regex(r"[a-z]{1,8}", fullmatch=True), GO_LINES, min_size=1, max_size=4))
@settings(max_examples=10, deadline=None)
def test_go_reads_the_same(value: dict[str, str]) -> None:
    """kustomize reads with Kubernetes' own library."""
    kubectl = require_tool("kubectl")
    with tempfile.TemporaryDirectory() as folder:
        resource: dict[str, Tree] = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": value}
        Path(folder, "a.yaml").write_text(render_yaml(resource))
        Path(folder, "kustomization.yaml").write_text("resources: [a.yaml]\n")
        said = run_tool(kubectl, "kustomize", folder)
    assert yaml.safe_load(said)["data"] == value
