"""What a wheel installs: the files of a virtual environment, as an installer would write them, in canonical form.

- Content equals what `uv pip install` writes, but for INSTALLER and RECORD, which name the installer.
- Modes are 0644, or 0755 for scripts and for what is marked executable and is a program: real wheels carry 0600,
  0640 and 0777, which either keep the image's user from reading a file or mark data as a program.
- RECORD is sorted and leaves bytecode out, as uv does: uninstallers derive it from the sources, and a file that does
  not compile then needs no exception.
- Left out: `direct_url.json` and `REQUESTED`, which say how a person installed it, and bytecode that a wheel ships
  beside its sources (`__pycache__`), since nothing ties it to them. Ours is compiled from the sources.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
from collections.abc import Iterator, Mapping

from builder.entry import Entry, file_entry
from builder.wheel.archive import Member
from builder.wheel.metadata import EntryPoint
from builder.wheel.scheme import Scheme, locate
from builder.wheel.wheel import Wheel

DEFAULT_PREFIX = "home/airflow/.local"
"""The virtual environment of our images, relative to their root."""
INSTALLER = "airflow-kubler"

_PLACEHOLDER = b"#!python"
_PROGRAM_MAGICS = (b"#!", b"\x7fELF")
_WRAPPER = """\
#!{python}
# -*- coding: utf-8 -*-
import sys
from {module} import {name}
if __name__ == "__main__":
    if sys.argv[0].endswith("-script.pyw"):
        sys.argv[0] = sys.argv[0][:-11]
    elif sys.argv[0].endswith(".exe"):
        sys.argv[0] = sys.argv[0][:-4]
    sys.exit({attribute}())
"""
"""The text that uv writes, byte for byte."""


def site_packages(python: str, prefix: str = DEFAULT_PREFIX) -> str:
    """Name the site-packages folder.

    >>> site_packages("3.13")
    'home/airflow/.local/lib/python3.13/site-packages'
    """
    return f"{prefix}/lib/python{python}/site-packages"


def install_entries(wheel: Wheel, *, python: str, prefix: str = DEFAULT_PREFIX) -> tuple[Entry, ...]:
    """List the files that a wheel installs, bytecode aside.

    Args:
        wheel: a wheel that was read and checked.
        python: major and minor version of the base's Python, as `3.13`.
        prefix: the virtual environment, relative to the image's root.

    Returns:
        Files by path, owned by root and not writable by others. Bytes are stable.
    """
    site = site_packages(python, prefix)
    promised = {row.path: (f"{row.algorithm}={row.digest}", str(row.size)) for row in wheel.record if row.algorithm}
    folders = {
        Scheme.SITE: site,
        Scheme.SCRIPTS: f"{prefix}/bin",
        Scheme.HEADERS: f"{prefix}/include/site/python{python}/{wheel.project}",
        Scheme.DATA: prefix,
    }
    entries: list[Entry] = []
    rows: dict[str, tuple[str, str]] = {}
    for member in _iter_kept(wheel):
        entry = _place(member, wheel, folders, prefix)
        entries.append(entry)
        unchanged = entry.data is member.data
        promise = promised.get(member.name) if unchanged else None
        rows[_record_path(entry.path, site, prefix)] = promise or _vouch(entry.data)
    for made in (
        *_make_scripts(wheel, prefix),
        file_entry(f"{site}/{wheel.dist_info}/INSTALLER", f"{INSTALLER}\n".encode()),
    ):
        entries.append(made)
        rows[_record_path(made.path, site, prefix)] = _vouch(made.data)
    record = f"{wheel.dist_info}/RECORD"
    entries.append(file_entry(f"{site}/{record}", _render_record(rows, record)))
    return tuple(sorted(entries, key=lambda entry: entry.path))


def _iter_kept(wheel: Wheel) -> Iterator[Member]:
    info = wheel.dist_info
    ours = {f"{info}/RECORD", f"{info}/INSTALLER", f"{info}/REQUESTED", f"{info}/direct_url.json"}
    for member in wheel.members:
        cached = member.name.endswith(".pyc") and "__pycache__" in member.name.split("/")
        if member.name not in ours and not cached:
            yield member


def _place(member: Member, wheel: Wheel, folders: Mapping[Scheme, str], prefix: str) -> Entry:
    destination = locate(member.name, data_dir=wheel.data_dir)
    assert destination is not None  # noqa: S101  # read_wheel refuses what has no destination.
    path = f"{folders[destination.scheme]}/{destination.path}"
    if destination.scheme is Scheme.SCRIPTS:
        return file_entry(path, _rewrite_shebang(member.data, prefix), executable=True)
    return file_entry(path, member.data, executable=member.executable and member.data.startswith(_PROGRAM_MAGICS))


def _rewrite_shebang(data: bytes, prefix: str) -> bytes:
    if not data.startswith(_PLACEHOLDER):
        return data
    # The whole first line, its arguments and `#!pythonw` too: so do pip and uv.
    return f"#!/{prefix}/bin/python\n".encode() + data.partition(b"\n")[2]


def _make_scripts(wheel: Wheel, prefix: str) -> Iterator[Entry]:
    for point in (*wheel.console_scripts, *wheel.gui_scripts):
        yield file_entry(f"{prefix}/bin/{point.name}", render_wrapper(point, prefix), executable=True)


def render_wrapper(point: EntryPoint, prefix: str = DEFAULT_PREFIX) -> bytes:
    """Write the script that imports and calls an entry point."""
    name = point.attribute.partition(".")[0]
    text = _WRAPPER.format(python=f"/{prefix}/bin/python", module=point.module, name=name, attribute=point.attribute)
    return text.encode()


def _record_path(path: str, site: str, prefix: str) -> str:
    """Write a path as RECORD has it, relative to site-packages."""
    if path.startswith(f"{site}/"):
        return path[len(site) + 1 :]
    return "../../../" + path[len(prefix) + 1 :]


def _vouch(data: bytes) -> tuple[str, str]:
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return f"sha256={digest}", str(len(data))


def _render_record(rows: Mapping[str, tuple[str, str]], record: str) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows(sorted([*((path, *promise) for path, promise in rows.items()), (record, "", "")]))
    return text.getvalue().encode()
