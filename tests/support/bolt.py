"""Writes the file of a bbolt database, which Trivy's is: buckets within buckets, each on one leaf page that is as long as it needs.

The same content gives the same bytes. Written whole and never changed, so there is nothing free and one transaction.

Source: etcd-io/bbolt, page.go, bucket.go and db.go: version 2 of the file's format.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Final, TypeAlias

Bucket: TypeAlias = "Mapping[str, bytes | Bucket]"

_PAGE: Final = 4096
_HEADER: Final = struct.Struct("<QHHI")
"""Number, flags, count of elements, further pages."""
_ELEMENT: Final = struct.Struct("<IIII")
"""Flags, place of the key counted from the element, lengths of key and value."""
_META: Final = struct.Struct("<IIIIQQQQQ")
_MAGIC: Final = 0xED0CDAED
_VERSION: Final = 2
_LEAF, _META_PAGE, _FREELIST = 0x02, 0x04, 0x10
_BUCKET_ELEMENT: Final = 1
_FIRST: Final = 3
"""Pages 0 and 1 are the two metas, page 2 lists what is free."""
_LEAST_PAGES: Final = 8


def dump_bolt(root: Bucket) -> bytes:
    """Write a database whose root bucket holds these buckets and values."""
    pages: list[bytes] = []
    top = _write(root, pages)
    count = _FIRST + sum(len(page) // _PAGE for page in pages)
    file = _meta(0, top, count) + _meta(1, top, count) + _padded(_HEADER.pack(2, _FREELIST, 0, 0)) + b"".join(pages)
    return file.ljust(_LEAST_PAGES * _PAGE, b"\0")


def _write(bucket: Bucket, pages: list[bytes]) -> int:
    """Write a bucket behind those that it holds; gives the number of its page."""
    elements: list[tuple[int, bytes, bytes]] = []
    for key in sorted(bucket, key=str.encode):
        value = bucket[key]
        if isinstance(value, bytes):
            elements.append((0, key.encode(), value))
        else:
            elements.append((_BUCKET_ELEMENT, key.encode(), struct.pack("<QQ", _write(value, pages), 0)))
    body = _leaf(elements)
    number = _FIRST + sum(len(page) // _PAGE for page in pages)
    further = -(-(_HEADER.size + len(body)) // _PAGE) - 1
    pages.append(_padded(_HEADER.pack(number, _LEAF, len(elements), further) + body))
    return number


def _leaf(elements: list[tuple[int, bytes, bytes]]) -> bytes:
    heads, data = b"", b""
    for position, (flags, key, value) in enumerate(elements):
        place = (len(elements) - position) * _ELEMENT.size + len(data)
        heads += _ELEMENT.pack(flags, place, len(key), len(value))
        data += key + value
    return heads + data


def _meta(number: int, root: int, count: int) -> bytes:
    fields = _META.pack(_MAGIC, _VERSION, _PAGE, 0, root, 0, 2, count, number)
    return _padded(_HEADER.pack(number, _META_PAGE, 0, 0) + fields + struct.pack("<Q", _checksum(fields)))


def _checksum(data: bytes) -> int:
    """FNV-1a of 64 bits."""
    found = 0xCBF29CE484222325
    for byte in data:
        found = ((found ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return found


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % _PAGE)
