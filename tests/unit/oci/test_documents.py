"""Manifest, config, index and descriptor: written and read back, and what reading refuses."""

from __future__ import annotations

import json
from typing import Any

import pytest

from builder.canonical import dump_json
from builder.digest import Digest
from builder.errors import DigestMismatchError, IntegrityError
from builder.oci import media
from builder.oci.config import Config, History, RunConfig, dump_config, parse_config
from builder.oci.descriptor import Descriptor, describe, verify_bytes
from builder.oci.index import Index, dump_index, parse_index
from builder.oci.manifest import Manifest, dump_manifest, parse_manifest
from builder.platform import AMD64, ARM64

LAYER = describe(media.LAYER_ZSTD, b"layer")
MANIFEST = Manifest(config=describe(media.CONFIG, b"{}"), layers=(LAYER,), annotations=(("a", "b"),))
CONFIG = Config(
    platform=ARM64,
    created=1_790_000_000,
    run=RunConfig(
        user="50000:0",
        env=("A=b",),
        entrypoint=("/entrypoint",),
        working_dir="/opt",
        labels=(("l", "m"),),
        exposed_ports=("8080/tcp",),
    ),
    diff_ids=(Digest.of(b"tar"),),
    history=(History(created=1_790_000_000, created_by="us"),),
)


def test_documents_are_read_back_as_written() -> None:
    index = Index(manifests=(Descriptor(media_type=media.MANIFEST, digest=LAYER.digest, size=5, platform=AMD64),))
    assert parse_manifest(dump_manifest(MANIFEST)) == MANIFEST
    assert parse_config(dump_config(CONFIG)) == CONFIG
    assert parse_index(dump_index(index)) == index


def test_the_config_has_the_fields_of_the_specification() -> None:
    value = json.loads(dump_config(CONFIG))
    assert value["architecture"] == "arm64"
    assert value["created"] == "2026-09-21T14:13:20Z"
    assert value["rootfs"] == {"type": "layers", "diff_ids": [str(Digest.of(b"tar"))]}
    assert value["config"]["ExposedPorts"] == {"8080/tcp": {}}
    assert "Cmd" not in value["config"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schemaVersion": 1}, "manifest: schemaVersion must be 2, got 1"),
        ({"schemaVersion": True}, "manifest: schemaVersion must be 2, got True"),
        ({"mediaType": "x"}, f"manifest: mediaType must be '{media.MANIFEST}', got 'x'"),
        ({"extra": 1}, "manifest: unknown field 'extra'"),
        ({"layers": {}}, "manifest: layers must be a list, got {}"),
        ({"layers": [{}]}, "manifest: layers[0]: mediaType must be a string, it is missing"),
        ({"config": None}, "manifest: config: not a JSON object"),
    ],
)
def test_a_wrong_manifest_is_refused_by_field(change: dict[str, Any], message: str) -> None:
    raw = dump_json(json.loads(dump_manifest(MANIFEST)) | change)
    with pytest.raises(IntegrityError) as caught:
        parse_manifest(raw)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("digest", "sha256:00", "manifest: layers[0]: digest must be a sha256 digest, got 'sha256:00'"),
        ("digest", "md5:00", "manifest: layers[0]: digest must be a sha256 digest, got 'md5:00'"),
        ("size", -1, "manifest: layers[0]: size must be a whole number, got -1"),
        ("size", True, "manifest: layers[0]: size must be a whole number, got True"),
        ("mediaType", media.CONFIG, f"manifest: layers[0]: not a layer: {media.CONFIG}"),
        ("annotations", {"a": 1}, "manifest: layers[0]: annotations must be an object of strings, got {'a': 1}"),
    ],
)
def test_a_wrong_descriptor_is_refused_by_field(field: str, value: object, message: str) -> None:
    document = json.loads(dump_manifest(MANIFEST))
    document["layers"][0][field] = value
    with pytest.raises(IntegrityError) as caught:
        parse_manifest(dump_json(document))
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"[]", "manifest: not a JSON object"),
        (b"{", "manifest: not JSON"),
        (b'{"a":1,"a":2}', "manifest: the key 'a' stands twice in one object"),
        (b" " * 5_000_000, "manifest: 5000000 bytes are more than the 4194304 allowed"),
        (b"[" * 100_000, "manifest: not JSON"),
    ],
    ids=["list", "cut", "double", "long", "deep"],
)
def test_bytes_that_are_no_document_are_refused(raw: bytes, message: str) -> None:
    with pytest.raises(IntegrityError) as caught:
        parse_manifest(raw)
    assert str(caught.value).startswith(message)


def test_a_config_whose_history_does_not_fit_is_refused() -> None:
    value = json.loads(dump_config(CONFIG))
    with pytest.raises(IntegrityError, match="0 lines of history for 1 layers"):
        parse_config(dump_json(value | {"history": []}))


def test_bytes_are_checked_against_their_descriptor() -> None:
    assert verify_bytes(LAYER, b"layer") == b"layer"
    with pytest.raises(DigestMismatchError):
        verify_bytes(LAYER, b"lay3r")
