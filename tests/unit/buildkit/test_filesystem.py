"""File systems laid over one another and compared."""

from __future__ import annotations

import io
import tarfile

from builder.buildkit.filesystem import flatten, name_differences


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


def test_a_whiteout_removes_what_lies_below() -> None:
    assert set(flatten([layer(a=b"1", b=b"2"), layer(**{".wh.a": b""})])) == {"b"}
