from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from builder.atomic import TEMPORARY_PREFIX, alone_in, replacing


def test_a_file_is_replaced_whole_and_with_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    before = os.umask(0o077)
    try:
        with replacing(path, mode=0o644, durable=True) as stream:
            stream.write(b"new")
            assert path.read_bytes() == b"old"
    finally:
        os.umask(before)
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o644
    assert [left.name for left in tmp_path.iterdir()] == ["file"]


def test_the_old_file_stays_where_writing_fails(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises(ZeroDivisionError), replacing(path, mode=0o644) as stream:  # noqa: PT012  the block is the subject
        stream.write(b"half")
        raise ZeroDivisionError
    assert path.read_bytes() == b"old"
    assert [left.name for left in tmp_path.iterdir()] == ["file"]


def test_what_a_killed_writer_left_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "file"
    (tmp_path / f"{TEMPORARY_PREFIX}file").write_bytes(b"half of something longer")
    with replacing(path, mode=0o644) as stream:
        stream.write(b"new")
    assert path.read_bytes() == b"new"
    assert [left.name for left in tmp_path.iterdir()] == ["file"]


def test_a_link_in_the_place_of_the_leftover_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "other").write_bytes(b"precious")
    (tmp_path / f"{TEMPORARY_PREFIX}file").symlink_to("other")
    with pytest.raises(OSError, match="symbolic"), replacing(tmp_path / "file", mode=0o644):
        pass
    assert (tmp_path / "other").read_bytes() == b"precious"


def test_writers_at_the_same_time_come_one_after_the_other(tmp_path: Path) -> None:
    path = tmp_path / "file"

    def write(letter: bytes) -> None:
        for _ in range(5):
            with replacing(path, mode=0o644) as stream:
                for _ in range(50):
                    stream.write(letter * 1000)
                    stream.flush()

    threads = [threading.Thread(target=write, args=(letter,)) for letter in (b"a", b"b", b"c")]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        if path.exists():
            data = path.read_bytes()
            assert (len(data), len(set(data))) == (50_000, 1)
    assert [left.name for left in tmp_path.iterdir()] == ["file"]


def test_a_folder_is_written_by_one_at_a_time(tmp_path: Path) -> None:
    inside: list[int] = []
    most = 0

    def work(number: int) -> None:
        nonlocal most
        for _ in range(50):
            with alone_in(tmp_path):
                inside.append(number)
                most = max(most, len(inside))
                inside.remove(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1
