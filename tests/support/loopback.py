"""The whole way from settings to candidates: configured indexes, the loopback index, uv."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from builder.platform import AMD64, Platform
from builder.resolve.choose import choose_wheels
from builder.resolve.model import ChosenWheel, IndexAddress, Resolution
from builder.resolve.problem import Demand, Kind, Problem, Solved
from builder.resolve.settings import IndexSettings, named_indexes
from builder.resolve.solver import ResolverSolver
from builder.resolve.uv import UvResolver
from builder.resolve.uv_process import Uv
from builder.snapshot.rules import ViewRules
from builder.snapshot.server import INDEX_URL, LoopbackIndex
from builder.snapshot.upstream import make_upstream
from builder.snapshot.view import IndexView
from builder.snapshot.world import World
from builder.store.transport import HttpTransport, credentials_of
from tests.support.memory_snapshots import MemoryStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a resolution brought."""

    resolution: Resolution
    wheels: tuple[ChosenWheel, ...]

    def versions(self) -> dict[str, str]:
        """Map project to version."""
        return {candidate.project: candidate.version for candidate in self.resolution.candidates}


def resolve(
    folder: Path,
    requirements: Sequence[str],
    *,
    settings: IndexSettings,
    rules: ViewRules | None = None,
    platform: Platform = AMD64,
    python_version: str = "3.13.5",
    glibc: str = "2.41",
    pins: Sequence[tuple[str, str]] = (),
    constraints: Sequence[str] = (),
    preferences: Sequence[tuple[str, str]] = (),
    now: int = 1_780_000_000,
) -> Found:
    """Resolve by uv through a loopback index over the configured ones, as `lock` does; raises as `lock` does."""
    credentials = credentials_of((*settings.indexes(), *settings.find_links))
    with HttpTransport(credentials=credentials) as transport, LoopbackIndex() as index:
        upstream = make_upstream(
            transport,
            named_indexes(settings, None),
            merge=settings.strategy != "first-index",
            offline=settings.offline,
        )
        view = IndexView(World(upstream, MemoryStore(), now=now), rules or ViewRules())
        resolver = UvResolver(Uv(os.environ, cache=folder / "uv"))
        demands = [
            *(Demand(kind=Kind.ASKED, text=text, source="stack:etl") for text in requirements),
            *(Demand(kind=Kind.PARENT, text=f"{name}=={version}", source="stack:core") for name, version in pins),
            *(Demand(kind=Kind.TESTED, text=text, source="constraints.txt") for text in constraints),
        ]
        problem = Problem(
            label="stacks/etl/stack.toml",
            demands=tuple(demands),
            preferences=tuple(preferences),
            python_version=python_version,
            glibc=glibc,
            platforms=(platform,),
            index=IndexAddress(url=INDEX_URL, proxy=index.serve(view)),
        )
        answer = ResolverSolver(resolver, view.failure).solve(problem)
        if not isinstance(answer, Solved):
            raise answer.error
        wheels = choose_wheels(
            answer.resolutions, view, label=problem.label, python_version=python_version, glibc=glibc
        )
        return Found(resolution=answer.resolutions[0], wheels=wheels)
