"""Builds wheels of sdists, each once: for `lock`, which finds out what a build needs, and for `fetch`, which does it again.

- While locking, build requirements are those of the lock before where it has the same sdist, else they are resolved under
  the stack's own rules: wheels for any machine, so that the lock does not depend on the machine that made it.
- A wheel is kept in the store by its hash, and found by what decided about it: sdist, interpreter, requirements, format.
- While fetching, everything is named by the lock, and the wheel must come out as locked.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from builder.canonical import dump_json
from builder.digest import Digest
from builder.errors import BuilderError, ResolutionError
from builder.image.interpreter import interpreter_key
from builder.image.sealed import seal, unseal
from builder.lock.model import BaseLock, BuiltWheel, LockedCandidate, LockedDeb, LockedFile
from builder.platform import Platform
from builder.resolve.model import IndexAddress, ResolutionRequest, Resolver, WheelProbe
from builder.resolve.tags import choose_wheel
from builder.sdist.build import BuildTask, Requirement, Runner, SdistBuild
from builder.sdist.errors import Kind, SdistError
from builder.sdist.key import BUILD_FORMAT, build_key, compilers_key
from builder.sdist.root import TreeStore, compiler_debs, ensure_root, root_debs
from builder.snapshot.model import Built, OfferedFile
from builder.snapshot.rules import ViewRules
from builder.snapshot.view import IndexView
from builder.store.model import ArtefactStore, FileStore
from builder.wheel.archive import read_archive

if TYPE_CHECKING:
    from builder.abi.facts import FileFacts

_KIND, _REQUIRES_KIND = "built-wheel", "build-requires"
Pinned = tuple[str, str, LockedFile]
"""Project, version and wheel of a build requirement."""
Obtain = Callable[[Mapping[LockedFile, str], Sequence[LockedDeb]], None]
"""Has wheels and sdists (with their projects) and debs put into the store; raises FetchError where one cannot be had."""
Choose = Callable[[Sequence[str], str], Sequence[tuple[str, str, OfferedFile]]]
"""Resolves build requirements, told for which sdist: project, version and wheel of each, by project."""


class Artefacts(ArtefactStore, TreeStore, Protocol):
    """Keeps unpacked roots, and what was built of what."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildRoom:
    """What builds are made with, on this machine."""

    files: FileStore
    artefacts: Artefacts
    runner: Runner
    platform: Platform
    """This machine's."""
    obtain: Obtain
    compiler: Runner | None = None
    """Runs hooks where compilers are; None where nothing is compiled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """What asks indexes while a lock is made."""

    probe: WheelProbe
    remember: Callable[[Mapping[Digest, Sequence[str]]], None]
    choose: Choose


class SdistBuilder:
    """A WheelBuilder for one base. Builds go one after the other, whatever number of threads asks.

    Args:
        base: whose interpreter builds.
        room: what builds.
        asking: what asks indexes.
        known: wheels built before, of a lock: their requirements are kept.
    """

    def __init__(self, base: BaseLock, room: BuildRoom, asking: Asking, known: Sequence[BuiltWheel] = ()) -> None:
        self._base = base
        self._room = room
        self._asking = asking
        self._known = {record.sdist.sha256: record for record in known}
        self._done: dict[str, Built] = {}
        self._lock = threading.Lock()

    @property
    def key(self) -> str:
        """Name what decides about a wheel besides its sdist and requirements."""
        return build_key(self._base)

    def build(self, project: str, version: str, sdist: OfferedFile) -> Built:
        """Build a wheel, or find the one that was built before."""
        with self._lock:
            if sdist.url not in self._done:
                self._done[sdist.url] = self._build(project, version, sdist)
            return self._done[sdist.url]

    def _build(self, project: str, version: str, sdist: OfferedFile) -> Built:
        (locked,) = self._asking.probe.measure([sdist])
        self._asking.remember({locked.sha256: (sdist.url,)})
        known = self._known.get(locked.sha256)
        if known is not None:
            compiling = compilers_key(self._base) if known.compilers is not None else None
            return build_wheel(project, version, replace(known, compilers=compiling), self._base, self._room)
        try:
            return self._build_anew(project, version, locked, None)
        except SdistError as error:
            compilers = compilers_key(self._base)
            if compilers is None or error.kind not in {Kind.COMPILER, Kind.FAILED}:
                raise
        return self._build_anew(project, version, locked, compilers)

    def _build_anew(self, project: str, version: str, locked: LockedFile, compilers: Digest | None) -> Built:
        job = _Job(project, version, BuiltWheel(sdist=locked, requires=(), compilers=compilers), self._base, self._room)
        first = self._have(job.system_requires(), locked.name)
        more = job.ask(first)
        requires = self._have((*job.system_requires(), *more), locked.name) if more else first
        record = BuiltWheel(sdist=locked, requires=requires, compilers=compilers)
        return build_wheel(project, version, record, self._base, self._room)

    def _have(self, requirements: Sequence[str], sdist: str) -> tuple[Pinned, ...]:
        """Resolve build requirements and learn their files."""
        if not requirements:
            return ()
        chosen = self._asking.choose(requirements, sdist)
        files = self._asking.probe.measure([offered for _, _, offered in chosen])
        self._asking.remember(
            {file.sha256: (offered.url,) for file, (_, _, offered) in zip(files, chosen, strict=True)}
        )
        return tuple((project, version, file) for (project, version, _), file in zip(chosen, files, strict=True))


def build_wheel(project: str, version: str, record: BuiltWheel, base: BaseLock, room: BuildRoom) -> Built:
    """Build a wheel by its record, or find it in the store.

    Raises:
        SdistError: no wheel comes of it.
        FetchError: the sdist, a requirement or a deb cannot be had.
    """
    key = _wheel_key(record, base)
    wheel = _find(key, room)
    if wheel is None:
        if record.compilers != (compilers_key(base) if record.compilers else None):
            message = f"{project} {version} was compiled by other packages than the base has now"
            raise SdistError(Kind.COMPILER, message, sdist=record.sdist.name)
        built = _Job(project, version, record, base, room).build(record.requires)
        wheel = LockedFile(name=built.file_name, size=len(built.data), sha256=room.files.add(built.data))
        if record.compilers is not None:
            check_libraries(project, version, wheel, base, room)
        room.artefacts.put(_KIND, key, (seal({"name": wheel.name, "size": wheel.size, "sha256": wheel.sha256.hex}),))
    return Built(wheel=wheel, metadata=_read_metadata(room.files.read(wheel), wheel.name), record=record)


def rebuild(candidate: LockedCandidate, base: BaseLock, room: BuildRoom) -> None:
    """Build a locked wheel again and put it into the store.

    Raises:
        SdistError: another wheel comes of it than the lock says.
    """
    record = candidate.built
    assert record is not None  # noqa: S101 - callers ask for such alone
    built = build_wheel(candidate.project, candidate.version, record, base, room)
    for wheel in candidate.wheels.values():
        if wheel != built.wheel:
            message = f"built here it is {built.wheel.name} ({built.wheel.sha256}), the lock says {wheel.sha256}"
            raise SdistError(Kind.NOT_REPRODUCIBLE, message, sdist=record.sdist.name)


def choose_by(
    resolver: Resolver, view: IndexView, serve: Callable[[IndexView], IndexAddress], base: BaseLock
) -> Callable[[Sequence[str], str], Sequence[tuple[str, str, OfferedFile]]]:
    """Make what resolves build requirements, each set once.

    Args:
        resolver: what resolves.
        view: what may be had: no sdists, see `requirement_rules`.
        serve: puts the view where the resolver finds it.
        base: whose Python they are for; its first platform stands for all.
    """
    done: dict[tuple[str, ...], tuple[tuple[str, str, OfferedFile], ...]] = {}

    def choose(requirements: Sequence[str], sdist: str) -> Sequence[tuple[str, str, OfferedFile]]:
        wanted = tuple(sorted(set(requirements)))
        if wanted not in done:
            request = ResolutionRequest(
                label=f"build requirements of {sdist}",
                requirements=wanted,
                python_version=base.python_version,
                glibc=base.glibc,
                platform=base.base.platforms[0],
                index=serve(view),
            )
            try:
                candidates = resolver.resolve(request).candidates
            except BuilderError as error:
                raise _unresolved(error, view.failure(), sdist) from error
            done[wanted] = tuple(
                (item.project, item.version, _pure_wheel(view, item.project, item.version, base, sdist))
                for item in candidates
            )
        return done[wanted]

    return choose


def requirement_rules(rules: ViewRules) -> ViewRules:
    """Make the rules for build requirements: the stack's own, without sdists, so that no build needs a build."""
    return replace(rules, sdists=False, named={})


