from __future__ import annotations

import hashlib
import io
import re
import tracemalloc
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from builder.errors import PackageIndexError
from builder.snapshot.metadata import LARGEST_METADATA, read_metadata
from builder.snapshot.model import OfferedFile
from builder.store.patience import Patience
from builder.store.transport import HttpTransport, PlainResponse, Response

NAME = "demo_x-1.0-py3-none-any.whl"
URL = f"https://files.example/{NAME}?token=1"
INFO = "demo_x-1.0.dist-info"
METADATA = b"Metadata-Version: 2.1\nName: Demo.X\nVersion: 1.0.0\n\nName: liar\n"
NOISE = b"".join(hashlib.sha256(str(number).encode()).digest() for number in range(10_000))
PATIENCE = Patience(sleep=lambda _: None, tries=2)


def make_zip(entries: Mapping[str, bytes], *, padding: int = 0) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries.items():
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
        if padding:
            archive.writestr(zipfile.ZipInfo("demo_x/data.bin"), b"\x07" * padding)
    return buffer.getvalue()


WHEEL = make_zip({f"{INFO}/METADATA": METADATA, "demo_x/__init__.py": b""}, padding=200_000)


@dataclass
class Server:
    """Gives one wheel, with or without ranges."""

    wheel: bytes = WHEEL
    ranges: str = "yes"
    beside: bytes | None = None
    asked: list[str] = field(default_factory=list)

    @contextmanager
    def open(self, url: str, headers: Mapping[str, str]) -> Iterator[Response]:
        wanted = headers.get("range", "")
        self.asked.append(wanted or url.removeprefix("https://files.example/"))
        if ".metadata" in url:
            status = 404 if self.beside is None else 200
            yield PlainResponse(status=status, url=url, body=iter((self.beside or b"",)))
        elif wanted and self.ranges in {"yes", "liar"}:
            match = re.fullmatch(r"bytes=(\d*)-(\d+)", wanted)
            assert match
            size = len(self.wheel)
            first = int(match[1]) if match[1] else max(0, size - int(match[2]))
            last = int(match[2]) if match[1] else size - 1
            said = f"bytes {first}-{last}/{size + (self.ranges == 'liar')}"
            yield PlainResponse(
                status=206, url=url, headers={"content-range": said}, body=iter((self.wheel[first : last + 1],))
            )
        else:
            status = int(self.ranges) if wanted and self.ranges.isdigit() else 200
            yield PlainResponse(status=status, url=url, body=iter((self.wheel,)))


def offer(wheel: bytes = WHEEL, *, sized: bool = True, beside: bytes | None = None) -> OfferedFile:
    return OfferedFile(
        name=NAME,
        url=URL,
        sha256=hashlib.sha256(wheel).hexdigest(),
        size=len(wheel) if sized else None,
        has_metadata=beside is not None,
        metadata_sha256=hashlib.sha256(beside).hexdigest() if beside else None,
    )


def read(server: Server, file: OfferedFile) -> bytes:
    return read_metadata(file, server, PATIENCE)


def test_file_beside_the_wheel_is_taken_and_its_hash_checked() -> None:
    server = Server(beside=METADATA)
    assert read(server, offer(beside=METADATA)) == METADATA
    assert server.asked == [f"{NAME}.metadata?token=1"]
    with pytest.raises(PackageIndexError, match="another sha256"):
        read(Server(beside=METADATA + b"x"), offer(beside=METADATA))


def test_where_the_file_beside_is_missing_the_wheel_is_asked() -> None:
    assert read(Server(), offer(beside=METADATA)) == METADATA


@pytest.mark.parametrize("sized", [True, False], ids=["size known", "size unknown"])
def test_only_parts_of_a_wheel_are_read(*, sized: bool) -> None:
    server = Server(wheel=make_zip({"demo_x/noise.bin": NOISE, f"{INFO}/METADATA": METADATA}))
    assert read(server, offer(server.wheel, sized=sized)) == METADATA
    assert all(text.startswith("bytes=") for text in server.asked)
    assert len(server.asked) <= 2


