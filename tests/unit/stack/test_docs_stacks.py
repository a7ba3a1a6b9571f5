"""docs/stacks.md says what the readers do."""

import re
from pathlib import Path

import pytest

from builder.cli.root import render_error
from builder.errors import InvalidInputError
from builder.stack.graph import check_stacks
from builder.stack.model import Stack
from builder.stack.reader import parse_stack
from builder.stack.rules import parse_index_rules

TEXT = (Path(__file__).parents[3] / "docs" / "stacks.md").read_text()
BLOCKS = re.findall(r"^ *```(\w*)\n(.*?)^ *```", TEXT, flags=re.MULTILINE | re.DOTALL)
FINANCE = 'description = "x"\nextends = "core"\n'


def shown() -> str:
    return "".join(block for _, block in BLOCKS if "error: " in block)


def stack(name: str, extends: str | None = None, version: str | None = None) -> Stack:
    return Stack(
        name=name, description="x", extends=extends, airflow_version=version, base=None if extends else "trixie"
    )


def test_the_examples_are_stacks() -> None:
    first, divergence, resolution, indexes, folder = (block for kind, block in BLOCKS if kind == "toml")
    data = (first + divergence + resolution).encode()
    read = parse_stack(data, name="finance", file="stacks/finance/stack.toml")
    assert read.extends == "core"
    assert [divergence.project for divergence in read.divergences] == ["packaging"]
    assert read.resolution.cooldown_days == 7
    assert [rule.name for rule in parse_index_rules(indexes.encode(), file="x")] == ["default", "internal"]
    assert [rule.folder for rule in parse_index_rules(folder.encode(), file="x")] == ["dists"]


def test_the_errors_of_files_are_shown_as_they_are() -> None:
    data = f"{FINANCE}[plugins]\nrequirements = ['apache-airflow[amazon]>=3']\n[image]\ncompresion = 'zstd'"
    with pytest.raises(InvalidInputError) as caught:
        parse_stack(data.encode(), name="finance", file="stacks/finance/stack.toml", requirements_in="a\n-r b\n")
    assert render_error(caught.value) in shown()


def test_the_errors_of_parents_are_shown_as_they_are() -> None:
    core = stack("core", version="3.3.2")
    for stacks in (
        (core, stack("finance", "cor")),
        (stack("a", "b"), stack("b", "a")),
        (core, stack("aws", "core", "3.4.0")),
    ):
        with pytest.raises(InvalidInputError) as caught:
            check_stacks({stack.name: stack for stack in stacks})
        assert render_error(caught.value) in shown()


@pytest.mark.parametrize("source", ["reader.py", "base.py", "rules.py"])
def test_every_key_is_explained(source: str) -> None:
    code = (Path(__file__).parents[3] / "builder" / "stack" / source).read_text()
    keys = set(re.findall(r'\.(?:text|texts|integer|tables|date|moment|truth|block)\(\s*"([\w-]+)"', code))
    assert len(keys) > 7
    explained = set(re.findall(r"[\w.]*?([\w-]+)`|^([\w-]+) = |\[\[[\w.]*?(\w+)\]\]", TEXT, flags=re.MULTILINE))
    assert not keys - {key for row in explained for key in row}
