"""Fetch: fill the store with every file that locks name, then name the wheels in `locks/files/`.

What the store holds is asked for nowhere. Wheels come from where `lock` saw them, else from the user's indexes; debs from
the user's mirrors, else from the archives that the user names. A wheel that was built from an sdist, and that nobody has,
is built again from the sdist and the requirements that the lock names. Every problem is collected and raised once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from builder.archive.model import compilers_of
from builder.digest import Digest
from builder.errors import BuilderError, FetchError
from builder.lock.base import parse_base_lock
from builder.lock.model import BaseLock, LockedCandidate, LockedDeb, LockedFile, LockedLayer, StackLock
from builder.lock.pylock import parse_stack_lock
from builder.platform import Platform
from builder.project import Project
from builder.resolve.simple import Places
from builder.store.download import Failure, PartialStore, Wanted, download
from builder.store.links import link_file
from builder.store.model import FileStore, Progress
from builder.store.transport import Transport
from builder.usecase.lock_check import load_fresh_lock

_MOST_SHOWN = 20
"""Without a network hundreds of files fail for one reason."""


class FillableStore(FileStore, PartialStore, Protocol):
    """A store of files that can be downloaded into."""

    def holds(self, file: LockedFile) -> bool:
        """Tell whether a file lies there with its size."""

    def add_stream(self, chunks: Iterable[bytes], expected: LockedFile | None = None) -> Digest:
        """Keep a stream that must be the expected file."""


Obtain = Callable[[Mapping[LockedFile, str], Sequence[LockedDeb]], None]
"""Puts wheels and sdists, with their projects, and debs into the store; raises FetchIncompleteError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where files may be had: the user's settings, behind functions."""

    deb_urls: Callable[[LockedDeb], tuple[str, ...]]
    """Addresses of a deb on mirrors and archives, best first."""
    remembered: Callable[[Digest], tuple[str, ...]]
    """Addresses where a wheel was seen while locking."""
    find: Callable[[Mapping[str, Sequence[LockedFile]], Transport], Places]
    """Looks for wheels, by project, on the indexes."""
    rebuild: Callable[[LockedCandidate, BaseLock, Obtain], None] | None = None
    """Builds a wheel from its sdist into the store; None where nothing is built."""
    layer: Callable[[BaseLock, LockedLayer], Iterable[bytes]] | None = None
    """Reads a layer of a base that is an image from where the base's own file says; None where nobody can."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchScope:
    """What is to be fetched."""

    locks: tuple[tuple[StackLock, BaseLock], ...]
    platforms: tuple[Platform, ...] = ()
    """Empty for all of each lock."""
    host: Platform | None = None
    """This machine's: its interpreter is needed to compile bytecode, whatever is built."""
    own_files: Mapping[Digest, bytes] = field(default_factory=dict)
    """Content of files that lie in stacks/<name>/files."""
    sources: bool = False
    """Also what wheels were built of: sdists, build requirements, compilers. No image needs them where the wheels are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchReport:
    """What a fetch did."""

    files: int
    """Files that the locks name."""
    fetched: int
    fetched_bytes: int
    linked: int
    """Wheels named in locks/files."""


class FetchIncompleteError(FetchError):
    """Some files could not be had.

    Args:
        failures: each with its reasons.
        gone: the debs among them that no mirror and no archive has any more.
        bases: the bases to be locked again for that, sorted.
    """

    def __init__(self, failures: Sequence[Failure], gone: Sequence[LockedDeb], bases: Sequence[str]) -> None:
        count = len(failures)
        lines = [f"{count} locked file{'s' if count != 1 else ''} cannot be had:"]
        lines += [_describe(failure) for failure in failures[:_MOST_SHOWN]]
        if count > _MOST_SHOWN:
            lines.append(f"  and {count - _MOST_SHOWN} more; `fetch --json` names all")
        super().__init__("\n".join(lines), hint=_way_out(bases))
        self.failures = tuple(failures)
        self.gone = tuple(gone)
        self.bases = tuple(bases)

    def as_json(self) -> dict[str, object]:
        """Make the JSON form: what is gone, which bases to lock again, what else failed."""
        gone = [deb.file.name for deb in self.gone]
        failed = [failure.file.name for failure in self.failures if failure.file.name not in gone]
        return {"gone": gone, "bases": list(self.bases), "base": next(iter(self.bases), None), "failed": failed}


class GoneError(FetchIncompleteError):
    """Every file that could not be had is a deb that is gone from all mirrors and archives: lock its base again."""


def load_scope(
    project: Project,
    stacks: Sequence[str],
    *,
    platforms: tuple[Platform, ...],
    host: Platform | None,
    sources: bool = False,
) -> FetchScope:
    """Read the locks to be fetched for: of stacks named, or of all.

    Raises:
        LockStaleError: a lock is missing or stale.
    """
    names = tuple(stacks) or project.stack_names()
    own = {Digest.of(data): data for name in names for _, data in project.stack_files(name)}
    locks = tuple(load_fresh_lock(project, name) for name in names)
    return FetchScope(locks=locks, platforms=platforms, host=host, own_files=own, sources=sources)


def digests_of_locks(project: Project) -> frozenset[Digest]:
    """List every file that the locks of a project name, fresh or stale."""
    digests: set[Digest] = set()
    for path in sorted(project.locks_folder.glob("pylock.*.toml")):
        lock = parse_stack_lock(path.read_bytes(), file=f"locks/{path.name}")
        digests.update(wheel.sha256 for candidate in lock.candidates for wheel in candidate.wheels.values())
        for record in filter(None, (candidate.built for candidate in lock.candidates)):
            digests.update({record.sdist.sha256, *(file.sha256 for _, _, file in record.requires)})
        digests.update(file.sha256 for _, file in lock.files)
    for path in sorted(project.locks_folder.glob("base.*.toml")):
        base = parse_base_lock(path.read_bytes(), file=f"locks/{path.name}")
        digests.update(deb.file.sha256 for deb in (*base.debs, *base.compilers))
        digests.update(layer.file.sha256 for image in base.images for layer in image.layers)
    return frozenset(digests)


def fetch(
    scope: FetchScope,
    store: FillableStore,
    sources: Sources,
    open_transport: Callable[[], AbstractContextManager[Transport]],
    folder: Path,
    *,
    progress: Callable[[int], AbstractContextManager[Progress]],
    get: Callable[[Sequence[Wanted], Transport, Progress], tuple[Failure, ...]] | None = None,
) -> FetchReport:
    """Fill the store, then `locks/files`.

    Args:
        scope: locks and platforms.
        store: what is filled.
        sources: where files may be had.
        open_transport: opens connections; not called where nothing is missing.
        folder: `locks/files` of the project.
        progress: told the bytes to come, gives what is told of bytes that came.
        get: downloads, in place of the usual; for tests.

    Raises:
        GoneError: the only files that cannot be had are debs that nobody has any more.
        FetchIncompleteError: other files cannot be had, too.
    """
    wheels, debs = wanted_wheels(scope), wanted_debs(scope)
    behind = wanted_sources(scope)
    own = keep_own_files(scope, store)
    missing_wheels = {file: project for file, project in (wheels | behind).items() if not store.holds(file)}
    missing_debs = {file: deb for file, deb in debs.items() if not store.holds(file)}
    layers = wanted_layers(scope)
    missing_layers = {file: where for file, where in layers.items() if not store.holds(file)}
    missing = (*missing_wheels, *missing_debs, *missing_layers)
    size = sum(file.size for file in missing)
    failures = tuple(filter(None, (_get_layer(*where, store, sources) for where in missing_layers.values())))
    if missing_wheels or missing_debs:
        with open_transport() as transport, progress(size - sum(file.size for file in missing_layers)) as tell:

            def run(items: Sequence[Wanted]) -> tuple[Failure, ...]:
                return get(items, transport, tell) if get else download(items, store, transport, progress=tell)

            def get_all(files: Mapping[LockedFile, str], needed: Mapping[LockedFile, LockedDeb]) -> tuple[Failure, ...]:
                return _download_all(files, needed, sources, run, lambda wanted: sources.find(wanted, transport))

            others = get_all(missing_wheels, missing_debs)
            failures += _rebuild(others, scope, sources, make_obtain(store, get_all))
    linked = [link_file(store, file, folder) for file in wheels if store.holds(file)]
    if failures:
        raise _incomplete(failures, debs, scope)
    return FetchReport(
        files=len(wheels | behind) + len(debs) + len(layers) + own,
        fetched=len(missing),
        fetched_bytes=size,
        linked=len(linked),
    )


def make_obtain(
    store: FillableStore,
    get_all: Callable[[Mapping[LockedFile, str], Mapping[LockedFile, LockedDeb]], tuple[Failure, ...]],
) -> Obtain:
    """Make what puts files into the store that are not there yet."""

    def obtain(files: Mapping[LockedFile, str], debs: Sequence[LockedDeb]) -> None:
        missing = {file: project for file, project in files.items() if not store.holds(file)}
        missing_debs = {deb.file: deb for deb in debs if not store.holds(deb.file)}
        failures = get_all(missing, missing_debs) if missing or missing_debs else ()
        if failures:
            raise FetchIncompleteError(failures, [], [])

    return obtain


def obtain_with(store: FillableStore, sources: Sources, transport: Transport) -> Obtain:
    """Make what has single files fetched, outside a whole `fetch`."""

    def get_all(files: Mapping[LockedFile, str], debs: Mapping[LockedFile, LockedDeb]) -> tuple[Failure, ...]:
        return _download_all(
            files,
            debs,
            sources,
            lambda items: download(items, store, transport),
            lambda wanted: sources.find(wanted, transport),
        )

    return make_obtain(store, get_all)


def _rebuild(failures: Sequence[Failure], scope: FetchScope, sources: Sources, obtain: Obtain) -> tuple[Failure, ...]:
    """Build the wheels that nobody has and whose sdists the locks name; returns what cannot be had all the same."""
    built = {
        wheel: (candidate, base)
        for lock, base in scope.locks
        for candidate in lock.candidates
        if candidate.built is not None
        for wheel in candidate.wheels.values()
    }
    left = []
    for failure in failures:
        if sources.rebuild is None or failure.file not in built:
            left.append(failure)
            continue
        try:
            sources.rebuild(*built[failure.file], obtain)
        except BuilderError as error:
            left.append(Failure(file=failure.file, reasons=(str(error),), gone=False))
    return tuple(left)


def wanted_wheels(scope: FetchScope) -> dict[LockedFile, str]:
    """List the wheels of a scope, with their projects."""
    return {
        wheel: candidate.project
        for lock, _ in scope.locks
        for candidate in lock.candidates
        for platform, wheel in candidate.wheels.items()
        if not scope.platforms or platform in {wanted.name for wanted in scope.platforms}
    }


def wanted_sources(scope: FetchScope) -> dict[LockedFile, str]:
    """List the sdists that wheels of a scope were built from, and the build requirements, with their projects."""
    records = [
        (candidate.project, candidate.built)
        for lock, _ in scope.locks
        for candidate in lock.candidates
        if scope.sources and candidate.built is not None
    ]
    return {
        **{record.sdist: project for project, record in records},
        **{file: project for _, record in records for project, _, file in record.requires},
    }


def wanted_debs(scope: FetchScope) -> dict[LockedFile, LockedDeb]:
    """List the debs of a scope: of its platforms, and of this machine's platform for the interpreter."""
    return {
        deb.file: deb
        for lock, base in scope.locks
        for deb in (*base.debs, *(compilers_of(lock, base) if scope.sources else ()))
        if not set(deb.platforms).isdisjoint({*(scope.platforms or lock.platforms), scope.host})
    }


