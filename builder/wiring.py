"""The only module that constructs what touches the outside."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from builder.errors import InvalidInputError
from builder.platform import platform_of_machine
from builder.store.artefacts import DirectoryArtefactStore
from builder.store.files import DirectoryFileStore
from builder.store.location import cache_root

if TYPE_CHECKING:
    from builder.debian.client import MirrorClient
    from builder.debian.mirrors import Mirrors
    from builder.digest import Digest
    from builder.lock.model import BaseLock, BuiltWheel, LockedCandidate
    from builder.platform import Platform
    from builder.project import Project
    from builder.resolve.core import Budget
    from builder.resolve.model import IndexAddress, Resolver
    from builder.resolve.settings import IndexSettings
    from builder.run.model import Engine, RunnableImage
    from builder.snapshot.model import Snapshot, SnapshotStore, Upstream, WheelBuilder
    from builder.snapshot.rules import ViewRules
    from builder.snapshot.server import LoopbackIndex
    from builder.snapshot.view import IndexView
    from builder.snapshot.world import World
    from builder.stack.model import EffectiveStack
    from builder.store.transport import Transport
    from builder.usecase.build import BuildTools, Compilers, Watch
    from builder.usecase.build_sdist import BuildRoom
    from builder.usecase.constraints import Constraints
    from builder.usecase.diff import RevisionReader
    from builder.usecase.fetch import Obtain, Sources
    from builder.usecase.lock_model import LockOptions, LockTools


def make_file_store() -> DirectoryFileStore:
    """Open the user's store of files."""
    return DirectoryFileStore(cache_root(os.environ))


def make_artefact_store() -> DirectoryArtefactStore:
    """Open the user's store of derived artefacts."""
    return DirectoryArtefactStore(cache_root(os.environ))


def make_build_store() -> DirectoryArtefactStore:
    """Open the same store for segments, layers and hints: not synced to disk, since they are checked when used."""
    return DirectoryArtefactStore(cache_root(os.environ), durable=False)


def make_compilers() -> Compilers:
    """Make what starts a base's own Python on this machine."""
    from builder.image.compilers import StoreCompilers

    return StoreCompilers(make_file_store(), make_artefact_store(), platform_of_machine(os.uname().machine))


def build_tools(jobs: int, watch: Watch | None = None) -> BuildTools:
    """Make what `build` builds with: the user's store and cache, bases' interpreters on this machine."""
    from builder.usecase.build import BuildTools

    return BuildTools(
        files=make_file_store(),
        artefacts=make_build_store(),
        compilers=make_compilers(),
        jobs=jobs,
        watch=watch,
    )


@contextmanager
def scratch_build_tools(jobs: int, watch: Watch) -> Iterator[BuildTools]:
    """Make what `verify` builds with: the user's store of files, and a cache that is empty and goes away."""
    from tempfile import TemporaryDirectory

    from builder.image.compilers import StoreCompilers
    from builder.usecase.build import BuildTools

    files = make_file_store()
    parent = cache_root(os.environ) / "tmp"
    parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=parent, prefix="verify-") as folder:
        artefacts = DirectoryArtefactStore(Path(folder), durable=False)
        compilers = StoreCompilers(files, artefacts, platform_of_machine(os.uname().machine))
        yield BuildTools(files=files, artefacts=artefacts, compilers=compilers, jobs=jobs, watch=watch)


@contextmanager
def make_transport(settings: IndexSettings) -> Iterator[Transport]:
    """Open what asks indexes, mirrors and archives, with the user's credentials and certificates."""
    from builder.store.reachability import ImpatientTransport
    from builder.store.transport import HttpTransport, credentials_of

    with HttpTransport(
        credentials=credentials_of((*settings.indexes(), *settings.find_links)),
        certificates=settings.certificate,
        trusted_hosts=settings.trusted_hosts,
        timeout_s=settings.timeout_s,
    ) as transport:
        yield ImpatientTransport(transport)


