"""One form for a wheel's content: the same files give the same bytes, whoever zipped them.

Entries by name, with .dist-info last and RECORD at the end; stored, not deflated, since deflaters differ; one time; modes
0644 and 0755; RECORD written anew. Bytecode and signatures are left out.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import zipfile
from collections.abc import Sequence

from builder.wheel.archive import Member

_TIME = (1980, 1, 1, 0, 0, 0)
"""The first that zip archives can say."""
_UNIX = 3
_REGULAR = 0o100000
_LEFT_OUT = ("RECORD", "RECORD.jws", "RECORD.p7s")


def canonical_wheel(members: Sequence[Member]) -> bytes:
    """Write a wheel anew; bytes are stable.

    Args:
        members: files of a wheel, with one .dist-info folder at the top.
    """
    info = next(member.name.partition("/")[0] for member in members if _in_info(member.name))
    unwanted = {f"{info}/{name}" for name in _LEFT_OUT}
    kept = [member for member in members if member.name not in unwanted and not _is_bytecode(member.name)]
    kept.sort(key=lambda member: (_in_info(member.name), member.name))
    record = Member(name=f"{info}/RECORD", data=_record(kept, f"{info}/RECORD"), executable=False)
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as archive:
        for member in (*kept, record):
            entry = zipfile.ZipInfo(member.name, _TIME)
            entry.create_system = _UNIX
            entry.external_attr = (_REGULAR | (0o755 if member.executable else 0o644)) << 16
            archive.writestr(entry, member.data)
    return sink.getvalue()


def differing(first: Sequence[Member], second: Sequence[Member]) -> tuple[str, ...]:
    """Name the files in which two wheels differ, by path."""
    left, right = ({member.name: (member.data, member.executable) for member in side} for side in (first, second))
    names = sorted(left.keys() | right.keys())
    return tuple(name for name in names if left.get(name) != right.get(name) and not name.endswith("/RECORD"))


def _in_info(name: str) -> bool:
    return name.partition("/")[0].endswith(".dist-info")


def _is_bytecode(name: str) -> bool:
    return name.endswith(".pyc") and "__pycache__" in name.split("/")


def _record(members: Sequence[Member], own: str) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    for member in members:
        digest = base64.urlsafe_b64encode(hashlib.sha256(member.data).digest()).rstrip(b"=").decode()
        writer.writerow([member.name, f"sha256={digest}", len(member.data)])
    writer.writerow([own, "", ""])
    return text.getvalue().encode()