def wanted_layers(scope: FetchScope) -> dict[LockedFile, tuple[BaseLock, LockedLayer]]:
    """List the layers of bases that are images: of the scope's platforms, and of this machine's for the interpreter."""
    return {
        layer.file: (base, layer)
        for lock, base in scope.locks
        for image in base.images
        if image.platform in {*(scope.platforms or lock.platforms), scope.host}
        for layer in image.layers
    }


def _get_layer(base: BaseLock, layer: LockedLayer, store: FillableStore, sources: Sources) -> Failure | None:
    """Put a layer into the store, from where the user's base file says that the image lies."""
    try:
        if sources.layer is None:
            raise FetchError("nobody is asked for layers here")
        store.add_stream(sources.layer(base, layer), layer.file)
    except BuilderError as error:
        return Failure(file=layer.file, reasons=(f"base {base.name}: {error}",), gone=False)
    return None


def keep_own_files(scope: FetchScope, store: FileStore) -> int:
    """Keep the files that a stack brings itself; what is absent here is the lock's business to tell."""
    files = {file for lock, _ in scope.locks for _, file in lock.files}
    for file in files:
        if file.sha256 in scope.own_files:
            store.add(scope.own_files[file.sha256])
    return len(files)


def _download_all(
    wheels: Mapping[LockedFile, str],
    debs: Mapping[LockedFile, LockedDeb],
    sources: Sources,
    run: Callable[[Sequence[Wanted]], tuple[Failure, ...]],
    find: Callable[[Mapping[str, Sequence[LockedFile]]], Places],
) -> tuple[Failure, ...]:
    """Download from remembered places first, then look on the indexes for what these did not give."""
    hinted = [Wanted(file=file, urls=urls) for file in wheels if (urls := sources.remembered(file.sha256))]
    first = run([*hinted, *(Wanted(file=file, urls=sources.deb_urls(deb)) for file, deb in debs.items())])
    failed_debs = tuple(failure for failure in first if failure.file in debs)
    had = {item.file for item in hinted} - {failure.file for failure in first}
    left = [file for file in wheels if file not in had]
    if not left:
        return failed_debs
    by_project: dict[str, list[LockedFile]] = {}
    for file in left:
        by_project.setdefault(wheels[file], []).append(file)
    places = find(by_project)
    failed = run([Wanted(file=file, urls=places.urls.get(file.sha256, ())) for file in left])
    return (*(_explained(failure, wheels[failure.file], places) for failure in failed), *failed_debs)


