"""Documents that entries speak of (locks, manifests, configs, reports), kept by digest, each as its difference from another.

A stack's lock of tonight is yesterday's but for a few lines: compressed with yesterday's as a dictionary, it takes a few
hundred bytes. A document is a function of its row and of the row's base; chains of bases are short.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import zstandard

from builder.digest import Digest
from builder.errors import LedgerError

MAX_DOCUMENT_BYTES: Final = 64 << 20
MAX_DEPTH: Final = 48
"""Most documents that have to be read before one can be; the next one is kept whole."""
_LEAST_DEPTH: Final = 16
_LEVEL: Final = 9
_LARGEST_WINDOW_LOG: Final = 27


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentRow:
    """A document as it is kept."""

    digest: Digest
    """Of the document."""
    base: Digest | None
    """Of the document that it differs from; None where it is whole."""
    depth: int
    """Documents below it."""
    data: bytes
    """A zstd frame."""

    @property
    def stored(self) -> Digest:
        """Hash the row: all of its columns."""
        head = f"{self.digest}\n{self.base or ''}\n{self.depth}\n".encode()
        return Digest.of(head + self.data)


def encode(document: bytes, base: tuple[DocumentRow, bytes] | None = None) -> DocumentRow:
    """Make the row of a document.

    Args:
        document: its bytes.
        base: row and bytes of a document much like it; of one that is too deep already, nothing is made use of.

    Raises:
        LedgerError: the document is too large.
    """
    if len(document) > MAX_DOCUMENT_BYTES:
        raise LedgerError(f"a document of {len(document)} bytes; at most {MAX_DOCUMENT_BYTES} are kept")
    digest = Digest.of(document)
    if base is None or base[0].depth >= _depth_for(digest) or base[0].digest == digest:
        return DocumentRow(digest=digest, base=None, depth=0, data=_compressor(b"", document).compress(document))
    row, below = base
    data = _compressor(below, document).compress(document)
    return DocumentRow(digest=digest, base=row.digest, depth=row.depth + 1, data=data)


def _depth_for(digest: Digest) -> int:
    """Choose how deep a document may lie: not all stacks of a fleet shall have theirs kept whole in the same night."""
    return _LEAST_DEPTH + int(digest.hex[:8], 16) % (MAX_DEPTH - _LEAST_DEPTH + 1)


def decode(row: DocumentRow, base: bytes) -> bytes:
    """Read a document.

    Args:
        row: as kept.
        base: the document that it differs from; empty where it is whole.

    Raises:
        LedgerError: what comes out is not the document.
    """
    document = decompress(row, base)
    if Digest.of(document) != row.digest:
        raise LedgerError("is another than its digest says", context=f"document {row.digest}")
    return document


def decompress(row: DocumentRow, base: bytes) -> bytes:
    """Unpack what may be a document: of those below another one, only what comes out at the top is hashed."""
    decompressor = zstandard.ZstdDecompressor(dict_data=_dictionary(base), max_window_size=1 << _LARGEST_WINDOW_LOG)
    try:
        # A frame's own word of its size is what would be allocated.
        if zstandard.get_frame_parameters(row.data).content_size > MAX_DOCUMENT_BYTES:
            raise LedgerError("claims to be larger than documents are", context=f"document {row.digest}")
        return decompressor.decompress(row.data, max_output_size=MAX_DOCUMENT_BYTES, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise LedgerError(f"cannot be read: {error}", context=f"document {row.digest}") from error


def _compressor(base: bytes, document: bytes) -> zstandard.ZstdCompressor:
    # The window must reach over both, or the beginning of the base is out of sight.
    window = min(_LARGEST_WINDOW_LOG, max(10, (len(base) + len(document)).bit_length()))
    parameters = zstandard.ZstdCompressionParameters.from_level(
        _LEVEL, source_size=len(document), dict_size=len(base), window_log=window
    )
    return zstandard.ZstdCompressor(compression_params=parameters, dict_data=_dictionary(base))


def _dictionary(base: bytes) -> zstandard.ZstdCompressionDict | None:
    return zstandard.ZstdCompressionDict(base, dict_type=zstandard.DICT_TYPE_RAWCONTENT) if base else None
