"""What is asked of a resolver and what it answers, one platform at a time; the port that resolvers stand behind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from builder.lock.model import BuiltWheel, LockedFile
from builder.platform import Platform
from builder.snapshot.model import OfferedFile


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexAddress:
    """Where a resolver finds its one index: a loopback server that stands for all that are configured."""

    url: str
    """Simple index, as `http://index.invalid/<view>/simple`: the same from run to run, so that resolvers' caches hold.
    The host does not exist; it is reached through the proxy alone."""
    proxy: str = field(repr=False)
    """An http proxy on the loopback, with its password: a secret of this run."""


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
    index: IndexAddress
    pins: tuple[tuple[str, str], ...] = ()
    """Project and version that must hold where the project is chosen: Airflow's parts, the parent's lock."""
    constraints: tuple[str, ...] = ()
    """PEP 508 lines that hold where their project is chosen."""
    preferences: tuple[tuple[str, str], ...] = ()
    """Project and version that is kept where it can be: pins of the lock before, constraints that may give way."""
    lowest_direct: bool = False
    """Choose the lowest version of what is required directly, the highest of all else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedCandidate:
    """One distribution on one platform."""

    project: str
    """PEP 503 normalised."""
    version: str
    dependencies: tuple[str, ...]
    """Projects of the same resolution that it requires, sorted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """The answer for one platform."""

    platform: Platform
    candidates: tuple[ResolvedCandidate, ...]
    """By project."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenWheel:
    """The wheel that a platform's base uses of a candidate."""

    project: str
    version: str
    platform: Platform
    index: str
    """Name of the index that offers it."""
    offered: OfferedFile
    built: BuiltWheel | None = None
    """How it comes to be, where the index has no wheel."""


class Resolver(Protocol):
    """Finds candidates that can be had together."""

    @property
    def name(self) -> str:
        """Program and version, as `uv 0.13.9`."""

    def resolve(self, request: ResolutionRequest) -> Resolution:
        """Resolve for one platform; safe to call from several threads.

        Raises:
            ResolutionError: what is asked for cannot be had together.
            PackageIndexError: the index answered wrongly or not at all.
        """


class WheelProbe(Protocol):
    """Finds out what an index did not say of its files."""

    def measure(self, wheels: Sequence[OfferedFile]) -> tuple[LockedFile, ...]:
        """Name, size and sha256 of each wheel, in the order given; asks the index only for what is missing.

        Raises:
            PackageIndexError: a file is not there.
        """
