"""Bases made by hand."""

from __future__ import annotations

from collections.abc import Sequence

from builder.digest import Digest
from builder.lock.model import BaseLock, LockedDeb, LockedFile, ReleaseRecord
from builder.platform import AMD64, ARM64, Platform
from builder.stack.inputs import base_inputs_digest
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


def made_deb(package: str, architecture: str = "all") -> LockedDeb:
    name = f"{package}_1.0-1_{architecture}.deb"
    return LockedDeb(
        package=package,
        version="1.0-1",
        architecture=architecture,
        source=package,
        suite="trixie",
        pool_path=f"pool/main/{package}/{name}",
        file=LockedFile(name=name, size=7, sha256=Digest.of(name.encode())),
        platforms=(AMD64, ARM64) if architecture == "all" else (AMD64,),
    )


def made_lock() -> BaseLock:
    base = make_base(cuts=["dpkg"])
    return BaseLock(
        name=base.name,
        inputs=base_inputs_digest(base),
        release="trixie",
        python_version="3.13.5",
        glibc="2.41",
        created=1_790_000_000,
        releases=(ReleaseRecord(suite="trixie", date=1_790_000_000, sha256=Digest.of(b"")),),
        debs=(made_deb("bash", "amd64"), made_deb("tzdata")),
        base=base,
    )
