"""What the deb reader takes and what it refuses, by name."""

from __future__ import annotations

import lzma
import tarfile

import pytest

from builder.debian.deb import DebLimits, check_deb, read_deb
from builder.digest import Digest
from builder.entry import Entry
from builder.errors import IntegrityError
from builder.lock.model import LockedDeb, LockedFile
from builder.platform import AMD64
from tests.support.debs import CONTROL, Item, compress, folder, hardlink, make_ar, make_deb, make_tar, symlink

NAME = "hello_1.0-1_amd64.deb"
GOOD = (
    folder("./"),
    folder("./usr/"),
    folder("./usr/bin/"),
    Item(name="./usr/bin/hello", data=b"#!/bin/sh\n", mode=0o755),
    hardlink("./usr/bin/hallo", "./usr/bin/hello"),
    symlink("./usr/bin/hi", "hello"),
)


@pytest.mark.parametrize("suffix", ["xz", "gz", "zst"])
def test_a_deb_is_read_whole_whatever_compressed_it(suffix: str) -> None:
    deb = read_deb(make_deb(GOOD, suffix=suffix, control_files={"md5sums": "0  usr/bin/hello\n"}), file_name=NAME)
    assert (deb.package, deb.version, deb.architecture) == ("hello", "1.0-1", "amd64")
    assert deb.control == CONTROL
    assert deb.md5sums == "0  usr/bin/hello\n"
    assert [(entry.path, entry.kind.value) for entry in deb.entries] == [
        ("usr", "directory"),
        ("usr/bin", "directory"),
        ("usr/bin/hello", "file"),
        ("usr/bin/hallo", "hardlink"),
        ("usr/bin/hi", "symlink"),
    ]
    assert deb.entries[3].target == "usr/bin/hello"


def test_maintainer_scripts_are_left_where_they_are() -> None:
    deb = read_deb(make_deb(GOOD, control_files={"postinst": "#!/bin/sh\nrm -rf /\n"}), file_name=NAME)
    assert not any("postinst" in entry.path for entry in deb.entries)


def test_owners_are_kept_by_number() -> None:
    deb = read_deb(make_deb([Item(name="./a", uid=7, gid=42, mode=0o4755)]), file_name=NAME)
    assert deb.entries == (Entry(path="a", uid=7, gid=42, mode=0o4755),)


def test_long_names_of_gnu_tar_are_read() -> None:
    name = "usr/share/" + "x" * 200
    deb = read_deb(make_deb([Item(name=f"./{name}", data=b"1")]), file_name=NAME)
    assert deb.entries[0].path == name


