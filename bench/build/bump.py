"""A lock with one plugin bumped, made without an index: the same wheel under another version, its code a little changed."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import io
import re
import zipfile
from collections.abc import Mapping

from builder.lock.model import LockedCandidate, LockedFile, StackLock
from builder.store.files import DirectoryFileStore

_STAMP = (2026, 1, 1, 0, 0, 0)


def bump(lock: StackLock, project: str, number: int, files: DirectoryFileStore) -> StackLock:
    """Exchange a project's pure wheel for one of the next post release, which goes into the store."""
    old = next(candidate for candidate in lock.candidates if candidate.project == project)
    version = f"{old.version}.post{number}"
    wheel = next(iter(old.wheels.values()))
    data = _repack(files.read(wheel), old.version, version)
    name = wheel.name.replace(f"-{old.version}-", f"-{version}-")
    file = LockedFile(name=name, size=len(data), sha256=files.add(data))
    new = dataclasses.replace(old, version=version, wheels=dict.fromkeys(old.wheels, file))
    return dataclasses.replace(lock, candidates=_exchange(lock.candidates, old, new))


def _exchange(
    candidates: tuple[LockedCandidate, ...], old: LockedCandidate, new: LockedCandidate
) -> tuple[LockedCandidate, ...]:
    return tuple(new if candidate is old else candidate for candidate in candidates)


def _repack(data: bytes, old: str, new: str) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entries = {
            re.sub(rf"-{re.escape(old)}(?=\.dist-info/)", f"-{new}", info.filename, count=1): archive.read(info)
            for info in archive.infolist()
            if not info.is_dir()
        }
    folder = next(name.split("/")[0] for name in entries if name.endswith(".dist-info/METADATA"))
    metadata = f"{folder}/METADATA"
    entries[metadata] = re.sub(rb"(?m)^Version: .*$", f"Version: {new}".encode(), entries[metadata], count=1)
    code = max((name for name in entries if name.endswith(".py")), key=lambda name: len(entries[name]))
    entries[code] += f"\nBENCHMARK = {new!r}\n".encode()
    entries[f"{folder}/RECORD"] = _record(entries, f"{folder}/RECORD")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(zipfile.ZipInfo(name, _STAMP), content, zipfile.ZIP_DEFLATED)
    return packed.getvalue()


def _record(entries: Mapping[str, bytes], own: str) -> bytes:
    rows = []
    for name, content in entries.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        rows.append(f"{name},,\n" if name == own else f"{name},sha256={digest},{len(content)}\n")
    return "".join(rows).encode()
