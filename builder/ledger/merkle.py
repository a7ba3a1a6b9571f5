"""The Merkle tree over a ledger's entries: its root stands for all of them, and a few hashes prove that one is among them.

- A leaf is sha256(0x00 || entry), a node sha256(0x01 || left || right); the tree of n leaves is split at the largest power
  of two below n.
- Nodes of full subtrees never change: they are what is kept, by level (0 for leaves) and position.

Source: RFC 6962, section 2.1; RFC 9162, sections 2.1.3 and 2.1.4, whose step numbers stand at the code.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from typing import Final

EMPTY_ROOT: Final = hashlib.sha256(b"").digest()

ReadNode = Callable[[int, int], bytes]
"""Given level and position, gives the 32 bytes of the root of a full subtree."""


def leaf_hash(entry: bytes) -> bytes:
    """Hash an entry's bytes."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash two subtrees, 32 bytes each."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def iter_new_nodes(size: int, leaf: bytes, read: ReadNode) -> Iterator[tuple[int, int, bytes]]:
    """Iterate over the nodes that a leaf makes full, the leaf itself first: level, position, hash.

    Args:
        size: leaves before this one.
        leaf: hash of the new one.
        read: gives nodes that are there already. Called once for each new level: log2 of the size at most.
    """
    level, position, held = 0, size, leaf
    yield level, position, held
    while position % 2:
        held = node_hash(read(level, position - 1), held)
        level, position = level + 1, position // 2
        yield level, position, held


def root_of(size: int, read: ReadNode) -> bytes:
    """Find the root of the first `size` leaves."""
    return _range_root(0, size, read) if size else EMPTY_ROOT


def edge_of(size: int, read: ReadNode) -> tuple[bytes, ...]:
    """List the roots of the full subtrees that the first `size` leaves make up, the largest first.

    Whoever has them, and the leaves that follow, finds the roots of both this tree and of all later ones.
    """
    levels = [level for level in range(size.bit_length() - 1, -1, -1) if size >> level & 1]
    # Where a subtree of a level begins, all of the larger ones are before it.
    return tuple(read(level, (size >> level) - 1) for level in levels)


def inclusion_proof(number: int, size: int, read: ReadNode) -> tuple[bytes, ...]:
    """List the hashes that lead from leaf `number` to the root of `size` leaves, lowest first."""
    if not 0 <= number < size:
        raise ValueError(f"no leaf {number} among {size}")
    return tuple(_path(number, 0, size, read))


def consistency_proof(old: int, size: int, read: ReadNode) -> tuple[bytes, ...]:
    """List the hashes that show that the tree of `old` leaves is the beginning of that of `size`."""
    if not 0 < old <= size:
        raise ValueError(f"no tree of {old} within {size}")
    return tuple(_subproof(old, 0, size, read, whole=True))


def verify_inclusion(leaf: bytes, number: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Tell whether a proof leads from a leaf to a root (RFC 9162, 2.1.3.2)."""
    if number >= size:  # 1
        return False
    fn, sn, held = number, size - 1, leaf  # 2, 3
    for other in proof:  # 4
        if sn == 0:  # 4a
            return False
        if fn % 2 or fn == sn:  # 4b
            held = node_hash(other, held)
            while not fn % 2 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            held = node_hash(held, other)
        fn, sn = fn >> 1, sn >> 1  # 4c
    return sn == 0 and held == root  # 5


def verify_consistency(old: int, old_root: bytes, size: int, root: bytes, proof: Sequence[bytes]) -> bool:
    """Tell whether a proof shows that the tree with `old_root` is the beginning of that with `root` (RFC 9162, 2.1.4.2)."""
    if not 0 < old <= size:
        return False
    if old == size:
        return not proof and old_root == root
    path = list(proof)
    if old & (old - 1) == 0:  # 2
        path.insert(0, old_root)
    if not path:  # 1
        return False
    fn, sn = old - 1, size - 1  # 3
    while fn % 2:  # 4
        fn, sn = fn >> 1, sn >> 1
    fr = sr = path[0]  # 5
    for other in path[1:]:  # 6
        if sn == 0:  # 6a
            return False
        if fn % 2 or fn == sn:  # 6b
            fr, sr = node_hash(other, fr), node_hash(other, sr)
            while not fn % 2 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = node_hash(sr, other)
        fn, sn = fn >> 1, sn >> 1  # 6c
    return sn == 0 and fr == old_root and sr == root  # 7


def _split(count: int) -> int:
    """Find the largest power of two below a count of two or more."""
    return 1 << ((count - 1).bit_length() - 1)


def _range_root(first: int, count: int, read: ReadNode) -> bytes:
    """Find the root of leaves from `first` on; `first` is a multiple of the power of two that holds `count`."""
    if count & (count - 1) == 0:
        level = count.bit_length() - 1
        return read(level, first >> level)
    half = _split(count)
    return node_hash(_range_root(first, half, read), _range_root(first + half, count - half, read))


def _path(number: int, first: int, count: int, read: ReadNode) -> Iterator[bytes]:
    if count == 1:
        return
    half = _split(count)
    if number < half:
        yield from _path(number, first, half, read)
        yield _range_root(first + half, count - half, read)
    else:
        yield from _path(number - half, first + half, count - half, read)
        yield _range_root(first, half, read)


def _subproof(old: int, first: int, count: int, read: ReadNode, *, whole: bool) -> Iterator[bytes]:
    if old == count:
        if not whole:
            yield _range_root(first, count, read)
        return
    half = _split(count)
    if old <= half:
        yield from _subproof(old, first, half, read, whole=whole)
        yield _range_root(first + half, count - half, read)
    else:
        yield from _subproof(old - half, first + half, count - half, read, whole=False)
        yield _range_root(first, half, read)
