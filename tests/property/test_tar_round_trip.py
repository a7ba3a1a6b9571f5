"""Python's own tarfile reads back what our writer wrote."""

from __future__ import annotations

import io
import tarfile

from hypothesis import given, settings
from hypothesis import strategies as st

from builder.entry import Entry, EntryKind, directory_entry
from builder.image.tarball import END_OF_ARCHIVE, MTIME_EPOCH, directory_header, iter_tar, sort_entries

_PART = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=120).filter(
    lambda part: part not in {".", ".."}
)
_PATH = st.lists(_PART, min_size=1, max_size=6).map("/".join)
_ID = st.one_of(st.integers(0, 70000), st.integers(2**21 - 2, 2**31))


@st.composite
def _entries(draw: st.DrawFn) -> tuple[Entry, ...]:
    paths = draw(st.lists(_PATH, max_size=8, unique=True))
    files: list[str] = []
    entries = []
    for path in paths:
        kind = draw(st.sampled_from([EntryKind.FILE, EntryKind.SYMLINK, EntryKind.HARDLINK]))
        mode, uid, gid = draw(st.integers(0, 0o7777)), draw(_ID), draw(_ID)
        if kind is EntryKind.HARDLINK and files:
            entries.append(
                Entry(path=path, kind=kind, target=draw(st.sampled_from(files)), mode=mode, uid=uid, gid=gid)
            )
        elif kind is EntryKind.SYMLINK:
            entries.append(Entry(path=path, kind=kind, target=draw(_PATH), mode=mode, uid=uid, gid=gid))
        else:
            files.append(path)
            entries.append(Entry(path=path, data=draw(st.binary(max_size=1100)), mode=mode, uid=uid, gid=gid))
    return tuple(entries)


_KINDS = {tarfile.REGTYPE: EntryKind.FILE, tarfile.SYMTYPE: EntryKind.SYMLINK, tarfile.LNKTYPE: EntryKind.HARDLINK}


def _read(raw: bytes) -> tuple[Entry, ...]:
    found = []
    with tarfile.open(fileobj=io.BytesIO(raw), mode="r:", errors="strict") as tar:
        for member in tar:
            assert member.mtime == MTIME_EPOCH
            assert (member.uname, member.gname) == ("", "")
            handle = tar.extractfile(member) if member.isreg() else None
            found.append(
                Entry(
                    path=member.name,
                    kind=_KINDS[member.type],
                    data=handle.read() if handle else b"",
                    target=member.linkname,
                    mode=member.mode,
                    uid=member.uid,
                    gid=member.gid,
                ),
            )
    return tuple(found)


@settings(max_examples=60, deadline=None)
@given(_entries())
def test_tarfile_reads_back_every_entry(entries: tuple[Entry, ...]) -> None:
    ordered = sort_entries(entries)
    raw = b"".join(iter_tar(ordered)) + END_OF_ARCHIVE
    assert len(raw) % 512 == 0
    assert _read(raw) == ordered


@settings(max_examples=60, deadline=None)
@given(_entries(), st.randoms(use_true_random=False))
def test_bytes_do_not_depend_on_the_order_given(entries: tuple[Entry, ...], random: object) -> None:
    shuffled = list(entries)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert b"".join(iter_tar(sort_entries(shuffled))) == b"".join(iter_tar(sort_entries(entries)))


@given(_PATH, st.integers(0, 0o7777))
def test_directories_of_any_length_are_read_back(path: str, mode: int) -> None:
    raw = directory_header(directory_entry(path, mode=mode, uid=50000)) + END_OF_ARCHIVE
    with tarfile.open(fileobj=io.BytesIO(raw), mode="r:") as tar:
        (member,) = tar.getmembers()
    assert (member.name, member.mode, member.uid, member.isdir()) == (path, mode, 50000, True)
