"""Readers of hostile material that need a place: a store on disk, and a server on the loopback."""

from __future__ import annotations

import contextlib
import io
import socket
import tarfile
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

from builder.digest import Digest
from builder.errors import FetchError
from builder.store.download import Wanted, download
from builder.store.files import DirectoryFileStore
from builder.store.patience import Patience
from builder.store.transport import HttpTransport
from builder.wheel.install import install_entries
from builder.wheel.overlap import check_overlap
from builder.wheel.wheel import read_wheel
from tests.hostile.stores import FILE

_IMPATIENT = Patience(tries=1, sleep=lambda _: None)


def read_answer(data: bytes, name: str) -> object:
    """Download the locked file from a server that gives these bytes, whatever is asked."""
    with tempfile.TemporaryDirectory() as folder, answering(data) as address:
        store = DirectoryFileStore(Path(folder))
        with HttpTransport(timeout_s=5) as transport:
            wanted = Wanted(file=FILE, urls=(f"{address}/{name}",))
            failures = download([wanted], store, transport, patience=_IMPATIENT)
        kept = [path for path in (store.root / "files").rglob("*") if path.is_file()]
        assert all(Digest.of(path.read_bytes()).hex == path.name for path in kept), "kept under a false name"
        if failures:
            raise FetchError("; ".join(failures[0].reasons), context=FILE.name)
        return store.read(FILE)


def read_store(data: bytes, _name: str) -> object:
    """Read the locked file from a store that was packed into a tar."""
    with tempfile.TemporaryDirectory() as folder:
        _unpack(data, Path(folder))
        return DirectoryFileStore(Path(folder)).read(FILE)


def read_exchanged_store(data: bytes, _name: str) -> object:
    """Look whether the locked file is in the store `before`, then read it with `after` in its place."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        _unpack(data, root)
        store = DirectoryFileStore(root / "store")
        (root / "before").rename(store.root)
        assert store.holds(FILE)
        store.root.rename(root / "before")
        (root / "after").rename(store.root)
        return store.read(FILE)


def read_wheels(data: bytes, _name: str) -> object:
    """Read wheels of one environment, packed into a tar."""
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
        files = {member.name: archive.extractfile(member) for member in archive}
    wheels = [read_wheel(handle.read(), file_name=name) for name, handle in files.items() if handle]
    paths = {wheel.file_name: [entry.path for entry in install_entries(wheel, python="3.13")] for wheel in wheels}
    check_overlap(paths)
    return paths


@contextlib.contextmanager
def answering(data: bytes) -> Iterator[str]:
    """Serve one answer on the loopback, again and again; gives its address."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=_answer_all, args=(server, data), daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)


def _answer_all(server: socket.socket, data: bytes) -> None:
    with contextlib.suppress(OSError):
        while True:
            connection, _ = server.accept()
            with connection, contextlib.suppress(OSError):
                connection.settimeout(5)
                asked = b""
                while b"\r\n\r\n" not in asked and (more := connection.recv(1 << 16)):
                    asked += more
                connection.sendall(data)


def _unpack(data: bytes, folder: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
        # Links and pipes are what it is about.
        archive.extractall(folder, filter="fully_trusted")  # noqa: S202  of our own making
