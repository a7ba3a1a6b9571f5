"""The build graph: a change touches what is made from it, and nothing else."""

from __future__ import annotations

import pytest

from builder.digest import Digest
from builder.errors import InvalidInputError
from builder.nightly.graph import BaseFacts, BuildGraph, StackFacts, make_graph


def base(name: str, **debs: str) -> BaseFacts:
    return BaseFacts(name=name, lock=Digest.of(name.encode()), debs=debs)


def stack(name: str, on: str, parent: str = "", **versions: str) -> StackFacts:
    return StackFacts(
        name=name,
        lock=Digest.of(name.encode()),
        base=on,
        base_lock=Digest.of(on.encode()),
        parent=parent,
        owners=(f"team:{name}",),
        versions=versions,
        wheels={f"{project}-{version}-py3-none-any.whl": project for project, version in versions.items()},
    )


@pytest.fixture
def graph() -> BuildGraph:
    return make_graph(
        [base("trixie", openssl="3.5", zlib="1"), base("bookworm", openssl="3.0")],
        [
            stack("core", "trixie", requests="2.32"),
            stack("aws", "trixie", "core", requests="2.32", boto3="1.4"),
            stack("zoo", "trixie", "aws", requests="2.32"),
            stack("legacy", "bookworm", requests="2.31"),
        ],
    )


def test_a_deb_touches_the_bases_that_hold_it_and_all_on_them(graph: BuildGraph) -> None:
    assert graph.affected("deb:zlib").stacks == ("core", "aws", "zoo")
    found = graph.affected("deb:openssl")
    assert found.bases == ("bookworm", "trixie")
    assert found.versions == {"3.0": ("bookworm",), "3.5": ("trixie",)}
    assert found.images == found.scans == ("core", "legacy", "aws", "zoo")


def test_a_project_touches_the_stacks_that_lock_it_whatever_its_spelling(graph: BuildGraph) -> None:
    found = graph.affected("project:Requests")
    assert found.by == "project:requests"
    assert found.versions == {"2.31": ("legacy",), "2.32": ("aws", "core", "zoo")}
    assert graph.affected("project:boto3").stacks == ("aws", "zoo")


def test_a_wheel_touches_only_who_locks_that_version(graph: BuildGraph) -> None:
    assert graph.affected("wheel:requests-2.31-py3-none-any.whl").stacks == ("legacy",)


def test_children_follow_their_parents(graph: BuildGraph) -> None:
    assert graph.affected("stack:core").stacks == ("aws", "zoo")
    assert graph.affected("index").stacks == ("core", "legacy", "aws", "zoo")


def test_a_scan_is_the_end_of_it(graph: BuildGraph) -> None:
    assert graph.affected("scan:core").images == ()


@pytest.mark.parametrize(
    ("by", "said"),
    [
        ("opensl", "names nothing in the graph"),
        ("deb:", "names nothing in the graph"),
        ("deb:opensl", "no lock here holds the deb 'opensl'"),
        ("project:../x", "no lock here holds the project"),
    ],
)
def test_what_is_not_there_is_refused_with_a_way_out(graph: BuildGraph, by: str, said: str) -> None:
    with pytest.raises(InvalidInputError, match=said):
        graph.affected(by)


def test_an_image_s_key_follows_its_lock_its_base_and_the_formats() -> None:
    def key(formats: tuple[str, ...] = (), on: str = "trixie") -> object:
        made = make_graph([base(on)], [stack("core", on)], formats=formats)
        return made.graph.nodes["image:core"]["key"]

    assert len({key(), key(("zstd 2",)), key(on="bookworm")}) == 3
    assert key() == key()