def _explained(failure: Failure, project: str, places: Places) -> Failure:
    """Say why a wheel has no address at all: no index lists it, or indexes did not answer."""
    if failure.reasons:
        return failure
    own = tuple(issue for issue in places.issues if f"/{project}/" in issue) or places.issues[:1]
    return Failure(file=failure.file, reasons=own or ("no configured index lists it",), gone=not places.issues)


def _incomplete(
    failures: Sequence[Failure], debs: Mapping[LockedFile, LockedDeb], scope: FetchScope
) -> FetchIncompleteError:
    gone = [debs[failure.file] for failure in failures if failure.gone and failure.file in debs]
    bases = sorted({base.name for _, base in scope.locks if not set(base.debs).isdisjoint(gone)})
    family = GoneError if len(gone) == len(failures) else FetchIncompleteError
    return family(failures, gone, bases)


def _describe(failure: Failure) -> str:
    reasons: Iterable[str] = failure.reasons or ("no configured mirror or archive for its suite",)
    return f"  {failure.file.name} ({failure.file.sha256})" + "".join(f"\n    {reason}" for reason in reasons)


def _way_out(bases: Sequence[str]) -> str:
    if not bases:
        return "check the network and the settings of indexes and mirrors, then run it again: what came is kept"
    again = ", ".join(f"`airflow-kubler lock --base {base}`" for base in bases)
    return f"debs were superseded and dropped by the mirrors: run {again}, then `airflow-kubler lock`; the digest will be new"