@contextmanager
def make_lock_tools(
    project: Project, say: Callable[[str], None], *, snapshot: str | None = None, refresh: bool = False
) -> Iterator[LockTools]:
    """Make what `lock` and its questions need from outside, by the user's settings.

    Args:
        project: the folder of stacks and locks.
        say: told what is being done.
        snapshot: the beginning of the id of a snapshot to answer from, in place of the indexes.
        refresh: ask the indexes for each page again, however fresh it is.
    """
    import time

    from builder.resolve.measure import TransportProbe
    from builder.resolve.user_settings import load_index_settings
    from builder.snapshot.world import World
    from builder.usecase.lock_model import LockTools
    from builder.usecase.noted import NotedProbe

    settings = load_index_settings()
    now = int(time.time())
    snapshots = make_snapshot_store()
    replay = _find_replay(snapshots, snapshot) if snapshot else None
    with make_transport(settings) as transport, ExitStack() as later:
        world = World(
            make_index_upstream(settings, transport),
            snapshots,
            now=now,
            refresh=refresh,
            offline=settings.offline,
            replay=replay,
        )

        serve = _serve_late(later)
        yield LockTools(
            world=world,
            serve=serve,
            resolver=make_resolver,
            wheel_builder=make_wheel_builders(settings, transport, world, snapshots, serve),
            constraints=make_constraints(settings, transport, say),
            probe=NotedProbe(world, TransportProbe(transport, snapshots)),
            remember=_remember_late(settings),
            files=make_file_store(),
            snapshots=snapshots,
            lock_base=_lock_base_of(project),
            say=say,
            now=now,
            program=_program(),
        )


def _find_replay(snapshots: SnapshotStore, name: str) -> Snapshot:
    from builder.usecase.snapshot import find_snapshot

    return find_snapshot(snapshots, name).snapshot


def _serve_late(later: ExitStack) -> Callable[[IndexView], IndexAddress]:
    """Make what puts views on the loopback index, which is started for the first of them: what is settled needs none."""
    from functools import cache

    @cache
    def start() -> LoopbackIndex:
        from builder.snapshot.server import LoopbackIndex

        return later.enter_context(LoopbackIndex())

    def serve(view: IndexView) -> IndexAddress:
        from builder.resolve.model import IndexAddress
        from builder.snapshot.server import INDEX_URL

        return IndexAddress(url=INDEX_URL, proxy=start().serve(view))

    return serve


def _remember_late(settings: IndexSettings) -> Callable[[Mapping[Digest, Sequence[str]]], None]:
    def remember(urls: Mapping[Digest, Sequence[str]]) -> None:
        from builder.resolve.simple import remember_urls

        remember_urls(make_build_store(), settings, urls)

    return remember


def _program() -> str:
    """Name this very program: its files, by size and time of change, as they lie here."""
    from builder.digest import Digest

    folder = Path(__file__).parent
    files = sorted((str(path), path.stat()) for path in folder.rglob("*.py"))
    return Digest.of(repr([(name, at.st_size, at.st_mtime_ns) for name, at in files]).encode()).hex


def make_constraints(
    settings: IndexSettings, transport: Transport, say: Callable[[str], None]
) -> Callable[[Project, EffectiveStack, LockOptions], Constraints | None]:
    """Make what gets stacks' constraints, Airflow's own or others."""
    from builder.resolve.constraints import OFFICIAL
    from builder.resolve.user_settings import load_official_constraints
    from builder.store.pages import read_page
    from builder.usecase.constraints import LARGEST, ConstraintSource, ensure_constraints

    def fetch(url: str) -> bytes | None:
        page = read_page(url, transport, largest=LARGEST)
        return page.body if page else None

    source = ConstraintSource(official=load_official_constraints() or OFFICIAL, fetch=fetch, offline=settings.offline)
    files = make_file_store()
    refreshed: set[Path | None] = set()

    def constraints(project: Project, stack: EffectiveStack, options: LockOptions) -> Constraints | None:
        path = project.constraints_path(stack)
        again = options.refresh_constraints and path not in refreshed
        refreshed.add(path)
        return ensure_constraints(project, stack, source, files, refresh=again, say=say)

    return constraints