@pytest.mark.parametrize(
    ("items", "reason"),
    [
        ([Item(name="/etc/passwd")], "not a plain relative one"),
        ([Item(name="./usr/../../etc/passwd")], "not a plain relative one"),
        ([Item(name="././usr//bin")], "not a plain relative one"),
        ([Item(name="./a\nb")], "control character"),
        ([Item(name="./usr/.wh.bin")], "whiteout"),
        ([Item(name="./usr/.wh..wh..opq")], "whiteout"),
        ([Item(name="./a"), Item(name="./a")], "stands twice"),
        ([symlink("./a", "/etc"), Item(name="./a/passwd")], "lies below a, a symlink"),
        ([Item(name="./a/b"), symlink("./a", "/etc")], "a symlink with entries below it"),
        ([Item(name="./a"), Item(name="./a/b")], "lies below a, a file"),
        ([symlink("./usr/a", "../../etc/passwd")], "climbs out of the root"),
        ([symlink("./a", "b/../../../etc")], "climbs out of the root"),
        ([symlink("./a", "")], "a symbolic link to ''"),
        ([hardlink("./a", "./etc/passwd")], "no earlier file of this deb"),
        ([hardlink("./a", "../etc/passwd")], "not a plain relative one"),
        ([symlink("./s", "x"), hardlink("./a", "./s")], "no earlier file of this deb"),
        ([Item(name="./dev/sda", type=tarfile.BLKTYPE)], "a block device is refused"),
        ([Item(name="./dev/null", type=tarfile.CHRTYPE)], "a character device is refused"),
        ([Item(name="./pipe", type=tarfile.FIFOTYPE)], "a fifo is refused"),
        ([Item(name="./odd", type=b"V")], "a member of type b'V' is refused"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_hostile_member_is_refused_by_name(items: list[Item], reason: str) -> None:
    with pytest.raises(IntegrityError) as refused:
        read_deb(make_deb(items), file_name=NAME)
    assert reason in str(refused.value)
    assert str(refused.value).startswith(f"{NAME}: data.tar.xz")


def test_pax_records_are_refused() -> None:
    data_tar = make_tar([Item(name="./" + "x" * 300)], tar_format=tarfile.PAX_FORMAT)
    with pytest.raises(IntegrityError, match="a pax record is refused"):
        read_deb(make_deb(data_tar=data_tar), file_name=NAME)


@pytest.mark.parametrize("suffix", ["xz", "gz", "zst"])
def test_a_bomb_is_stopped_while_it_inflates(suffix: str) -> None:
    data = make_deb([Item(name="./zeros", data=bytes(32 << 20))], suffix=suffix)
    assert len(data) < 1 << 17
    with pytest.raises(IntegrityError, match="inflates to more than 1048576 bytes"):
        read_deb(data, file_name=NAME, limits=DebLimits(data_bytes=1 << 20))


def test_a_flood_of_members_is_stopped() -> None:
    data = make_deb([Item(name=f"./{number}") for number in range(20)])
    with pytest.raises(IntegrityError, match="more than 10 members"):
        read_deb(data, file_name=NAME, limits=DebLimits(members=10))


@pytest.mark.parametrize("suffix", ["xz", "gz", "zst"])
@pytest.mark.parametrize("damage", ["cut", "appended"])
def test_a_damaged_stream_is_refused(suffix: str, damage: str) -> None:
    good = compress(make_tar([Item(name="./a", data=bytes(range(256)) * 64)]), suffix)
    bad = good[:-5] if damage == "cut" else good + b"more!"
    control = compress(make_tar([Item(name="./control", data=CONTROL.encode())]), suffix)
    members = [("debian-binary", b"2.0\n"), (f"control.tar.{suffix}", control), (f"data.tar.{suffix}", bad)]
    with pytest.raises(IntegrityError, match=r"ends too early|after the end|not an? "):
        read_deb(make_ar(members), file_name=NAME)


def test_two_streams_one_after_the_other_are_refused() -> None:
    tar = make_tar([Item(name="./a")])
    control = lzma.compress(make_tar([Item(name="./control", data=CONTROL.encode())]))
    both = lzma.compress(tar[:512]) + lzma.compress(tar[512:])
    with pytest.raises(IntegrityError, match="after the end of the compressed stream"):
        read_deb(
            make_ar([("debian-binary", b"2.0\n"), ("control.tar.xz", control), ("data.tar.xz", both)]), file_name=NAME
        )


@pytest.mark.parametrize(
    ("tar", "reason"),
    [
        (make_tar([Item(name="./a", data=b"1")])[:700], "ends too early"),
        (make_tar([Item(name="./a")])[:512], "ends too early"),
        (make_tar([Item(name="./a")])[:512] + bytes(512) + b"x" * 512, "one zero block"),
        (make_tar([Item(name="./a")]) + b"x" * 512, "data after the end of the tar archive"),
        (b"y" + make_tar([Item(name="./a")])[1:], "wrong checksum"),
        (
            make_tar([Item(name="./a", data=b"1")])[:600] + b"x" + make_tar([Item(name="./a", data=b"1")])[601:],
            "after the end of the file",
        ),
    ],
    ids=["cut in content", "no end", "half an end", "after the end", "checksum", "padding"],
)
def test_a_damaged_tar_is_refused(tar: bytes, reason: str) -> None:
    with pytest.raises(IntegrityError, match=reason):
        read_deb(make_deb(data_tar=tar), file_name=NAME)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"PK\3\4", "no ar archive"),
        (make_deb(GOOD) + b"x", "damaged ar header"),
        (make_deb(GOOD)[:-100], "ends too early"),
        (make_ar([("debian-binary", b"2.0\n")]), "not the three members"),
        (make_ar([("debian-binary", b"2.0\n"), ("_gpgorigin", b""), ("x.tar.xz", b"")]), "not the three members"),
        (make_deb(GOOD).replace(b"2.0\n", b"3.0\n"), "not of format 2.0"),
    ],
    ids=["no ar", "appended", "cut", "members missing", "other members", "format"],
)
def test_a_damaged_ar_archive_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(IntegrityError, match=reason):
        read_deb(data, file_name=NAME)


@pytest.mark.parametrize(
    ("control", "reason"),
    [
        ("Package: hello\nVersion: 1\n", "field Architecture is missing"),
        (f"{CONTROL}Package: other\n", "field Package stands twice"),
        (f"{CONTROL}\nPackage: other\n", "not a control field: ''"),
        ("what is this\n", "not a control field"),
    ],
)
def test_a_wrong_control_paragraph_is_refused(control: str, reason: str) -> None:
    with pytest.raises(IntegrityError, match=reason):
        read_deb(make_deb(GOOD, control=control), file_name=NAME)


def test_a_deb_of_another_name_or_version_than_locked_is_refused() -> None:
    deb = read_deb(make_deb(GOOD), file_name=NAME)
    file = LockedFile(name=NAME, size=1, sha256=Digest.of(b""))
    locked = LockedDeb(
        package="hello",
        version="1.0-1",
        architecture="amd64",
        source="hello",
        suite="trixie",
        pool_path=f"pool/main/h/hello/{NAME}",
        file=file,
        platforms=(AMD64,),
    )
    check_deb(deb, locked)
    other = LockedDeb(
        package="hullo",
        version="1.0-2",
        architecture="arm64",
        source="hello",
        suite="trixie",
        pool_path=locked.pool_path,
        file=file,
        platforms=(AMD64,),
    )
    with pytest.raises(IntegrityError) as refused:
        check_deb(deb, other)
    assert str(refused.value) == (
        f"{NAME}: Package is 'hello', locked 'hullo'; Version is '1.0-1', locked '1.0-2'; "
        "Architecture is 'amd64', locked 'arm64'"
    )
