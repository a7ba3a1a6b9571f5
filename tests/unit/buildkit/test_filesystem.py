"""File systems laid over one another and compared."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator

import pytest

from builder.buildkit.filesystem import flatten, flatten_some, name_differences
from builder.errors import IntegrityError
from tests.support.base_images import odd, tar_of


def layer(**files: bytes | None) -> list[bytes]:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data or b"")
            tar.addfile(member, io.BytesIO(data or b""))
    return [raw.getvalue()]


def test_equal_file_systems_have_no_differences_however_they_are_layered() -> None:
    assert name_differences(flatten([layer(a=b"1"), layer(b=b"2")]), flatten([layer(a=b"1", b=b"2")])) == ()


def test_changed_missing_and_added_paths_are_named() -> None:
    told = name_differences(flatten([layer(a=b"1", b=b"2")]), flatten([layer(a=b"3", c=b"4")]))
    assert [line.split(":")[0] for line in told] == ["/a", "/b", "/c"]


def test_a_file_capability_is_a_difference() -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        member = tarfile.TarInfo("a")
        member.pax_headers = {"SCHILY.xattr.security.capability": "\x01"}
        archive.addfile(member)
    told = name_differences(flatten([layer(a=b"")]), flatten([[buffer.getvalue()]]))
    assert told[0].startswith("/a: attributes is (('SCHILY.xattr.security.capability'")


def test_a_hard_link_cannot_change_the_rights_of_a_file() -> None:
    link = odd("b", tarfile.LNKTYPE, "a")
    link.mode = 0o4755
    with pytest.raises(IntegrityError, match="states other rights"):
        flatten([[tar_of({"a": b"1", "b": link})]])
    link.mode = 0o755
    assert flatten([[tar_of({"a": b"1", "b": link})]])["b"] == flatten([[tar_of({"a": b"1"})]])["a"]


@pytest.mark.parametrize(
    "hostile",
    [
        {"bin": "usr/bin", "usr/bin/bash": b"1", "bin/.wh.bash": b""},
        {"usr/x/../.wh.bin": b""},
        {"a": b"1", ".wh.a": b""},
        {"/a": b"1"},
    ],
)
def test_what_hides_files_from_one_reader_alone_is_refused(hostile: dict[str, str | bytes]) -> None:
    with pytest.raises(IntegrityError):
        flatten([[tar_of(hostile)]])


def test_a_whiteout_removes_what_lies_below() -> None:
    assert set(flatten([layer(a=b"1", b=b"2"), layer(**{".wh.a": b""})])) == {"b"}


def test_some_layers_are_laid_over_one_another_without_the_others() -> None:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as tar:
        link = tarfile.TarInfo("b")
        link.type, link.linkname = tarfile.LNKTYPE, "below/a"
        tar.addfile(link)
    nodes = flatten_some(
        [("one", layer(a=b"1", c=b"2")), ("two", [raw.getvalue()]), ("three", layer(**{".wh.c": b""}))]
    )
    assert {path: (node.kind, node.target, node.layer) for path, node in nodes.items()} == {
        "a": ("file", "", "one"),
        "b": ("hardlink", "below/a", "two"),
        "c": ("whiteout", "", "three"),
    }
    # In which layer it lies makes no difference.
    assert flatten_some([("x", layer(a=b"1"))]) == flatten([layer(a=b"1")])


def test_a_layer_is_read_to_its_end_so_that_its_hash_is_checked() -> None:
    def chunks() -> Iterator[bytes]:
        # More than is read ahead of the tar's end.
        yield layer(a=b"1")[0] + bytes(3 << 20)
        raise IntegrityError("is another than its digest says")

    with pytest.raises(IntegrityError, match="is another"):
        flatten([chunks()])