def make_search_budget(seconds: float = 60.0) -> Budget:
    """Make the budget of a search for a smallest set, beginning now."""
    import time

    from builder.resolve.core import Budget

    end = time.monotonic() + seconds
    return Budget(solves=10_000, expired=lambda: time.monotonic() > end)


def make_resolver(name: str) -> Resolver:
    """Make the resolver that a stack or a person names."""
    from builder.resolve.uv import UvResolver
    from builder.resolve.uv_process import Uv

    root = cache_root(os.environ)
    match name:
        case "uv":
            return UvResolver(Uv(os.environ, cache=root / "uv"), scratch=root / "tmp")
        case "pip-tools":
            return make_pip_tools()
        case _:
            raise InvalidInputError(f"unknown resolver {name!r}", hint="one of: uv, pip-tools")


def make_pip_tools() -> Resolver:
    """Make the resolver that runs pip-compile; an extra brings it."""
    from builder.resolve.pip_tools import PipToolsResolver

    root = cache_root(os.environ)
    return PipToolsResolver(os.environ, cache=root / "pip", scratch=root / "tmp")


def make_wheel_builders(
    settings: IndexSettings,
    transport: Transport,
    world: World,
    snapshots: SnapshotStore,
    serve: Callable[[IndexView], IndexAddress],
) -> Callable[[BaseLock, Resolver, ViewRules, Sequence[BuiltWheel]], WheelBuilder]:
    """Make what makes builders of sdists, each for a base and a stack's rules; most stacks have none to build."""
    from builder.resolve.measure import TransportProbe
    from builder.sdist.late import LateWheelBuilder
    from builder.usecase.noted import NotedBuilder, NotedProbe

    def make(base: BaseLock, resolver: Resolver, rules: ViewRules, known: Sequence[BuiltWheel]) -> WheelBuilder:
        def begin() -> WheelBuilder:
            from builder.snapshot.view import IndexView
            from builder.usecase.build_sdist import Asking, SdistBuilder, choose_by, requirement_rules
            from builder.usecase.fetch import obtain_with

            asking = Asking(
                probe=NotedProbe(world, TransportProbe(transport, snapshots)),
                remember=_remember_late(settings),
                choose=choose_by(resolver, IndexView(world, requirement_rules(rules)), serve, base),
            )
            room = make_build_room(obtain_with(make_file_store(), make_fetch_sources(settings), transport))
            return SdistBuilder(base, room, asking, known)

        return NotedBuilder(world, LateWheelBuilder(base, begin), rules, known)

    return make


def make_build_room(obtain: Obtain) -> BuildRoom:
    """Make what sdists are built with on this machine."""
    from builder.sdist.cell import Cell
    from builder.usecase.build_sdist import BuildRoom

    return BuildRoom(
        files=make_file_store(),
        artefacts=make_artefact_store(),
        runner=Cell(cache_root(os.environ) / "tmp"),
        platform=platform_of_machine(os.uname().machine),
        obtain=obtain,
    )


def make_revision_reader(project: Project) -> RevisionReader:
    """Make what reads files of git revisions, relative to the project."""
    from functools import partial

    from builder.store.git import read_revision

    return partial(read_revision, project.root)


def make_snapshot_store() -> SnapshotStore:
    """Open the user's store of index snapshots."""
    from builder.snapshot.store import SqliteSnapshotStore

    return SqliteSnapshotStore(cache_root(os.environ) / "snapshots.db")


def make_index_upstream(settings: IndexSettings, transport: Transport) -> Upstream:
    """Make what asks the configured indexes."""
    from builder.resolve.settings import named_indexes
    from builder.resolve.uv_process import built_in_index
    from builder.snapshot.upstream import make_upstream

    indexes = named_indexes(settings, None if settings.no_index or settings.default_index else built_in_index())
    return make_upstream(transport, indexes, merge=settings.strategy != "first-index", offline=settings.offline)


