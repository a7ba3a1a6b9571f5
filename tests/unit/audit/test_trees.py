"""Trees and proofs of the auditor's program, against those of the ledger."""

from __future__ import annotations

import hashlib
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.audit.verifier.trees import Tree, extends, includes, leaf
from builder.ledger.merkle import consistency_proof, edge_of, inclusion_proof, iter_new_nodes, root_of

LEAVES = [leaf(str(number).encode()) for number in range(40)]
NODES: dict[tuple[int, int], bytes] = {}
for number, one in enumerate(LEAVES):
    NODES.update({(level, place): value for level, place, value in iter_new_nodes(number, one, lambda *at: NODES[at])})


def read(level: int, position: int) -> bytes:
    return NODES[level, position]


@given(first=st.integers(0, 40), more=st.integers(0, 40))
def test_an_edge_and_what_follows_have_the_root_of_all(first: int, more: int) -> None:
    end = min(40, first + more)
    tree = Tree(first, list(edge_of(first, read)))
    assert tree.root() == root_of(first, read)
    for one in LEAVES[first:end]:
        tree.add(one)
    assert (tree.size, tree.root()) == (end, root_of(end, read))


def test_an_edge_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="another length"):
        Tree(3, [LEAVES[0]])


def test_nothing_has_the_root_of_nothing() -> None:
    assert Tree(0, []).root() == hashlib.sha256().digest()


def test_inclusion_holds_for_its_own_leaf_place_and_root_alone() -> None:
    for size in (1, 2, 7, 8, 40):
        root = root_of(size, read)
        for number in range(size):
            proof = list(inclusion_proof(number, size, read))
            assert includes(LEAVES[number], number, size, proof, root)
            assert not includes(LEAVES[number - 1], number, size, proof, root) or size == 1
            assert not includes(LEAVES[number], number, size, [*proof, root], root)
            assert not includes(LEAVES[number], number, size, proof, LEAVES[0]) or size == 1
            assert not proof or not includes(LEAVES[number], number, size, proof[:-1], root)
    assert not includes(LEAVES[0], -1, 4, [], LEAVES[0])
    assert not includes(LEAVES[0], 4, 4, [], LEAVES[0])


def test_consistency_holds_for_its_own_roots_alone() -> None:
    for old, size in product(range(1, 41), (1, 2, 16, 33, 40)):
        if old > size:
            continue
        proof, roots = list(consistency_proof(old, size, read)), (root_of(old, read), root_of(size, read))
        assert extends(old, roots[0], size, roots[1], proof)
        assert not extends(old, LEAVES[39], size, roots[1], proof)
        assert not extends(old, roots[0], size, LEAVES[39], proof)
        assert not extends(old, roots[0], size, roots[1], [*proof, LEAVES[0]])
    assert not extends(5, root_of(5, read), 4, root_of(4, read), [])
    assert extends(0, b"", 4, root_of(4, read), [])
