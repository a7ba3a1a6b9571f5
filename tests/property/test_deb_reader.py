"""Whatever bytes come: a deb is read, or refused with an IntegrityError; nothing else happens."""

from __future__ import annotations

import contextlib

from hypothesis import given
from hypothesis import strategies as st

from builder.debian.deb import DebLimits, read_deb
from builder.errors import IntegrityError
from tests.support.debs import Item, folder, hardlink, make_deb, make_tar, symlink

ITEMS = (
    folder("./"),
    Item(name="./usr/bin/hello", data=b"#!/bin/sh\n" * 20),
    Item(name="./usr/share/" + "x" * 150),
    hardlink("./usr/bin/hallo", "./usr/bin/hello"),
    symlink("./usr/bin/hi", "hello"),
)
DEBS = {suffix: make_deb(ITEMS, suffix=suffix) for suffix in ("xz", "gz", "zst")}
TAR = make_tar(ITEMS)
CHANGES = st.lists(
    st.tuples(st.integers(min_value=0, max_value=1 << 16), st.binary(max_size=12)), min_size=1, max_size=4
)


def changed(data: bytes, changes: list[tuple[int, bytes]], *, insert: bool) -> bytes:
    for place, new in changes:
        at = place % (len(data) + 1)
        data = data[:at] + new + data[at if insert else at + len(new) :]
    return data


def read(data: bytes) -> None:
    with contextlib.suppress(IntegrityError):
        deb = read_deb(data, file_name="a.deb", limits=DebLimits(data_bytes=1 << 22, control_bytes=1 << 20))
        for entry in deb.entries:
            assert not entry.path.startswith("/")
            assert not {"", ".", ".."} & set(entry.path.split("/"))


@given(st.sampled_from(sorted(DEBS)), CHANGES, st.booleans())
def test_a_changed_deb_is_read_or_refused(suffix: str, changes: list[tuple[int, bytes]], insert: bool) -> None:  # noqa: FBT001
    read(changed(DEBS[suffix], changes, insert=insert))


@given(CHANGES, st.booleans())
def test_a_deb_around_a_changed_tar_is_read_or_refused(changes: list[tuple[int, bytes]], insert: bool) -> None:  # noqa: FBT001
    read(make_deb(data_tar=changed(TAR, changes, insert=insert), suffix="gz"))


@given(st.text(max_size=300))
def test_a_deb_with_any_control_text_is_read_or_refused(control: str) -> None:
    read(make_deb(control=control.encode(errors="replace").decode(), suffix="gz"))


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    read(data)
    read(b"!<arch>\n" + data)
