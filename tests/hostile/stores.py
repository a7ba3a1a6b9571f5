"""Hostile answers to a download, poisoned and exchanged files of a store, and wheels that cannot stand side by side."""

from __future__ import annotations

import gzip
import tarfile
from collections.abc import Callable

from builder.digest import Digest
from builder.lock.model import LockedFile
from tests.hostile.model import Material
from tests.support.debs import Item, make_tar
from tests.support.wheels import WheelParts

GOOD = WheelParts()
WHEEL = GOOD.pack()
FILE = LockedFile(name=GOOD.file_name, size=len(WHEEL), sha256=Digest.of(WHEEL))
"""What a lock asks for, whatever comes."""
_PLACE = f"files/sha256/{FILE.sha256.hex[:2]}/{FILE.sha256.hex}"
_EVIL = WheelParts(files={"demo/__init__.py": b"print('evil')\n"}).pack()
_MIB = 1 << 20


def _answer(body: bytes, *headers: str, status: str = "200 OK", length: int | None = -1) -> Callable[[], bytes]:
    """Write an answer of HTTP/1.1, with the true length unless another one is given, or None for none."""
    sized = [] if length is None else [f"Content-Length: {len(body) if length < 0 else length}"]
    head = "\r\n".join([f"HTTP/1.1 {status}", "Connection: close", *headers, *sized])
    return lambda: f"{head}\r\n\r\n".encode() + body


def _chunked(*sizes: str) -> Callable[[], bytes]:
    body = b"".join(size.encode() + b"\r\n" + WHEEL + b"\r\n" for size in sizes) + b"0\r\n\r\n"
    return _answer(body, "Transfer-Encoding: chunked", length=None)


def _gzipped() -> bytes:
    return gzip.compress(WHEEL, mtime=0)


def _elsewhere(target: str) -> Callable[[], bytes]:
    return _answer(b"", f"Location: {target}", status="302 Found")


def good_answer() -> bytes:
    """Answer with the file itself."""
    return _answer(WHEEL)()


_CHANGED = WHEEL[:-30] + bytes([WHEEL[-30] ^ 1]) + WHEEL[-29:]

ANSWERS: tuple[Material, ...] = tuple(
    Material(threat="B2", kind="answer", name=name, make=make, refused=refused)
    for name, refused, make in (
        ("another wheel under the name", "the bytes received hash to", _answer(_EVIL.ljust(len(WHEEL), b"\0")[: len(WHEEL)])),
        ("a flipped byte", "the bytes received hash to", _answer(_CHANGED)),
        ("one byte more", "it is longer than the locked", _answer(WHEEL + b"\n", length=None)),
        ("one byte less", "the answer broke off", _answer(WHEEL[:-1], length=None)),
        ("a length that is shorter than the body", "it would send", _answer(WHEEL, length=len(WHEEL) - 9)),
        ("a length that is longer than the body", "without sending complete message body", _answer(WHEEL[:-9], length=len(WHEEL))),
        ("two lengths that differ", "conflicting Content-Length", _answer(WHEEL, "Content-Length: 9")),
        ("compressed on the way", "it sends gzip though the plain file was asked for", _answer(_gzipped(), "Content-Encoding: gzip")),
        ("compressed, and not said so", "it would send", _answer(_gzipped())),
        ("chunks of 2^80 bytes", "illegal chunk header", _chunked(f"{1 << 80:x}")),
        ("chunks of less than nothing", "illegal chunk header", _chunked("-1")),
        ("the wheel twice, in chunks", "it is longer than the locked", _chunked(f"{len(WHEEL):x}", f"{len(WHEEL):x}")),
        ("a page to log in, in place of the file", "it would send", _answer(b"<html>evil</html>", "Content-Type: text/html")),
        ("a redirect to a file of this machine", "a redirect leads to file:", _elsewhere("file:///etc/passwd")),
        ("a redirect to itself", "more than 5 redirects", _elsewhere("/")),
        ("a redirect to no address", "a redirect leads to no address", _elsewhere("http://[evil/")),
        ("a header of 1 MB", "Receive buffer too long", _answer(WHEEL, f"X-Evil: {'x' * _MIB}")),
        ("no HTTP", "without sending a response", lambda: b"evil\n"),
        ("a part of another file, as if asked for", "it would send", _answer(_EVIL[:10], f"Content-Range: bytes 0-9/{len(WHEEL)}", status="206 Partial Content")),
    )
)  # fmt: skip


