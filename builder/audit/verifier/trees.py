"""Merkle trees and their proofs, without a ledger.

Source: RFC 9162, 2.1.
"""

from __future__ import annotations

import hashlib


def node(left: bytes, right: bytes) -> bytes:
    """Hash two subtrees."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def leaf(line: bytes) -> bytes:
    """Hash an entry."""
    return hashlib.sha256(b"\x00" + line).digest()


def includes(held: bytes, number: int, size: int, proof: list[bytes], root: bytes) -> bool:
    """Tell whether a proof leads from a leaf to a root (RFC 9162, 2.1.3.2)."""
    fn, sn = number, size - 1
    if not 0 <= fn <= sn:
        return False
    for other in proof:
        if sn == 0:
            return False
        if fn % 2 or fn == sn:
            held = node(other, held)
            while not fn % 2 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            held = node(held, other)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and held == root


def extends(old: int, old_root: bytes, size: int, root: bytes, proof: list[bytes]) -> bool:
    """Tell whether a proof shows that one tree is the beginning of another (RFC 9162, 2.1.4.2)."""
    if not 0 < old <= size:
        return old == 0
    if old == size:
        return not proof and old_root == root
    path = [old_root, *proof] if old & (old - 1) == 0 else list(proof)
    if not path:
        return False
    fn, sn = old - 1, size - 1
    while fn % 2:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = path[0]
    for other in path[1:]:
        if sn == 0:
            return False
        if fn % 2 or fn == sn:
            fr, sr = node(other, fr), node(other, sr)
            while not fn % 2 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = node(sr, other)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and fr == old_root and sr == root


class Tree:
    """A Merkle tree that grows by leaves, begun by the roots of the full subtrees of those before."""

    def __init__(self, size: int, edge: list[bytes]) -> None:
        self.size = size
        levels = [level for level in range(size.bit_length() - 1, -1, -1) if size >> level & 1]
        if len(levels) != len(edge):
            raise ValueError("the edge of the tree has another length")
        self.held = [(level, edge[position]) for position, level in enumerate(levels)]

    def add(self, held: bytes) -> None:
        """Add a leaf."""
        level = 0
        while self.held and self.held[-1][0] == level:
            held, level = node(self.held.pop()[1], held), level + 1
        self.held.append((level, held))
        self.size += 1

    def root(self) -> bytes:
        """Find the root of all leaves up to now."""
        if not self.held:
            return hashlib.sha256(b"").digest()
        held = self.held[-1][1]
        for _, left in reversed(self.held[:-1]):
            held = node(left, held)
        return held
