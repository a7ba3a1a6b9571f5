"""Which inputs made an image another than one before: what differs between their locks, and beside the locks.

A cause is named by kind and name, so that layers can be held against it. A cause may be *brought* by another one: what a new
requirement pulls in, the debs that a new Python is made of. What remains are the inputs that somebody or something changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from builder.history.image import ImageRecord
from builder.lock.diff import CandidateChange, ChangeKind, DebChange, LockDiff
from builder.lock.model import BaseLock, StackLock
from builder.oci import media
from builder.sizes import render_count


class CauseKind(StrEnum):
    """What sort of input differs."""

    REQUIREMENT = "requirement"
    """What the stack or a parent of it asks for."""
    DISTRIBUTION = "distribution"
    DEB = "deb"
    PYTHON = "python"
    BASE = "base"
    """Anything else of the base: files that it declares, what it leaves out, the image that it is."""
    FILES = "files"
    """The stack's own files."""
    PLAN = "plan"
    """The same distributions, grouped into other layers."""
    PLATFORMS = "platforms"
    COMPRESSION = "compression"
    FORMATS = "formats"
    """What decides about bytes beside the lock: formats of this program, libraries that compress."""
    ENGINE = "engine"
    CONTRACT = "contract"
    """How the image runs: of this program, not of the lock."""
    RULES = "rules"
    """Constraints, divergences, rules of resolution and of indexes, the parent's lock: they choose what is locked."""
    WORDS = "words"
    """What the lock says beside that; it is in the image as the lock's digest and time alone."""