def test_metadata_at_the_beginning_costs_a_second_question() -> None:
    wheel = make_zip({f"{INFO}/METADATA": METADATA, "demo_x/noise.bin": NOISE})
    server = Server(wheel=wheel)
    assert read(server, offer(wheel)) == METADATA
    assert len(server.asked) == 2


@pytest.mark.parametrize("ranges", ["no", "416", "501", "liar"])
def test_server_without_honest_ranges_gives_the_whole_wheel(ranges: str) -> None:
    server = Server(ranges=ranges)
    assert read(server, offer()) == METADATA
    assert server.asked[1:] in ([], [f"{NAME}?token=1"])


def test_whole_wheel_is_checked_by_its_hash() -> None:
    with pytest.raises(PackageIndexError, match="another sha256"):
        read(Server(ranges="no"), offer(WHEEL + b"x", sized=False))


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"demo_x/__init__.py": b""}, "0 times"),
        ({"other-1.0.dist-info/METADATA": METADATA}, "0 times"),
        ({f"{INFO}/METADATA": METADATA, "Demo.X-1.0.0.dist-info/METADATA": METADATA}, "2 times"),
        ({f"{INFO}/METADATA": b"<html>"}, "no Metadata-Version"),
        ({f"{INFO}/METADATA": METADATA.replace(b"Demo.X", b"evil")}, "is of evil 1.0"),
        ({f"{INFO}/METADATA": METADATA.replace(b"1.0.0", b"2.0")}, "is of demo-x 2.0"),
        ({f"{INFO}/METADATA": METADATA.replace(b"1.0.0", b"x y")}, "names no version"),
        ({f"{INFO}/METADATA": METADATA + b"a" * LARGEST_METADATA}, "larger than"),
    ],
    ids=["none", "of another", "two", "no metadata", "name", "version", "no version", "bomb"],
)
def test_what_is_not_this_wheels_metadata_is_refused(entries: Mapping[str, bytes], message: str) -> None:
    wheel = make_zip(entries)
    with pytest.raises(PackageIndexError, match=message):
        read(Server(wheel=wheel), offer(wheel))


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA, zipfile.ZIP_DEFLATED])
def test_metadata_that_says_less_than_it_inflates_to_fills_no_memory(method: int) -> None:
    buffer, size = io.BytesIO(), 64 << 20
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(zipfile.ZipInfo(f"{INFO}/METADATA"), METADATA + bytes(size), method)
    # Both headers say that it is small.
    grown = (len(METADATA) + size).to_bytes(4, "little")
    wheel = buffer.getvalue().replace(grown, len(METADATA).to_bytes(4, "little"))
    tracemalloc.start()
    try:
        with pytest.raises(PackageIndexError):
            read(Server(wheel=wheel), offer(wheel))
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("cut", [0, 10, 1000, len(WHEEL) - 30])
def test_damaged_wheel_is_refused(cut: int) -> None:
    wheel = WHEEL[:cut] + bytes(len(WHEEL) - cut)
    with pytest.raises(PackageIndexError):
        read(Server(wheel=wheel), offer(wheel))


def test_every_flipped_byte_gives_the_metadata_or_an_error() -> None:
    wheel = make_zip({f"{INFO}/METADATA": METADATA})
    for at in range(len(wheel)):
        broken = wheel[:at] + bytes([wheel[at] ^ 0xFF]) + wheel[at + 1 :]
        try:
            assert read(Server(wheel=broken), offer(broken)) == METADATA
        except PackageIndexError:
            continue


def test_wheel_that_is_not_there_is_told_of_its_index() -> None:
    class Gone(Server):
        @contextmanager
        def open(self, url: str, headers: Mapping[str, str]) -> Iterator[Response]:
            del headers
            yield PlainResponse(status=404, url=url)

    with pytest.raises(PackageIndexError, match="is not there"):
        read(Gone(), offer())


def test_wheel_of_this_machine_is_read_in_place(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(WHEEL)
    with HttpTransport() as transport:
        file = OfferedFile(name=NAME, url=(tmp_path / NAME).as_uri())
        assert read_metadata(file, transport, PATIENCE) == METADATA


def test_sdist_has_no_metadata_to_read() -> None:
    with pytest.raises(PackageIndexError, match="is no wheel"):
        read(Server(), OfferedFile(name="demo-1.0.tar.gz", url=URL))
