"""What locks are made with."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from builder.errors import InvalidInputError
from builder.store.location import cache_root
from builder.wiring.bases import make_base_locker
from builder.wiring.fetching import make_build_room, make_fetch_sources
from builder.wiring.stores import make_build_store, make_file_store, make_snapshot_store, make_transport

if TYPE_CHECKING:
    from builder.digest import Digest
    from builder.lock.model import BaseLock, BuiltWheel
    from builder.project import Project
    from builder.resolve.core import Budget
    from builder.resolve.model import IndexAddress, Resolver
    from builder.resolve.settings import IndexSettings
    from builder.snapshot.model import Snapshot, SnapshotStore, Upstream, WheelBuilder
    from builder.snapshot.rules import ViewRules
    from builder.snapshot.server import LoopbackIndex
    from builder.snapshot.view import IndexView
    from builder.snapshot.world import World
    from builder.stack.model import EffectiveStack
    from builder.store.transport import Transport
    from builder.usecase.constraints import Constraints
    from builder.usecase.lock_model import LockOptions, LockTools


@contextmanager
def make_lock_tools(
    project: Project,
    say: Callable[[str], None],
    *,
    snapshot: str | None = None,
    refresh: bool = False,
    watch: Callable[[str], object] = lambda _: None,
    now: int | None = None,
) -> Iterator[LockTools]:
    """Make what `lock` and its questions need from outside, by the user's settings.

    Args:
        project: the folder of stacks and locks.
        say: told what is being done.
        snapshot: the beginning of the id of a snapshot to answer from, in place of the indexes.
        refresh: ask the indexes for each page again, however fresh it is.
        watch: told what came from the indexes, a word for each.
        now: seconds since the epoch that all is judged by; this moment by default.
    """
    import time

    from builder.resolve.measure import TransportProbe
    from builder.resolve.user_settings import load_index_settings
    from builder.snapshot.world import World
    from builder.usecase.lock_model import LockTools
    from builder.usecase.noted import NotedProbe

    settings = load_index_settings(folders=project.index_folders())
    now = int(time.time()) if now is None else now
    program = _program()
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
            watch=watch,
        )

        later.callback(world.close)
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
            lock_base=make_base_locker(project, say, program),
            say=say,
            now=now,
            program=program,
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
    """Name this very program and what it decides with: its files, uv and packaging, by size and time of change."""
    import packaging

    from builder.digest import Digest
    from builder.resolve.uv_process import find_uv

    files = [*Path(__file__).parents[1].rglob("*.py"), Path(find_uv()), *Path(packaging.__file__).parent.glob("*.py")]
    facts = sorted((str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in files)
    return Digest.of(repr(facts).encode()).hex


def make_constraints(
    settings: IndexSettings, transport: Transport, say: Callable[[str], None]
) -> Callable[[Project, EffectiveStack, LockOptions], Constraints | None]:
    """Make what gets stacks' constraints, Airflow's own or others."""
    refreshed: set[Path | None] = set()

    def constraints(project: Project, stack: EffectiveStack, options: LockOptions) -> Constraints | None:
        if stack.constraints == "none":
            return None
        from builder.resolve.constraints import OFFICIAL
        from builder.resolve.user_settings import load_official_constraints
        from builder.store.pages import read_page
        from builder.usecase.constraints import LARGEST, ConstraintSource, ensure_constraints

        def fetch(url: str) -> bytes | None:
            page = read_page(url, transport, largest=LARGEST)
            return page.body if page else None

        source = ConstraintSource(
            official=load_official_constraints() or OFFICIAL, fetch=fetch, offline=settings.offline
        )
        path = project.constraints_path(stack)
        again = options.refresh_constraints and path not in refreshed
        refreshed.add(path)
        return ensure_constraints(project, stack, source, make_file_store(), refresh=again, say=say)

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

    def make(base: BaseLock, resolver: Resolver, rules: ViewRules, known: Sequence[BuiltWheel]) -> WheelBuilder:
        from builder.sdist.late import LateWheelBuilder
        from builder.usecase.noted import NotedBuilder, NotedProbe

        def begin() -> WheelBuilder:
            from builder.resolve.measure import TransportProbe
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


def make_index_upstream(settings: IndexSettings, transport: Transport) -> Upstream:
    """Make what asks the configured indexes."""
    from builder.resolve.settings import named_indexes
    from builder.resolve.uv_process import built_in_index
    from builder.snapshot.upstream import make_upstream

    indexes = named_indexes(settings, None if settings.no_index or settings.default_index else built_in_index())
    return make_upstream(transport, indexes, merge=settings.strategy != "first-index", offline=settings.offline)