WITHOUT_BYTES = frozenset({CauseKind.REQUIREMENT, CauseKind.RULES, CauseKind.WORDS, CauseKind.PLATFORMS})
"""Kinds that change no layer themselves: by what they bring, or not at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """An input that differs."""

    kind: CauseKind
    name: str
    """Project, package or key; with the kind, what layers are held against."""
    what: str
    """As `botocore 1.40.0 -> 1.40.1`."""
    brought: str = ""
    """By what it was brought, as `for boto3`; empty where it stands for itself."""
    details: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[CauseKind, str]:
        """Name it."""
        return self.kind, self.name


def find_causes(before: ImageRecord, after: ImageRecord, diff: LockDiff | None) -> tuple[Cause, ...]:
    """List the inputs that differ, by kind in the order of CauseKind, then by name.

    Args:
        before: an image.
        after: another.
        diff: of their locks; None where one is not at hand.
    """
    found: list[Cause] = []
    if before.lock is not None and after.lock is not None and diff is not None:
        found += _iter_lock(before.lock, after.lock, diff)
        if before.base is not None and after.base is not None:
            found += _iter_base(before.base, after.base, diff)
    found += _iter_beside(before, after)
    order = list(CauseKind)
    return tuple(sorted(found, key=lambda cause: (order.index(cause.kind), cause.name)))


def _iter_lock(before: StackLock, after: StackLock, diff: LockDiff) -> Iterator[Cause]:
    yield from _iter_requirements(before, after)
    moved = {change.project for change in diff.candidates}
    for change in diff.candidates:
        yield Cause(
            kind=CauseKind.DISTRIBUTION,
            name=change.project,
            what=tell_change(change.project, change),
            brought=_brought(change, moved),
        )
    if before.python_version != after.python_version:
        what = f"Python {before.python_version} -> {after.python_version}"
        yield Cause(kind=CauseKind.PYTHON, name="", what=what)
    if before.files != after.files:
        yield _files_cause(dict(before.files), dict(after.files), CauseKind.FILES, "the stack's files")
    regrouped = tuple(_iter_regrouped(before, after))
    if regrouped:
        what = f"the plan groups {render_count(len(regrouped), 'distribution')} otherwise"
        yield Cause(kind=CauseKind.PLAN, name="", what=what, details=regrouped)
    yield from _iter_rules(before, after)


def _iter_requirements(before: StackLock, after: StackLock) -> Iterator[Cause]:
    """What stacks ask for stands in a lock as who wants a project; in which words, the lock does not say."""
    old, new = _asked(before), _asked(after)
    for stack, project in sorted(new - old):
        what = f"{stack} asks for {project}"
        yield Cause(kind=CauseKind.REQUIREMENT, name=project, what=what)
    for stack, project in sorted(old - new):
        what = f"{stack} asks for {project} no more"
        yield Cause(kind=CauseKind.REQUIREMENT, name=project, what=what)


def _asked(lock: StackLock) -> set[tuple[str, str]]:
    return {
        (who.removeprefix("stack:"), candidate.project)
        for candidate in lock.candidates
        for who in candidate.wanted_by
        if who.startswith("stack:")
    }


def _brought(change: CandidateChange, moved: set[str]) -> str:
    """Say what brought or took a project along: those who want it, where each of them changed too."""
    if change.kind not in {ChangeKind.ADDED, ChangeKind.REMOVED} or not change.wanted_by:
        return ""
    for who in change.wanted_by:
        if who.startswith("stack:") or who not in moved:
            return "" if not who.startswith("stack:") else f"{who.removeprefix('stack:')} asks for it"
    return f"for {', '.join(change.wanted_by[:3])}"


def tell_change(name: str, change: CandidateChange | DebChange) -> str:
    """Tell a change of version in few words.

    >>> tell_change("a", DebChange(package="a", kind=ChangeKind.ADDED, before="", after="2", size_before=0, size_after=0))
    'a 2 is new'
    """
    match change.kind:
        case ChangeKind.ADDED:
            return f"{name} {change.after} is new"
        case ChangeKind.REMOVED:
            return f"{name} {change.before} is gone"
        case ChangeKind.REBUILT:
            return f"{name} {change.after} in another file"
        case _:
            return f"{name} {change.before} -> {change.after}"


def _files_cause(before: dict[str, object], after: dict[str, object], kind: CauseKind, what: str) -> Cause:
    changed = sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))
    return Cause(kind=kind, name="files", what=f"{what}: {_some(changed)}", details=tuple(changed))


def _iter_regrouped(before: StackLock, after: StackLock) -> Iterator[str]:
    """Name the projects that both have, but with other company: additions and removals apart."""
    both = {one.project for one in before.candidates} & {one.project for one in after.candidates}
    old, new = _groups(before, both), _groups(after, both)
    for project in sorted(both):
        if old[project][1] != new[project][1]:
            yield f"{project}: from {old[project][0]} to {new[project][0]}"


def _groups(lock: StackLock, projects: set[str]) -> dict[str, tuple[str, frozenset[str]]]:
    return {
        project: (layer.name, frozenset(layer.projects) & projects)
        for layer in lock.plan
        for project in layer.projects
        if project in projects
    }


def _iter_rules(before: StackLock, after: StackLock) -> Iterator[Cause]:
    for name, old, new in (
        ("constraints", before.constraints, after.constraints),
        ("divergences", before.divergences, after.divergences),
        ("resolution rules", before.resolution, after.resolution),
        ("index rules", before.index_rules, after.index_rules),
        ("the parent's lock", before.parent_lock, after.parent_lock),
    ):
        if old != new:
            yield Cause(kind=CauseKind.RULES, name=name, what=f"{name} changed")
    if before.created != after.created:
        yield Cause(kind=CauseKind.WORDS, name="created", what="the time of the newest file that was locked")
    for name, was, now in (
        ("resolver", before.resolver, after.resolver),
        ("description", before.description, after.description),
    ):
        if was != now:
            yield Cause(kind=CauseKind.WORDS, name=name, what=f"{name}: {was} -> {now}")
    if _order(before, after) != _order(after, before):
        yield Cause(kind=CauseKind.PLAN, name="order", what="the order of layers")


def _order(lock: StackLock, other: StackLock) -> tuple[str, ...]:
    names = {layer.name for layer in other.plan}
    return tuple(layer.name for layer in lock.plan if layer.name in names)


def _iter_base(before: BaseLock, after: BaseLock, diff: LockDiff) -> Iterator[Cause]:
    moved_python = before.python_version != after.python_version
    sources = {deb.package: deb.source for base in (before, after) for deb in base.debs}
    for change in diff.debs:
        source = sources.get(change.package, "")
        brought = f"of Python {after.python_version}" if moved_python and source.startswith("python3.") else ""
        brought = "of the base's image" if after.images else brought
        what = tell_change(change.package, change)
        yield Cause(kind=CauseKind.DEB, name=change.package, what=what, brought=brought)
    yield from _iter_base_file(before, after)


def _iter_base_file(before: BaseLock, after: BaseLock) -> Iterator[Cause]:
    old, new = before.base, after.base
    if before.name != after.name:
        yield Cause(kind=CauseKind.BASE, name="name", what=f"base {before.name} -> {after.name}")
    if old.files != new.files:
        paths = ({file.path: file for file in base.files} for base in (old, new))
        yield _files_cause(dict(next(paths)), dict(next(paths)), CauseKind.BASE, "files that the base declares")
    if old.exclude != new.exclude:
        changed = sorted(set(old.exclude) ^ set(new.exclude))
        what = f"what the base leaves out: {_some(changed)}"
        yield Cause(kind=CauseKind.BASE, name="exclude", what=what, details=tuple(changed))
    images = ({image.platform: image.manifest for image in lock.images} for lock in (before, after))
    if next(images) != next(images):
        yield Cause(kind=CauseKind.BASE, name="image", what="the image that the base is")


def _iter_beside(before: ImageRecord, after: ImageRecord) -> Iterator[Cause]:
    """List what differs beside the locks."""
    platforms = ({image.platform for image in record.platforms} for record in (before, after))
    old, new = next(platforms), next(platforms)
    for platform in sorted(new ^ old):
        what = f"{platform} is {'new' if platform in new else 'gone'}"
        yield Cause(kind=CauseKind.PLATFORMS, name=platform.name, what=what)
    kinds = tuple(", ".join(sorted(_compressions(record))) for record in (before, after))
    if kinds[0] != kinds[1]:
        yield Cause(kind=CauseKind.COMPRESSION, name="", what=f"compression {kinds[0]} -> {kinds[1]}")
    if before.built is not None and after.built is not None:
        if before.built.engine != after.built.engine:
            what = f"engine {before.built.engine} -> {after.built.engine}"
            yield Cause(kind=CauseKind.ENGINE, name="", what=what)
        yield from _iter_formats(before.built.formats, after.built.formats)
    yield from _iter_contract(before, after)


def _compressions(record: ImageRecord) -> set[str]:
    return {media.COMPRESSION_OF[layer.media_type] for image in record.platforms for layer in image.manifest.layers}


def _iter_formats(before: tuple[str, ...], after: tuple[str, ...]) -> Iterator[Cause]:
    if not before or not after:
        return
    old, new = (dict(line.rsplit(" ", 1) for line in lines if " " in line) for lines in (before, after))
    for name in sorted(old.keys() | new.keys()):
        if old.get(name) != new.get(name):
            what = f"{name} {old.get(name, 'none')} -> {new.get(name, 'none')}"
            yield Cause(kind=CauseKind.FORMATS, name=name, what=what)


def _iter_contract(before: ImageRecord, after: ImageRecord) -> Iterator[Cause]:
    """Compare how both run, but for what follows from the locks."""
    told: set[str] = set()
    for image in after.platforms:
        other = before.platform(image.platform)
        if other is None:
            continue
        for name, old, new in _iter_run(other.config.run.env, image.config.run.env):
            if name not in _OF_THE_LOCK and name not in told:
                told.add(name)
                yield Cause(kind=CauseKind.CONTRACT, name=name, what=f"environment {name}: {old} -> {new}")
        plain = tuple(replace(one.config.run, env=(), labels=()) for one in (other, image))
        if plain[0] != plain[1] and "run" not in told:
            told.add("run")
            yield Cause(kind=CauseKind.CONTRACT, name="run", what="entrypoint, user or folder that it starts with")
        keys = ({key for key, _ in one.config.run.labels} for one in (other, image))
        for key in sorted(next(keys) ^ next(keys)):
            if key not in told and not key.startswith("org.opencontainers.image."):
                told.add(key)
                yield Cause(kind=CauseKind.CONTRACT, name=key, what=f"label {key}")


_OF_THE_LOCK = frozenset({"AIRFLOW_VERSION", "AIRFLOW_PYTHON_VERSION", "PYTHON_VERSION"})


def _iter_run(before: tuple[str, ...], after: tuple[str, ...]) -> Iterator[tuple[str, str, str]]:
    old, new = (dict(line.partition("=")[::2] for line in lines) for lines in (before, after))
    for name in sorted(old.keys() | new.keys()):
        if old.get(name) != new.get(name):
            yield name, old.get(name, "none"), new.get(name, "none")


def _some(names: Iterable[str], most: int = 3) -> str:
    known = list(names)
    more = f" and {len(known) - most} more" if len(known) > most else ""
    return ", ".join(known[:most]) + more