def _store(*items: Item) -> Callable[[], bytes]:
    return lambda: make_tar(items)


def _lying(data: bytes, *, name: str = _PLACE) -> Item:
    return Item(name=name, data=data)


def _odd(kind: bytes, target: str = "", *, name: str = _PLACE) -> Item:
    return Item(name=name, type=kind, link=target, mode=0o755)


STORES: tuple[Material, ...] = tuple(
    Material(threat=threat, kind="store", name=name, make=make, refused=refused)
    for threat, name, refused, make in (
        ("C1", "a flipped byte", "its bytes hash to", _store(_lying(_CHANGED))),
        ("C1", "another wheel of the same size", "its bytes hash to", _store(_lying(_EVIL.ljust(len(WHEEL), b"\0")[: len(WHEEL)]))),
        ("C1", "cut short", f"it has {len(WHEEL) - 1} bytes", _store(_lying(WHEEL[:-1]))),
        ("C1", "a byte more", f"it has {len(WHEEL) + 1} bytes", _store(_lying(WHEEL + b"\n"))),
        ("C1", "emptied", "it has 0 bytes", _store(_lying(b""))),
        ("C1", "a folder in its place", "it is no regular file", _store(_odd(tarfile.DIRTYPE))),
        ("C1", "a pipe in its place, to hang on", "it is no regular file", _store(_odd(tarfile.FIFOTYPE))),
        ("C2", "a link in its place, to another file", "it is a symbolic link", _store(_lying(_EVIL, name="evil"), _odd(tarfile.SYMTYPE, "../../../evil"))),
        ("C2", "a link in its place, to the very file", "it is a symbolic link", _store(_lying(WHEEL, name="copy"), _odd(tarfile.SYMTYPE, "../../../copy"))),
        ("C2", "a link in its place, to nothing", "it is a symbolic link", _store(_odd(tarfile.SYMTYPE, "/nowhere/evil"))),
    )
)  # fmt: skip


def _exchanged(*later: Item) -> Callable[[], bytes]:
    return _store(_lying(WHEEL, name=f"before/{_PLACE}"), *later)


_LATER = f"after/{_PLACE}"

EXCHANGED: tuple[Material, ...] = tuple(
    Material(threat="C2", kind="exchanged-store", name=name, make=make, refused=refused)
    for name, refused, make in (
        ("exchanged between look and use, by another wheel", "its bytes hash to", _exchanged(_lying(_EVIL.ljust(len(WHEEL), b"\0")[: len(WHEEL)], name=_LATER))),
        ("exchanged between look and use, by a link", "it is a symbolic link", _exchanged(_lying(_EVIL, name="after/evil"), _odd(tarfile.SYMTYPE, "../../../evil", name=_LATER))),
        ("gone between look and use", "the store does not hold", _exchanged(_lying(b"", name="after/nothing"))),
    )
)  # fmt: skip


def _beside(name: str, data: bytes) -> Callable[[], bytes]:
    """Pack the good wheel with another one that installs one file."""
    other = WheelParts(name="evil", files={name: data})
    return _store(Item(name=GOOD.file_name, data=WHEEL), Item(name=other.file_name, data=other.pack()))


def good_pair() -> bytes:
    """Pack two wheels that have nothing to do with each other."""
    return _beside("other/__init__.py", b"")()


PAIRS: tuple[Material, ...] = tuple(
    Material(threat="A6", kind="wheels", name=name, make=make, refused=refused)
    for name, refused, make in (
        ("a file of another distribution, with other bytes", "demo/__init__.py", _beside("demo/__init__.py", b"print('evil')\n")),
        ("a file of another distribution, by other case", "demo/__INIT__.py", _beside("demo/__INIT__.py", b"print('evil')\n")),
        ("a folder of another distribution, as a file", "evil-1.0-py3-none-any.whl", _beside("demo", b"print('evil')\n")),
        ("a folder where another has a file", "demo/__init__.py/evil.py", _beside("demo/__init__.py/evil.py", b"")),
        ("a file of another's .dist-info", "several-dist-info", _beside("demo-1.0.dist-info/METADATA", b"evil")),
    )
)  # fmt: skip
