"""Strict reading of `locks/pylock.<stack>.toml`; pylock_writer.py says what the file is.

A lock is written by this program, so anything that it would not write is refused: that is how a hand or a merge that went
wrong is noticed before an image is made. Reading collects every issue and raises once.
"""

from __future__ import annotations

import tomllib
from typing import Any

from builder.errors import LockInvalidError
from builder.lock.airflow import iter_contradictions
from builder.lock.fields import AGAIN, Fields
from builder.lock.model import StackLock
from builder.lock.pylock_reader import StackLockReader
from builder.lock.pylock_writer import FORMAT, LOCK_VERSION, TOOL, dump_stack_lock, wheel_path

__all__ = ["dump_stack_lock", "parse_stack_lock", "wheel_path"]

MAX_BYTES = 16 << 20


def parse_stack_lock(data: bytes, *, file: str) -> StackLock:
    """Read a stack's lock.

    Args:
        data: the file's bytes, untrusted.
        file: its name, for messages.

    Raises:
        LockInvalidError: it is no TOML, or of a format unknown here.
        IssuesError: with everything else that is wrong.
    """
    values = _parse_toml(data, file)
    tool = values.get("tool", {})
    ours = tool.get(TOOL) if isinstance(tool, dict) else None
    if not isinstance(ours, dict):
        raise LockInvalidError("is no lock of a stack", context=f"{file}: tool.{TOOL}", hint=AGAIN)
    for key, found, known in (
        ("lock-version", values.get("lock-version"), LOCK_VERSION),
        (f"tool.{TOOL}.format", ours.get("format"), FORMAT),
    ):
        if found != known or isinstance(found, bool):
            hint = f"this program reads {known}; use a newer one, or {AGAIN}"
            raise LockInvalidError(f"unknown format {found!r}", context=f"{file}: {key}", hint=hint)
    fields = Fields(file)
    lock = StackLockReader(fields).lock(values, ours)
    if not fields.issues:
        for key, message, hint in iter_contradictions(lock):
            fields.wrong(key, message, hint=hint)
    fields.raise_any()
    # What says the same in other words is refused too: one lock, one file.
    if dump_stack_lock(lock) != data:
        raise LockInvalidError("was changed by hand, or by a merge", context=file, hint=AGAIN)
    return lock


def _parse_toml(data: bytes, file: str) -> dict[str, Any]:
    if len(data) > MAX_BYTES:
        raise LockInvalidError(f"is {len(data)} bytes long, at most {MAX_BYTES} are read", context=file)
    try:
        return tomllib.loads(data.decode())
    except (ValueError, RecursionError) as error:
        raise LockInvalidError(f"is not TOML: {error}", context=file, hint=AGAIN) from error
