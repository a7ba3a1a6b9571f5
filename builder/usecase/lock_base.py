"""Lock a base: from its file and what mirrors offer now to every deb by version, size and sha256.

The same base and the same state of the mirrors give the same lock; the clock is no part of it. Where no deb moved since
the lock before, that lock stays, byte for byte.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Protocol

from debian.debian_support import NativeVersion

from builder.debian.client import Suite
from builder.debian.closure import make_closure
from builder.debian.packages import Candidate, PackagesIndex, Universe, index_packages
from builder.errors import MirrorError, StackError
from builder.lock.base import previous_release
from builder.lock.model import BaseLock, LockedDeb, ReleaseRecord
from builder.platform import Platform
from builder.stack.inputs import base_inputs_digest
from builder.stack.model import Base
from builder.usecase.base_notes import BaseNotes

_AHEAD = 2
"""Packages files inflated at a time."""


class DebianClient(Protocol):
    """What asks Debian's mirrors; see builder/debian/client.py."""

    def fetch_suite(self, suite: str, *, components: Sequence[str], architectures: Sequence[str]) -> Suite:
        """Get a suite's Packages files, verified; raises MirrorError."""


def lock_base(base: Base, client: DebianClient, previous: BaseLock | None, notes: BaseNotes | None = None) -> BaseLock:
    """Lock a base.

    Args:
        base: the base.
        client: asks mirrors.
        previous: its lock before, None where there is none; a mirror that is older than it is refused.
        notes: what bases came out as before; None to make it in full.

    Raises:
        MirrorError: a mirror answers wrongly, or is older than the lock before.
        ResolutionError: a package that is needed is nowhere.
        StackError: a cut cuts nothing, or the closure lacks Python or libc.
    """
    architectures = [platform.architecture for platform in base.platforms]
    suites: list[Suite] = []
    for name in base.suites:
        suite = client.fetch_suite(name, components=base.components, architectures=architectures)
        _refuse_older(suite.record, previous)
        suites.append(suite)
    known = notes.find(base, suites) if notes else None
    records = tuple(suite.record for suite in suites)
    if known:
        made = replace(known, releases=records, created=max(record.date for record in records), base=base)
    else:
        made = _made(base, suites)
        if notes:
            notes.keep(base, suites, made)
    # Mirrors sign anew twice a day. Where no deb moved, the lock and so every image on it stay as they are.
    unchanged = previous is not None and replace(made, releases=previous.releases, created=previous.created) == previous
    return previous if previous is not None and unchanged else made


def _made(base: Base, suites: Sequence[Suite]) -> BaseLock:
    """Choose a base's debs from what suites offer."""
    records = tuple(suite.record for suite in suites)
    indexes: dict[str, list[PackagesIndex]] = {platform.architecture: [] for platform in base.platforms}
    places = [(suite, architecture) for suite in suites for architecture in suite.packages]
    # Inflating lets other threads run: the next file is inflated while this one is searched.
    with ThreadPoolExecutor(_AHEAD, thread_name_prefix="packages") as pool:
        ready = pool.map(lambda place: place[0].packages[place[1]], places)
        for (suite, architecture), files in zip(places, ready, strict=True):
            indexes[architecture] += [index_packages(data, suite=suite.record.suite) for data in files]
    chosen: dict[Platform, tuple[Candidate, ...]] = {}
    compilers: dict[Platform, tuple[Candidate, ...]] = {}
    used_cuts: set[str] = set()
    for platform in base.platforms:
        universe = Universe(indexes[platform.architecture], architecture=platform.architecture)
        closure = make_closure(universe, roots=base.roots, cuts=[cut.package for cut in base.cuts])
        chosen[platform] = closure.candidates
        used_cuts |= closure.used_cuts
        if base.compilers:
            roots = (*base.roots, *base.compilers)
            whole = make_closure(universe, roots=roots, cuts=[cut.package for cut in base.cuts])
            compilers[platform] = tuple(one for one in whole.candidates if one not in closure.candidates)
    _refuse_idle_cuts(base, used_cuts)
    return BaseLock(
        name=base.name,
        inputs=base_inputs_digest(base),
        release=base.release,
        python_version=_upstream_version(base, chosen, f"python{base.python}-minimal"),
        glibc=_upstream_version(base, chosen, "libc6"),
        created=max(record.date for record in records),
        releases=records,
        debs=_locked_debs(chosen),
        base=base,
        compilers=_locked_debs(compilers),
    )


def _locked_debs(chosen: Mapping[Platform, Sequence[Candidate]]) -> tuple[LockedDeb, ...]:
    """Join the platforms' candidates: a deb for all architectures stands once, with its platforms."""
    platforms: dict[Candidate, list[Platform]] = {}
    for platform in sorted(chosen):
        for candidate in chosen[platform]:
            platforms.setdefault(candidate, []).append(platform)
    debs = [
        LockedDeb(
            package=candidate.package,
            version=candidate.version,
            architecture=candidate.architecture,
            source=candidate.source,
            suite=candidate.suite,
            pool_path=candidate.pool_path,
            file=candidate.file,
            platforms=tuple(wanting),
        )
        for candidate, wanting in platforms.items()
    ]
    return tuple(sorted(debs, key=lambda deb: (deb.package, deb.architecture, deb.version)))


def _upstream_version(base: Base, chosen: Mapping[Platform, Sequence[Candidate]], package: str) -> str:
    """Read `3.13.5` from `1:3.13.5-2+deb13u1`; it must be the same for all platforms."""
    where = f"stacks/bases/{base.name}.toml: debian.roots"
    found: set[str] = set()
    for platform, candidates in chosen.items():
        versions = [candidate.version for candidate in candidates if candidate.package == package]
        if not versions:
            raise StackError(f"the closure for {platform} has no {package}", context=where, hint=f"add {package}")
        found.add(NativeVersion(versions[0]).upstream_version or versions[0])
    if len(found) != 1:
        raise StackError(f"platforms have different versions of {package}: {', '.join(sorted(found))}", context=where)
    return found.pop()


def _refuse_older(record: ReleaseRecord, previous: BaseLock | None) -> None:
    before = previous_release(previous, record.suite)
    if before is not None and record.date < before.date:
        raise MirrorError(
            "the mirror's state is older than the one that the lock was made from",
            context=record.suite,
            hint="wait until the mirror has caught up, name another one, or remove the lock to go back on purpose",
        )


def _refuse_idle_cuts(base: Base, used: set[str]) -> None:
    idle = [cut.package for cut in base.cuts if cut.package not in used]
    if idle:
        raise StackError(
            f"cuts that cut nothing: {', '.join(idle)}",
            context=f"stacks/bases/{base.name}.toml: cuts",
            hint="remove them: nothing selected wants these packages",
        )
