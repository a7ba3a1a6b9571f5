from __future__ import annotations

import io
import string
import zipfile
from collections.abc import Mapping

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from builder.errors import BuilderError
from builder.wheel.archive import read_archive
from builder.wheel.install import install_entries
from builder.wheel.names import fold
from builder.wheel.wheel import read_wheel
from tests.support.wheels import WheelParts, ZipEntry, write_zip

PLAIN = WheelParts(
    files={"demo/__init__.py": b"x = 1\n" * 50, "demo/stored.bin": b"", "demo-1.0.data/scripts/run": b"#!python\n"},
    entry_points=b"[console_scripts]\ngo = demo:x\n",
)
GOOD = PLAIN.pack()
PARTS = st.text(string.ascii_letters + string.digits + "_-. \u00e9\u4e2d", min_size=1, max_size=12).filter(
    lambda part: part not in {".", ".."} and not part.startswith(".wh.")
)
NAMES = st.lists(PARTS, min_size=1, max_size=4).map("/".join)


def distinct(files: Mapping[str, bytes]) -> bool:
    keys = [fold(name) for name in files]
    return len(set(keys)) == len(keys) and not any(a.startswith(b + "/") for a in keys for b in keys)


FILES = st.dictionaries(NAMES.map("pkg/{}".format), st.binary(max_size=300), max_size=8).filter(distinct)


@given(files=FILES)
def test_good_wheels_round_trip(files: dict[str, bytes]) -> None:
    parts = WheelParts(files=files)
    wheel = read_wheel(parts.pack(), file_name=parts.file_name)

    assert {member.name: member.data for member in wheel.members} == parts.contents()
    installed = {
        entry.path.partition("site-packages/")[2]: entry.data for entry in install_entries(wheel, python="3.13")
    }
    kept = {name: data for name, data in files.items() if not (name.endswith(".pyc") and "__pycache__" in name)}
    assert kept.items() <= installed.items()


def verdict(data: bytes) -> dict[str, bytes] | None:
    """Read with ours: the files, or None where it is refused. Any other error fails the test."""
    try:
        return {member.name: member.data for member in read_archive(data, file_name="demo-1.0-py3-none-any.whl")}
    except BuilderError:
        return None


def by_zipfile(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {info.filename: archive.read(info) for info in archive.infolist() if not info.is_dir()}


@settings(max_examples=400)
@given(data=st.data())
def test_mutated_wheels_never_crash_and_what_is_accepted_reads_the_same_by_zipfile(data: st.DataObject) -> None:
    mutated = bytearray(GOOD)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(mutated) - 1))
        match data.draw(st.sampled_from(["set", "insert", "delete", "swap"])):
            case "set":
                mutated[at] = data.draw(st.integers(0, 255))
            case "insert":
                mutated[at:at] = data.draw(st.binary(min_size=1, max_size=8))
            case "delete":
                del mutated[at : at + data.draw(st.integers(1, 40))]
            case _:
                other = data.draw(st.integers(0, len(mutated) - 1))
                mutated[at : at + 20], mutated[other : other + 20] = mutated[other : other + 20], mutated[at : at + 20]
        if not mutated:
            return
    ours = verdict(bytes(mutated))
    if ours is not None:
        assert ours == by_zipfile(bytes(mutated))
    try:
        read_wheel(bytes(mutated), file_name="demo-1.0-py3-none-any.whl")
    except BuilderError as error:
        assert "demo-1.0-py3-none-any.whl" in str(error)  # noqa: PT017


HEADER_FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "flags": st.sampled_from([0, 2, 8, 0x800, 1]),
        "method": st.sampled_from([0, 8, 12]),
        "crc": st.integers(0, 0xFFFFFFFF),
        "size": st.integers(0, 300),
        "packed_size": st.integers(0, 300),
    },
)


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(
    names=st.lists(NAMES, min_size=1, max_size=4),
    central=HEADER_FIELDS,
    local=HEADER_FIELDS,
    attributes=st.sampled_from([0, 0o100644, 0o100755, 0o120777, 0o104755]),
    flags=st.sampled_from([0, 8, 0x800]),
)
def test_lying_headers_are_refused_or_mean_nothing(
    names: list[str], central: dict[str, object], local: dict[str, object], attributes: int, flags: int
) -> None:
    entries = [
        ZipEntry(
            name=name.encode(),
            data=name.encode() * 3,
            flags=flags | (0 if name.isascii() else 0x800),
            attributes=attributes << 16,
        )
        for name in names
    ]
    liar = ZipEntry(name=b"liar", data=b"lie" * 9, central=central, local=local)
    archive = write_zip([*entries, liar])
    ours = verdict(archive)

    if ours is not None:
        assert ours == by_zipfile(archive)
        assert ours["liar"] == b"lie" * 9


@given(st.binary(max_size=200))
def test_bytes_that_are_no_archive_are_refused(data: bytes) -> None:
    assert verdict(data) is None


@given(points=st.binary(max_size=120), record=st.binary(max_size=120), metadata=st.binary(max_size=120))
def test_any_bytes_as_metadata_are_refused_or_read(points: bytes, record: bytes, metadata: bytes) -> None:
    for parts in (
        WheelParts(entry_points=points),
        WheelParts(record=record),
        WheelParts(metadata=metadata),
        WheelParts(wheel=metadata),
    ):
        try:
            read_wheel(parts.pack(), file_name=parts.file_name)
        except BuilderError as error:
            assert parts.file_name in str(error)  # noqa: PT017
