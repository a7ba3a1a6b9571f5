"""What an sdist may hold: everything that would leave its folder, or fill a disk, is refused before a byte is written."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile

import pytest

from builder.sdist.errors import Kind, SdistError
from builder.sdist.unpack import Limits, SourceFile, read_sdist
from tests.support.sdists import TOP, entry, make_sdist, make_tar

NAME = "demo-1.0.tar.gz"
GOOD = entry(f"{TOP}/setup.py", b"pass\n")


def test_files_stand_without_the_top_folder_and_with_plain_modes() -> None:
    data = make_tar(
        [
            entry(TOP, type=tarfile.DIRTYPE),
            entry(f"{TOP}/setup.py", b"pass\n", mode=0o4755),
            entry(f"{TOP}/a/b.txt", b"b", mode=0o600),
        ]
    )
    assert read_sdist(data, file_name=NAME) == (
        SourceFile(path="a/b.txt", data=b"b", executable=False),
        SourceFile(path="setup.py", data=b"pass\n", executable=True),
    )


def test_a_zip_is_an_sdist_too() -> None:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        archive.writestr(f"{TOP}/setup.py", "pass\n")
    assert [file.path for file in read_sdist(sink.getvalue(), file_name="demo-1.0.zip")] == ["setup.py"]


def test_a_zip_that_slips_is_refused() -> None:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        archive.writestr(f"{TOP}/../../evil", "pass\n")
    with pytest.raises(SdistError, match="climbs out"):
        read_sdist(sink.getvalue(), file_name="demo-1.0.zip")


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE])
def test_a_link_inside_becomes_the_file_it_leads_to(kind: bytes) -> None:
    target = "setup.py" if kind == tarfile.SYMTYPE else f"{TOP}/setup.py"
    data = make_tar([GOOD, entry(f"{TOP}/again.py", type=kind, linkname=target)])
    assert [file.data for file in read_sdist(data, file_name=NAME)] == [b"pass\n", b"pass\n"]


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (entry("/etc/passwd", b"x"), "absolute"),
        (entry(f"{TOP}/../../evil", b"x"), "climbs out"),
        (entry(f"{TOP}/a\\b", b"x"), "backslash"),
        (entry(f"{TOP}/a\nb", b"x"), "control"),
        (entry(f"{TOP}/null", type=tarfile.CHRTYPE), "neither file, folder nor link"),
        (entry(f"{TOP}/disk", type=tarfile.BLKTYPE), "neither file, folder nor link"),
        (entry(f"{TOP}/fifo", type=tarfile.FIFOTYPE), "neither file, folder nor link"),
        (entry(f"{TOP}/out", type=tarfile.SYMTYPE, linkname="../../etc/passwd"), "leads to no file"),
        (entry(f"{TOP}/out", type=tarfile.SYMTYPE, linkname="/etc/passwd"), "leads to no file"),
        (entry(f"{TOP}/out", type=tarfile.LNKTYPE, linkname="/etc/passwd"), "leads to no file"),
        (entry(f"{TOP}/out", type=tarfile.SYMTYPE, linkname="."), "leads to no file"),
        (entry(f"{TOP}/setup.py", b"other"), "there twice"),
        (entry(f"{TOP}/setup.py/below", b"other"), "a file, and a folder too"),
        (entry("other-1.0/setup.py", b"x"), "2 top folders"),
        (entry("setup.py", b"x"), "2 top folders"),
    ],
    ids=lambda value: value if isinstance(value, str) else value[0].name,
)
def test_hostile_entries_are_refused(bad: tuple[tarfile.TarInfo, bytes], message: str) -> None:
    with pytest.raises(SdistError, match=message) as refused:
        read_sdist(make_tar([GOOD, bad]), file_name=NAME)
    assert refused.value.kind is Kind.ARCHIVE
    assert "\n" not in refused.value.context


def test_a_sparse_file_that_grows_is_refused() -> None:
    bad = entry(f"{TOP}/big", b"1\n0\n0\n".ljust(512, b"\0"))
    bad[0].pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": str(1 << 40)}
    with pytest.raises(SdistError, match="neither file, folder nor link"):
        read_sdist(make_tar([GOOD, bad]), file_name=NAME)


def test_a_bomb_stops_at_the_limit() -> None:
    data = make_sdist({"setup.py": bytes(1 << 20)})
    with pytest.raises(SdistError, match="inflates to more than 65536") as refused:
        read_sdist(data, file_name=NAME, limits=Limits(total_size=1 << 16))
    assert refused.value.kind is Kind.TOO_LARGE


def test_a_bomb_of_many_gzip_members_stops_at_the_limit() -> None:
    with pytest.raises(SdistError, match="inflates to more than"):
        read_sdist(gzip.compress(bytes(1 << 15)) * 4, file_name=NAME, limits=Limits(total_size=1 << 16))


def test_a_bomb_of_empty_gzip_members_is_refused() -> None:
    with pytest.raises(SdistError, match="more than 64 gzip members"):
        read_sdist(gzip.compress(b"") * 65, file_name=NAME)


def test_a_bomb_of_entries_is_refused() -> None:
    data = make_sdist({f"f{number}": b"" for number in range(20)})
    with pytest.raises(SdistError, match="more than 10 entries"):
        read_sdist(data, file_name=NAME, limits=Limits(entries=10))


@pytest.mark.parametrize("cut", [10, 60, -4])
def test_a_broken_off_archive_is_refused(cut: int) -> None:
    with pytest.raises(SdistError):
        read_sdist(make_sdist({"setup.py": b"pass\n" * 100})[:cut], file_name=NAME)


@pytest.mark.parametrize("name", ["demo-1.0.tar.bz2", "demo-1.0.tar", "demo-1.0.egg"])
def test_other_formats_are_refused(name: str) -> None:
    with pytest.raises(SdistError, match=r"neither \.tar\.gz nor \.zip"):
        read_sdist(b"", file_name=name)
