"""Layouts: what makes one valid."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest

from builder.digest import Digest
from builder.errors import BuilderError, MissingBlobError
from builder.image.compress import decompress
from builder.oci import media
from builder.oci.config import Config, History, RunConfig, dump_config
from builder.oci.descriptor import Descriptor, describe
from builder.oci.index import Index, dump_index
from builder.oci.layout import (
    INDEX_FILE,
    LAYOUT_BYTES,
    LAYOUT_FILE,
    blob_path,
    dump_layout_index,
    parse_layout,
    validate_layout,
)
from builder.oci.manifest import Manifest, dump_manifest
from builder.platform import AMD64, ARM64

TAR = bytes(1024)


@dataclass(frozen=True)
class MemoryLayout:
    """A LayoutReader in memory."""

    files: dict[str, bytes]

    def read(self, path: str) -> bytes:
        if path not in self.files:
            raise MissingBlobError("not there", context=path)
        return self.files[path]

    def chunks(self, path: str) -> Iterator[bytes]:
        yield self.read(path)

    def blobs(self) -> tuple[str, ...]:
        return tuple(sorted(path.rpartition("/")[2] for path in self.files if path.startswith("blobs/")))


def _config(**changes: object) -> Config:
    config = Config(
        platform=AMD64,
        created=0,
        run=RunConfig(user="0", env=(), entrypoint=(), working_dir="/"),
        diff_ids=(Digest.of(TAR),),
        history=(History(created=0, created_by=""),),
    )
    return replace(config, **changes)  # type: ignore[arg-type]


def _layout(config: Config, *, platform: object = AMD64, times: int = 1) -> MemoryLayout:
    raw = dump_config(config)
    layer = describe(media.LAYER_TAR, TAR)
    manifest = dump_manifest(Manifest(config=describe(media.CONFIG, raw), layers=(layer,)))
    plain = describe(media.MANIFEST, manifest)
    named = Descriptor(
        media_type=plain.media_type,
        digest=plain.digest,
        size=plain.size,
        platform=platform,  # type: ignore[arg-type]
    )
    index = dump_index(Index(manifests=(named,) * times))
    files = {blob_path(Digest.of(data)): data for data in (TAR, raw, manifest, index)}
    top = dump_layout_index("tiny", describe(media.INDEX, index))
    return MemoryLayout(files | {LAYOUT_FILE: LAYOUT_BYTES, INDEX_FILE: top})


def test_a_whole_layout_is_valid() -> None:
    image = validate_layout(_layout(_config()), decompress)
    assert image.name == "tiny"
    assert [str(found.platform) for found in image.platforms] == ["linux/amd64"]
    assert len(list(image.descriptors())) == 4


@pytest.mark.parametrize(
    ("layout", "message"),
    [
        (_layout(_config(), platform=ARM64), "config: is for linux/amd64, the index says linux/arm64"),
        (_layout(_config(), times=2), "index: must hold one manifest for each platform"),
        (_layout(_config(diff_ids=(), history=())), "config of linux/amd64: 0 diff_ids for 1 layers"),
        (_layout(_config(diff_ids=(Digest.of(b""),))), "unpacks to sha256:5f70bf18"),
    ],
    ids=["platform", "double", "count", "diff_id"],
)
def test_a_layout_that_contradicts_itself_is_refused(layout: MemoryLayout, message: str) -> None:
    with pytest.raises(BuilderError) as caught:
        validate_layout(layout, decompress)
    assert message in str(caught.value)


def test_every_missing_damaged_and_foreign_blob_is_named() -> None:
    layout = _layout(_config())
    layer = blob_path(Digest.of(TAR))
    foreign = Digest.of(b"foreign").hex
    files = layout.files | {layer: TAR[:-1] + b"x", f"blobs/sha256/{foreign}": b"foreign"}
    with pytest.raises(BuilderError) as caught:
        validate_layout(MemoryLayout(files), decompress)
    assert str(caught.value).count("\n") == 1
    assert layer in str(caught.value)
    assert f"blobs/sha256/{foreign}: nothing refers to this blob" in str(caught.value)


def test_a_layout_needs_its_marker_and_one_named_index() -> None:
    files = _layout(_config()).files
    with pytest.raises(BuilderError, match=r"imageLayoutVersion must be '1\.0\.0'"):
        parse_layout(MemoryLayout(files | {LAYOUT_FILE: b"{}"}))
    with pytest.raises(BuilderError, match="must name exactly one image index"):
        parse_layout(MemoryLayout(files | {INDEX_FILE: dump_index(Index(manifests=()))}))