def _lock_base_of(project: Project) -> Callable[[str], bytes]:
    """Make what locks a base against the user's mirrors."""

    def lock(name: str) -> bytes:
        from builder.lock.base import dump_base_lock, parse_base_lock
        from builder.usecase.lock_base import lock_base

        path = project.base_lock_path(name)
        previous = parse_base_lock(path.read_bytes(), file=f"locks/{path.name}") if path.is_file() else None
        with make_debian_client() as client:
            return dump_base_lock(lock_base(project.load_base(name), client, previous))

    return lock


def make_mirrors() -> Mirrors:
    """Read where Debian's archives are, from our configuration file or apt's sources."""
    from builder.debian.mirrors import load_mirrors
    from builder.resolve.settings import this_surroundings

    return load_mirrors(config=this_surroundings().config_home / "airflow-kubler" / "config.toml")


@contextmanager
def make_debian_client() -> Iterator[MirrorClient]:
    """Make what asks Debian's mirrors."""
    import time

    from builder.debian.client import MirrorClient
    from builder.resolve.user_settings import load_index_settings

    with make_transport(load_index_settings()) as transport:
        yield MirrorClient(transport, make_file_store(), make_mirrors(), now=int(time.time()))


def make_engines() -> tuple[Engine, ...]:
    """Make every engine that runs containers, in the order of builder.run.engines.NAMES."""
    from builder.run.docker import DockerEngine
    from builder.run.oci_runtime import OciRuntimeEngine
    from builder.run.podman import PodmanEngine
    from builder.run.userns import UserNamespaceEngine

    store = make_artefact_store()
    runtimes = (OciRuntimeEngine("runc", store), OciRuntimeEngine("crun", store))
    return (*runtimes, UserNamespaceEngine(store), PodmanEngine(), DockerEngine())


def make_fetch_sources(settings: IndexSettings) -> Sources:
    """Make what tells `fetch` where files may be had; apt's sources are read only where a deb is missing."""
    from functools import cache, partial

    from builder.debian.mirrors import load_mirrors
    from builder.resolve.settings import is_local, this_surroundings
    from builder.resolve.simple import find_file_urls, recall_urls
    from builder.usecase.fetch import Sources

    config = this_surroundings().config_home / "airflow-kubler" / "config.toml"
    mirrors = cache(partial(load_mirrors, config=config))
    artefacts = make_artefact_store()
    return Sources(
        deb_urls=lambda deb: tuple(f"{url}/{quote(deb.pool_path)}" for url in mirrors().mirror_urls(deb.suite)),
        remembered=lambda digest: tuple(
            url for url in recall_urls(artefacts, settings, digest) if is_local(url) or not settings.offline
        ),
        find=partial(find_file_urls, settings),
        rebuild=_rebuild,
    )


def _rebuild(candidate: LockedCandidate, base: BaseLock, obtain: Obtain) -> None:
    from builder.usecase.build_sdist import rebuild

    rebuild(candidate, base, make_build_room(obtain))


def make_image_builder(project: Project, jobs: int, watch: Watch) -> Callable[[str, Platform], RunnableImage]:
    """Make what builds a stack for one platform, into the project's build/run, and says where it lies."""
    from builder.image.layout_reader import FolderLayout
    from builder.oci.layout import parse_layout
    from builder.run.model import RunnableImage
    from builder.usecase.build import BuildRequest, build

    def build_image(stack: str, platform: Platform) -> RunnableImage:
        output = project.root / "build" / "run" / f"{stack}-{platform.architecture}"
        request = BuildRequest(stack=stack, locks=project.locks_folder, output=output, platforms=(platform,))
        build(request, build_tools(jobs, watch))
        layout = parse_layout(FolderLayout(output))
        return RunnableImage(stack=stack, layout=output, reference=layout.name, image=layout.platforms[0])

    return build_image
