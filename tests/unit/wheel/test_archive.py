from __future__ import annotations

import struct
import subprocess
import sys
from pathlib import Path

import pytest

from builder.wheel.archive import Limits, Member, read_archive
from builder.wheel.names import check_collisions, check_name
from builder.wheel.refusal import Refusal, WheelRefusedError
from tests.support.hostile_wheels import A4
from tests.support.wheels import ZipEntry, write_zip

ROOT = Path(__file__).resolve().parents[3]


def test_files_are_given_in_the_order_of_their_bodies_and_folders_left_out() -> None:
    data = write_zip(
        [
            ZipEntry(name=b"b/", attributes=(0o040755 << 16) | 0x10, method=0),
            ZipEntry(name=b"b/run", data=b"#!", attributes=0o100755 << 16),
            ZipEntry(name=b"a", data=b"stored", method=0),
        ]
    )

    assert read_archive(data, file_name="x.whl") == (
        Member(name="b/run", data=b"#!", executable=True),
        Member(name="a", data=b"stored", executable=False),
    )


def test_empty_archive_holds_nothing() -> None:
    assert read_archive(write_zip([]), file_name="x.whl") == ()


@pytest.mark.parametrize("signature", [b"PK\x07\x08", b""], ids=["signed", "unsigned"])
def test_true_data_descriptor_is_accepted(signature: bytes) -> None:
    import zlib

    packed = b"\x03\x00"
    descriptor = signature + struct.pack("<3L", zlib.crc32(b""), len(packed), 0)
    entry = ZipEntry(name=b"a", packed=packed, flags=8, descriptor=descriptor)

    assert [member.name for member in read_archive(write_zip([entry]), file_name="x.whl")] == ["a"]


@pytest.mark.parametrize("deferred", [True, False])
def test_local_zip64_field_that_repeats_the_directory_is_accepted(deferred: bool) -> None:  # noqa: FBT001
    extra = struct.pack("<2H2Q", 1, 16, 4, 4)
    local = {"size": 0xFFFFFFFF, "packed_size": 0xFFFFFFFF} if deferred else {}
    entry = ZipEntry(name=b"a", data=b"same", method=0, local_extra=extra, local=local)

    assert read_archive(write_zip([entry]), file_name="x.whl")[0].data == b"same"


def test_times_and_owners_in_extra_fields_are_harmless() -> None:
    extra = struct.pack("<2H", 0x5455, 1) + b"\x00" + struct.pack("<2H", 0x7875, 0)
    entry = ZipEntry(name=b"a", local_extra=extra, central_extra=extra)

    assert len(read_archive(write_zip([entry]), file_name="x.whl")) == 1


@pytest.mark.parametrize(
    ("limits", "kind"),
    [
        (Limits(entries=1), Refusal.TOO_MANY_ENTRIES),
        (Limits(entry_size=99), Refusal.TOO_LARGE),
        (Limits(total_size=199), Refusal.TOO_LARGE),
        (Limits(ratio=2, ratio_free_size=0), Refusal.RATIO),
    ],
    ids=["entries", "one entry", "total", "ratio"],
)
def test_each_limit_is_enforced(limits: Limits, kind: Refusal) -> None:
    data = write_zip([ZipEntry(name=name, data=bytes(100)) for name in (b"a", b"b")])

    with pytest.raises(WheelRefusedError) as refused:
        read_archive(data, file_name="x.whl", limits=limits)

    assert refused.value.kind is kind


@pytest.mark.parametrize(
    "name",
    ["a", "a/b.py", "a/", "a-1.0.dist-info/RECORD", "a b/c,d.txt", "déjà/vu", ".hidden", "a/..b", "a/b..", "x" * 255],
)
def test_plain_names_pass(name: str) -> None:
    check_name(name, name.encode(), wheel="x.whl")


def test_folders_that_differ_in_case_are_no_collision_while_their_files_are_distinct() -> None:
    check_collisions(["Demo/a", "demo/b"], wheel="x.whl")


@pytest.mark.slow
@pytest.mark.parametrize("bomb", A4, ids=lambda bomb: bomb.name)
def test_bomb_is_refused_in_bounded_memory(bomb: object, tmp_path: Path) -> None:
    from tests.support.hostile_wheels import Hostile

    assert isinstance(bomb, Hostile)
    path = tmp_path / bomb.file_name
    path.write_bytes(bomb.make())
    program = (
        "import pathlib, resource, sys\n"
        "from builder.wheel.wheel import read_wheel\n"
        "from builder.wheel.refusal import WheelRefusedError\n"
        "path = pathlib.Path(sys.argv[1])\n"
        "data = path.read_bytes()\n"
        "used = int(pathlib.Path('/proc/self/statm').read_text().split()[0]) * resource.getpagesize()\n"
        "resource.setrlimit(resource.RLIMIT_AS, (used + (96 << 20),) * 2)\n"
        "try:\n"
        "    read_wheel(data, file_name=path.name)\n"
        "except WheelRefusedError as error:\n"
        "    print(error.kind)\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=False, cwd=ROOT, timeout=60
    )

    assert (done.stdout.strip(), done.stderr) == (str(bomb.kind), "")
