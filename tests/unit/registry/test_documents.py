"""Manifests of anybody: what others could not read alike, or nobody could write again, is refused; one bad entry spoils no list."""

from __future__ import annotations

import json

import pytest

from builder.errors import IntegrityError
from builder.oci import media
from builder.oci.descriptor import Descriptor, describe, descriptor_to_json
from builder.oci.fields import parse_object
from builder.registry.documents import parse_links, parse_referrers

ONE = describe(media.MANIFEST, b"one")
BAD: list[object] = [None, 1, "x", [], {}, {"digest": "sha512:" + "0" * 128}, descriptor_to_json(ONE) | {"size": -1}]


@pytest.mark.parametrize("entry", BAD)
def test_entry_that_cannot_be_read_hides_no_other(entry: object) -> None:
    data = json.dumps({"manifests": [entry, descriptor_to_json(ONE), entry]}).encode()
    assert [found.descriptor.digest for found in parse_referrers(data, context="x")] == [ONE.digest]


@pytest.mark.parametrize("manifests", [None, {}, "x"])
def test_list_that_is_none_is_refused(manifests: object) -> None:
    with pytest.raises(IntegrityError, match="x: manifests must be a list"):
        parse_referrers(json.dumps({"manifests": manifests}).encode(), context="x")


@pytest.mark.parametrize(
    "data",
    [
        b'{"a": "\\ud800"}',
        b'{"\\udfff": 1}',
        b'{"a": "\xed\xa0\x80"}',
        b'\xef\xbb\xbf{"a": 1}',
        '{"a": 1}'.encode("utf-16"),
        b'{"a": NaN}',
        b'{"a": -Infinity}',
        b'{"a": "\xff"}',
        b'{"a": 1, "a": 1}',
        b"[" * 100_000,
    ],
)
def test_document_that_others_read_otherwise_is_refused(data: bytes) -> None:
    with pytest.raises(IntegrityError):
        parse_object(data, context="x")


def test_characters_by_escapes_are_read() -> None:
    assert parse_object(b'{"a": "\\ud83d\\ude00\\u00e4\\\\u"}', context="x")["a"] == "\U0001f600\u00e4\\u"


@pytest.mark.parametrize("size", [-1, 1 << 63, 10**400, 1.5, True, "1"])
def test_size_that_no_blob_has_is_refused(size: object) -> None:
    layer = descriptor_to_json(Descriptor(media_type=media.LAYER_TAR, digest=ONE.digest, size=0)) | {"size": size}
    value = {"config": descriptor_to_json(ONE), "layers": [layer]}
    with pytest.raises(IntegrityError, match="size must be a whole number"):
        parse_links(json.dumps(value).encode(), media.MANIFEST, context="x")
