"""Fuzzing without coverage, for Pythons that atheris is not made for: seeds with a few changes each, by chance of a fixed seed."""

from __future__ import annotations

import random
import resource
import signal
import sys
import time
from pathlib import Path
from types import FrameType

from tests.fuzz.model import Target

_PIECES = (
    b"\0",
    b"\xff",
    b"..",
    b"/",
    b"\n",
    b'"',
    b"[" * 200,
    b"-1",
    b"9" * 400,
    b"\x80\0\0\0",
    b"\xed\xa0\x80",
    b"=",
    b"{",
)


class TooSlowError(Exception):
    """An input takes longer than it may."""


def fuzz_blindly(
    target: Target, *, seconds: int, finds: Path, input_seconds: int, memory_mib: int, longest: int
) -> int:
    """Run until the time is over or something is found; gives how many inputs were read.

    Raises:
        SystemExit: something is found; the input lies among the finds.
    """
    resource.setrlimit(resource.RLIMIT_AS, (memory_mib << 20, memory_mib << 20))
    signal.signal(signal.SIGALRM, _too_slow)
    seeds = list(target.all_seeds()) or [b""]
    chance, runs, end = random.Random(target.name), 0, time.monotonic() + seconds  # noqa: S311  no secret
    while time.monotonic() < end:
        data = seeds[runs] if runs < len(seeds) else changed(seeds, chance)[:longest]
        signal.alarm(input_seconds)
        try:
            target.run(data)
        except BaseException:
            signal.alarm(0)
            kept = finds / f"{target.name}-blind-{runs}"
            kept.write_bytes(data)
            sys.stderr.write(f"Test unit written to {kept}\n")
            raise
        signal.alarm(0)
        runs += 1
    return runs


def changed(seeds: list[bytes], chance: random.Random) -> bytes:
    """Change a seed in one to six places."""
    data = bytearray(chance.choice(seeds))
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(len(data) + 1)
        match chance.randrange(5):
            case 0 if data:
                data[at % len(data)] ^= 1 << chance.randrange(8)
            case 1:
                data[at:at] = chance.choice(_PIECES)
            case 2:
                del data[at : at + chance.randrange(1, 64)]
            case 3:
                other = chance.choice(seeds)
                start = chance.randrange(len(other) + 1)
                data[at:at] = other[start : start + chance.randrange(1, 256)]
            case _:
                piece = chance.choice(_PIECES)
                data[at : at + len(piece)] = piece
    return bytes(data)


def _too_slow(_signal: int, _frame: FrameType | None) -> None:
    raise TooSlowError
