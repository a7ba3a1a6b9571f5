"""What is asked of a resolver and what it answers, one platform at a time; the port that resolvers stand behind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from builder.lock.model import LockedFile
from builder.platform import Platform


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolutionRequest:
    """What a stack wants on one platform of its base."""

    label: str
    """Names what is resolved, in messages: as `stacks/core/stack.toml`."""
    requirements: tuple[str, ...]
    """PEP 508."""
    python_version: str
    """Full, as `3.13.5`."""
    glibc: str
    """Major and minor, as `2.41`."""
    platform: Platform
    pins: tuple[tuple[str, str], ...] = ()
    """Project and version that must hold where the project is chosen: the parent's lock."""
    constraints: tuple[str, ...] = ()
    """PEP 508 lines that hold where their project is chosen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferedWheel:
    """A wheel as an index offers it; a resolver may not know everything of it."""

    name: str
    url: str
    """Where it is, on this machine at this time: never part of a lock."""
    size: int | None
    sha256: str | None
    upload_time: str | None
    """RFC 3339 UTC."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedCandidate:
    """One distribution on one platform, with the wheel that its base uses."""

    project: str
    version: str
    wheel: OfferedWheel
    dependencies: tuple[str, ...]
    """Projects of the same resolution that it requires, sorted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """The answer for one platform."""

    platform: Platform
    candidates: tuple[ResolvedCandidate, ...]
    """By project."""


class Resolver(Protocol):
    """Finds candidates that can be had together, as wheels only."""

    @property
    def name(self) -> str:
        """Program and version, as `uv 0.13.9`."""

    def resolve(self, request: ResolutionRequest) -> Resolution:
        """Resolve for one platform; safe to call from several threads.

        Raises:
            ResolutionError: what is asked for cannot be had together.
            PackageIndexError: an index answered wrongly or not at all.
        """


class WheelProbe(Protocol):
    """Finds out what an index did not say of its files."""

    def measure(self, wheels: Sequence[OfferedWheel]) -> tuple[LockedFile, ...]:
        """Name, size and sha256 of each wheel, in the order given; asks the index only for what is missing.

        Raises:
            PackageIndexError: a file is not there.
        """
