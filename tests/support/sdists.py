"""Makes sdists for tests: good ones, and every entry of one wrong at will."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Mapping, Sequence

TOP = "demo-1.0"
BACKEND_TOML = b'[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
_BACKEND = """
import os, sys, zipfile

def build_wheel(folder, settings=None, metadata=None):
    {code}
    info = "demo-1.0.dist-info/"
    with zipfile.ZipFile(os.path.join(folder, {name!r}), "w") as archive:
        archive.writestr("demo.py", content)
        archive.writestr(info + "METADATA", "Metadata-Version: 2.1\\nName: demo\\nVersion: 1.0\\n")
        archive.writestr(info + "WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: {tag}\\n")
        archive.writestr(info + "RECORD", "")
    return {name!r}
"""


def entry(name: str, data: bytes = b"", **changes: object) -> tuple[tarfile.TarInfo, bytes]:
    """Make a tar entry; changes are set on its header."""
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for field, value in changes.items():
        setattr(info, field, value)
    return info, data


def make_tar(entries: Sequence[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    """Write entries as .tar.gz."""
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for info, data in entries:
            archive.addfile(info, io.BytesIO(data))
    return gzip.compress(sink.getvalue(), mtime=0)


def make_sdist(files: Mapping[str, bytes]) -> bytes:
    """Write files below the top folder as .tar.gz."""
    return make_tar([entry(f"{TOP}/{name}", data) for name, data in files.items()])


def make_backend_sdist(code: str = "", **more: str) -> bytes:
    """Make an sdist whose own backend runs some lines of code while it builds; for the rest see `backend_files`."""
    return make_sdist(backend_files(code, **more))


def backend_files(
    code: str = "", *, content: str = "'x = 1'", tag: str = "py3-none-any", requires: str = ""
) -> dict[str, bytes]:
    """Write a backend that runs some lines of code while it builds; `content` is what demo.py gets.

    Args:
        code: runs in a function.
        content: an expression.
        tag: of the wheel.
        requires: what the build needs; empty for nothing.
    """
    lines = "\n    ".join([*code.strip().splitlines(), f"content = {content}"])
    backend = _BACKEND.format(code=lines, name=f"demo-1.0-{tag}.whl", tag=tag)
    toml = BACKEND_TOML.replace(b"[]", f'["{requires}"]'.encode()) if requires else BACKEND_TOML
    return {"pyproject.toml": toml, "backend.py": backend.encode()}