def _unresolved(error: BuilderError, failure: BuilderError | None, sdist: str) -> BuilderError:
    if failure is not None or not isinstance(error, ResolutionError):
        return failure or error
    return SdistError(Kind.REQUIREMENT, f"its build requirements cannot be had as wheels: {error.message}", sdist=sdist)


def _pure_wheel(view: IndexView, project: str, version: str, base: BaseLock, sdist: str) -> OfferedFile:
    found = view.files(project, version)
    pure = [file for file in found.wheels if file.name.endswith("-none-any.whl")] if found else []
    chosen = choose_wheel(
        pure,
        [file.name for file in pure],
        python_version=base.python_version,
        platform=base.base.platforms[0],
        glibc=base.glibc,
    )
    if chosen is None:
        message = f"it needs {project} {version} to be built, which has wheels of native code only"
        raise SdistError(Kind.COMPILER, message, sdist=sdist)
    return chosen


class _Job:
    """One sdist with a base and a room; reads and unpacks when first needed."""

    def __init__(self, project: str, version: str, record: BuiltWheel, base: BaseLock, room: BuildRoom) -> None:
        self._project, self._version = project, version
        self._sdist, self._base, self._room = record.sdist, base, room
        self._compilers = record.compilers
        self._opened: SdistBuild | None = None

    def system_requires(self) -> tuple[str, ...]:
        """List what pyproject.toml says that the build needs; remembered."""
        key = Digest.of(dump_json([BUILD_FORMAT, self._sdist.sha256.hex])).hex
        return self._remembered(key, lambda: self._open().system.requires)

    def ask(self, requires: Sequence[Pinned]) -> tuple[str, ...]:
        """Ask the backend what else it needs; remembered."""
        record = BuiltWheel(sdist=self._sdist, requires=tuple(requires), compilers=self._compilers)
        key = _wheel_key(record, self._base)
        return self._remembered(key, lambda: self._open().ask_requirements(self._read(requires)))

    def build(self, requires: Sequence[Pinned]) -> _Bytes:
        """Build it twice."""
        return self._open().build_twice(self._read(requires))

    def _remembered(self, key: str, make: Callable[[], Sequence[str]]) -> tuple[str, ...]:
        known = _read_sealed(_REQUIRES_KIND, key, self._room)
        if known is None:
            known = list(make())
            self._room.artefacts.put(_REQUIRES_KIND, key, (seal(known),))
        return tuple(known)

    def _open(self) -> SdistBuild:
        if self._opened is None:
            room, base = self._room, self._base
            compiling = self._compilers is not None
            debs = (*root_debs(base, room.platform), *(compiler_debs(base, room.platform) if compiling else ()))
            room.obtain({self._sdist: self._project}, debs)
            task = BuildTask(
                project=self._project,
                version=self._version,
                file_name=self._sdist.name,
                data=room.files.read(self._sdist),
                root=ensure_root(base, room.files, room.artefacts, room.platform, compiling=compiling),
                python=base.base.python,
                machine=room.platform.machine if compiling else "",
            )
            runner = room.compiler if compiling else room.runner
            assert runner is not None  # noqa: S101 - a room without a compiler has no base that compiles
            self._opened = SdistBuild(task, runner)
        return self._opened

    def _read(self, requires: Sequence[Pinned]) -> tuple[Requirement, ...]:
        room = self._room
        room.obtain({file: project for project, _, file in requires}, ())
        return tuple(Requirement(file_name=file.name, data=room.files.read(file)) for _, _, file in requires)


