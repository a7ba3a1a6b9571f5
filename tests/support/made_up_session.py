"""Sessions over made-up releases, solved by the real uv through the loopback index."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from builder.digest import Digest
from builder.lock.base import parse_base_lock
from builder.lock.model import BaseLock
from builder.platform import AMD64
from builder.resolve.constraints import demands_from
from builder.resolve.model import IndexAddress
from builder.resolve.problem import AIRFLOW, Demand, Kind, Problem
from builder.resolve.solver import ResolverSolver
from builder.resolve.uv import UvResolver
from builder.resolve.uv_process import Uv
from builder.snapshot.rules import ViewRules
from builder.snapshot.server import INDEX_URL, LoopbackIndex
from builder.snapshot.view import IndexView
from builder.snapshot.world import World
from builder.stack.model import Divergence, EffectiveStack, Stack
from builder.usecase.constraints import Constraints
from builder.usecase.stack_inputs import StackInputs
from builder.usecase.stack_session import StackSession, asked_demands
from tests.support.memory_snapshots import MadeUpUpstream, MemoryStore

BASE = Path(__file__).parents[2] / "locks/base.trixie.toml"
NOW = 1_780_000_000
"""2026-05-28."""
AIRFLOW_VERSION = "3.3.2"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a made-up stack asks for."""

    requirements: Sequence[str]
    tested: Mapping[str, str] = field(default_factory=dict)
    parent_pins: Mapping[str, str] = field(default_factory=dict)
    divergences: tuple[Divergence, ...] = ()
    rules: ViewRules = field(default_factory=ViewRules)


@contextmanager
def made_up_session(folder: Path, upstream: MadeUpUpstream, asked: Asked) -> Iterator[StackSession]:
    """Open a session for the stack `finance` on linux/amd64; its parent, where there are pins, is `core`."""
    base: BaseLock = parse_base_lock(BASE.read_bytes(), file=BASE.name)
    parents = ("core",) if asked.parent_pins else ()
    stack = Stack(
        name="finance",
        description="For tests",
        owners=("team:finance-data",),
        airflow_version=AIRFLOW_VERSION,
        requirements=tuple(asked.requirements),
    )
    effective = EffectiveStack(
        name=stack.name,
        description=stack.description,
        owners=stack.owners,
        parents=parents,
        airflow_version=AIRFLOW_VERSION,
        constraints="finance/constraints.txt" if asked.tested else "none",
        base="trixie",
        requirements=stack.requirements,
        divergences=asked.divergences,
        platforms=(AMD64,),
        layers=60,
        compression="zstd",
    )
    pins = tuple(
        Demand(kind=Kind.PARENT, text=f"{project}=={version}", source="stack:core")
        for project, version in asked.parent_pins.items()
    )
    with LoopbackIndex() as index:
        view = IndexView(World(upstream, MemoryStore(), now=NOW), replace(asked.rules, python_version="3.13.5"))
        resolver = UvResolver(Uv(os.environ, cache=folder / "uv"))

        def serve(view: IndexView) -> IndexAddress:
            return IndexAddress(url=INDEX_URL, proxy=index.serve(view))

        yield StackSession(
            stacks={stack.name: stack},
            stack=effective,
            base=base,
            parent=None,
            previous=None,
            inputs=StackInputs(
                base_lock=Digest.of(b"base"),
                parent_lock=None,
                constraints=Constraints(data=b"", digest=Digest.of(b""), file="constraints.txt")
                if asked.tested
                else None,
                index_rules=(),
                files=(),
            ),
            tested=asked.tested,
            view=view,
            problem=Problem(
                label="stacks/finance/stack.toml",
                demands=(
                    Demand(kind=Kind.AIRFLOW, text=f"{AIRFLOW}=={AIRFLOW_VERSION}", source="stack:finance"),
                    *asked_demands({stack.name: stack}, stack.name),
                    *pins,
                    *demands_from(effective, asked.tested, file="constraints.txt"),
                ),
                preferences=(),
                python_version="3.13.5",
                glibc="2.41",
                platforms=(AMD64,),
                index=serve(view),
            ),
            solver=ResolverSolver(resolver, view.failure),
            serve=serve,
            resolver_name=resolver.name,
            now=NOW,
        )
