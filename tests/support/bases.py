"""Bases made by hand."""

from __future__ import annotations

from collections.abc import Sequence

from builder.platform import AMD64, ARM64, Platform
from builder.stack.model import Base, BaseFile, Cut


def make_base(
    *,
    roots: Sequence[str] = ("bash",),
    cuts: Sequence[str] = (),
    files: Sequence[BaseFile] = (),
    exclude: Sequence[str] = (),
    suites: Sequence[str] = ("trixie",),
    platforms: Sequence[Platform] = (AMD64, ARM64),
) -> Base:
    return Base(
        name="made-up",
        description="made up",
        release="trixie",
        suites=tuple(suites),
        components=("main",),
        python="3.13",
        platforms=tuple(platforms),
        roots=tuple(roots),
        cuts=tuple(Cut(package=package, reason="because") for package in cuts),
        files=tuple(files),
        exclude=tuple(exclude),
    )