def check_libraries(project: str, version: str, wheel: LockedFile, base: BaseLock, room: BuildRoom) -> None:
    """Check that the base gives what a compiled wheel asks: what only the compilers' packages have is in no image.

    Raises:
        SdistError: a library, a version or a symbol is missing, with the package that has the library.
    """
    from builder.abi.check import find_missing, provide
    from builder.abi.facts import deb_facts, wheel_facts

    def facts(deb: LockedDeb) -> FileFacts:
        return deb_facts(deb, base.base, room.files, room.artefacts)

    needed = {f"{project}=={version}": wheel_facts(wheel, room.files, room.artefacts)}
    given = provide(map(facts, root_debs(base, room.platform)), room.platform)
    missing = find_missing(needed, given, room.platform)
    if not missing:
        return
    giving = sorted(
        {
            deb.package
            for deb in compiler_debs(base, room.platform)
            if any(one.library in provide([facts(deb)], room.platform).exports for one in missing)
        }
    )
    where = f"; the Debian package {', '.join(giving)} has it, which is not in the base" if giving else ""
    raise SdistError(Kind.ABI, f"the base lacks what it needs: {missing[0]}{where}", sdist=wheel.name)


class _Bytes(Protocol):
    """What comes of a build."""

    @property
    def file_name(self) -> str:
        """Of the wheel."""

    @property
    def data(self) -> bytes:
        """The wheel."""


def _wheel_key(record: BuiltWheel, base: BaseLock) -> str:
    requires = [[file.name, file.sha256.hex] for _, _, file in record.requires]
    parts = [BUILD_FORMAT, interpreter_key(base), record.sdist.sha256.hex, requires]
    if record.compilers is not None:
        parts.append(record.compilers.hex)
    return Digest.of(dump_json(parts)).hex


def _find(key: str, room: BuildRoom) -> LockedFile | None:
    """Find a wheel that was built before and is still held."""
    said = _read_sealed(_KIND, key, room)
    if said is None:
        return None
    wheel = LockedFile(name=said["name"], size=said["size"], sha256=Digest(said["sha256"]))
    return wheel if room.files.has(wheel.sha256) else None


def _read_sealed(kind: str, key: str, room: BuildRoom) -> Any:
    """Read what was remembered; None where nothing is, or it is damaged: then it is put aside to be made again."""
    path = room.artefacts.get(kind, key)
    if path is None:
        return None
    try:
        value = unseal(path.read_bytes())
    except OSError:
        return None
    if value is None:
        path.unlink(missing_ok=True)
    return value


def _read_metadata(data: bytes, name: str) -> bytes:
    members = read_archive(data, file_name=name)
    return next(member.data for member in members if member.name.endswith(".dist-info/METADATA"))
