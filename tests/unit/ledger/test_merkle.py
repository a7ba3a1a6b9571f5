"""The Merkle tree, against the definition of RFC 6962 written out, and its published example."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.ledger.merkle import (
    EMPTY_ROOT,
    consistency_proof,
    edge_of,
    inclusion_proof,
    iter_new_nodes,
    leaf_hash,
    root_of,
    verify_consistency,
    verify_inclusion,
)

# The leaves and roots that implementations of certificate transparency test each other with.
LEAVES = [
    "",
    "00",
    "10",
    "2021",
    "3031",
    "40414243",
    "5051525354555657",
    "606162636465666768696a6b6c6d6e6f",
]
ROOTS = {
    1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    2: "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    3: "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    5: "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
}


def definition(leaves: list[bytes]) -> bytes:
    """MTH of RFC 6962, section 2.1."""
    if not leaves:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    half = 1
    while half * 2 < len(leaves):
        half *= 2
    return hashlib.sha256(b"\x01" + definition(leaves[:half]) + definition(leaves[half:])).digest()


class Tree:
    """Nodes as a ledger keeps them."""

    def __init__(self, leaves: list[bytes]) -> None:
        self.nodes: dict[tuple[int, int], bytes] = {}
        self.size = 0
        for leaf in leaves:
            for level, position, value in iter_new_nodes(self.size, leaf_hash(leaf), self.read):
                assert (level, position) not in self.nodes
                self.nodes[level, position] = value
            self.size += 1

    def read(self, level: int, position: int) -> bytes:
        return self.nodes[level, position]


@pytest.mark.parametrize("size", sorted(ROOTS))
def test_roots_are_those_that_others_publish(size: int) -> None:
    tree = Tree([bytes.fromhex(leaf) for leaf in LEAVES[:size]])
    assert root_of(size, tree.read).hex() == ROOTS[size]


def test_nothing_has_the_hash_of_nothing() -> None:
    assert root_of(0, Tree([]).read) == EMPTY_ROOT == definition([])


@given(st.integers(1, 70))
def test_every_size_has_the_root_of_the_definition(size: int) -> None:
    leaves = [str(number).encode() for number in range(size)]
    tree = Tree(leaves)
    for part in range(size + 1):
        assert root_of(part, tree.read) == definition(leaves[:part])
    assert len(tree.nodes) < 2 * size


@given(st.integers(1, 70), st.data())
def test_an_inclusion_proof_holds_for_its_leaf_alone(size: int, data: st.DataObject) -> None:
    leaves = [str(number).encode() for number in range(size)]
    tree = Tree(leaves)
    number = data.draw(st.integers(0, size - 1))
    proof = inclusion_proof(number, size, tree.read)
    root = root_of(size, tree.read)
    assert verify_inclusion(leaf_hash(leaves[number]), number, size, proof, root)
    assert not verify_inclusion(leaf_hash(b"another"), number, size, proof, root)
    assert not verify_inclusion(leaf_hash(leaves[number]), number, size, (*proof, root), root)
    for other in {0, size - 1} - {number}:
        assert not verify_inclusion(leaf_hash(leaves[number]), other, size, proof, root)
    if proof:
        assert not verify_inclusion(leaf_hash(leaves[number]), number, size, proof[:-1], root)


@given(st.integers(1, 70), st.data())
def test_a_consistency_proof_holds_for_a_beginning_alone(size: int, data: st.DataObject) -> None:
    tree = Tree([str(number).encode() for number in range(size)])
    old = data.draw(st.integers(1, size))
    proof = consistency_proof(old, size, tree.read)
    before, after = root_of(old, tree.read), root_of(size, tree.read)
    assert verify_consistency(old, before, size, after, proof)
    assert not verify_consistency(old, hashlib.sha256(b"x").digest(), size, after, proof)
    assert not verify_consistency(old, before, size, hashlib.sha256(b"x").digest(), proof)
    assert not verify_consistency(old, before, size, after, (*proof, before))


def test_proofs_of_what_is_not_there_are_refused() -> None:
    tree = Tree([b"a", b"b"])
    with pytest.raises(ValueError, match="no leaf 2 among 2"):
        inclusion_proof(2, 2, tree.read)
    with pytest.raises(ValueError, match="no tree of 3 within 2"):
        consistency_proof(3, 2, tree.read)
    assert not verify_inclusion(leaf_hash(b"a"), 5, 2, (), b"")
    assert not verify_consistency(0, b"", 2, b"", ())


@given(st.integers(0, 70), st.integers(0, 70))
def test_an_edge_and_the_leaves_after_it_make_up_the_tree(size: int, more: int) -> None:
    leaves = [str(number).encode() for number in range(size + more)]
    edge = edge_of(size, Tree(leaves).read)
    assert len(edge) == size.bit_count()
    held = definition(leaves[:size])
    if edge:
        root = edge[-1]
        for left in reversed(edge[:-1]):
            root = hashlib.sha256(b"\x01" + left + root).digest()
        assert root == held
