"""Documents kept as differences: what comes out is what went in, small, and nothing else ever."""

from __future__ import annotations

import dataclasses

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from builder.digest import Digest
from builder.errors import LedgerError
from builder.ledger.documents import MAX_DEPTH, MAX_DOCUMENT_BYTES, DocumentRow, decode, encode
from tests.support.ledgers import iter_documents


@given(st.binary(max_size=5000), st.binary(max_size=5000))
def test_a_document_comes_back_whatever_it_differs_from(document: bytes, below: bytes) -> None:
    base = encode(below)
    row = encode(document, (base, below))
    assert decode(row, below if row.base else b"") == document


def test_a_document_much_like_another_takes_little_and_chains_end() -> None:
    rows: list[DocumentRow] = []
    documents: list[bytes] = []
    for new in iter_documents(3 * MAX_DEPTH):
        rows.append(encode(new.data, (rows[-1], documents[-1]) if rows else None))
        documents.append(new.data)
    assert [row.depth for row in rows[:3]] == [0, 1, 2]
    assert 16 <= max(row.depth for row in rows) <= MAX_DEPTH
    assert 3 <= sum(row.base is None for row in rows) <= 9
    assert max(len(row.data) for row in rows if row.base) < len(rows[0].data) / 20
    for row, document in zip(rows, documents, strict=True):
        assert decode(row, documents[rows.index(row) - 1] if row.base else b"") == document


def test_a_changed_row_is_no_document() -> None:
    row = encode(b"lock " * 100)
    for changed in (
        dataclasses.replace(row, data=row.data[:-1]),
        dataclasses.replace(row, data=row.data + b"x"),
        dataclasses.replace(row, digest=Digest.of(b"another")),
    ):
        with pytest.raises(LedgerError, match=f"document {changed.digest}"):
            decode(changed, b"")


def test_a_frame_that_claims_to_be_huge_is_refused_before_it_is_unpacked() -> None:
    frame = zstandard.ZstdCompressor().compress(b"")
    huge = frame[:4] + bytes([0xE0]) + (MAX_DOCUMENT_BYTES + 1).to_bytes(8, "little") + frame[6:]
    row = DocumentRow(digest=Digest.of(b""), base=None, depth=0, data=huge)
    with pytest.raises(LedgerError, match=r"claims to be larger|cannot be read"):
        decode(row, b"")


def test_a_document_too_large_is_refused() -> None:
    with pytest.raises(LedgerError, match="at most 67108864 are kept"):
        encode(b"\0" * (MAX_DOCUMENT_BYTES + 1))
