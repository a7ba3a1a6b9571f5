"""Sessions over the real indexes of this machine, for stacks that stand in no project."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from builder.digest import Digest
from builder.lock.base import parse_base_lock
from builder.platform import AMD64
from builder.project import open_project
from builder.resolve.constraints import demands_from, marker_environment, tested_versions
from builder.resolve.problem import AIRFLOW, Demand, Kind, Problem
from builder.resolve.solver import ResolverSolver
from builder.snapshot.view import IndexView
from builder.stack.model import EffectiveStack, ResolutionRules, Stack
from builder.usecase.constraints import Constraints
from builder.usecase.stack_inputs import StackInputs
from builder.usecase.stack_session import StackSession, asked_demands, make_rules
from builder.wiring.locks import make_lock_tools

ROOT = Path(__file__).parents[2]


@contextmanager
def real_session(
    *,
    airflow: str,
    python: str,
    glibc: str,
    constraints: Path | None,
    requirements: Sequence[str],
    as_of: dt.datetime | None = None,
) -> Iterator[StackSession]:
    """Open a session for a stack that asks for something, on linux/amd64; where a moment is given, of what was there then."""
    project = open_project(ROOT)
    name = "scenario"
    stack = Stack(
        name=name,
        description="For tests",
        owners=("team:tests",),
        airflow_version=airflow,
        requirements=tuple(requirements),
    )
    effective = EffectiveStack(
        name=name,
        description="For tests",
        owners=("team:tests",),
        parents=(),
        airflow_version=airflow,
        constraints="none" if constraints is None else f"{name}/{constraints.name}",
        base="bookworm",
        requirements=tuple(requirements),
        divergences=(),
        resolution=ResolutionRules(as_of=as_of),
        platforms=(AMD64,),
        layers=60,
        compression="zstd",
    )
    path = project.base_lock_path("bookworm")
    base = parse_base_lock(path.read_bytes(), file=path.name)
    data = constraints.read_bytes() if constraints else b""
    tested = tested_versions(data, marker_environment(python, AMD64), file="constraints.txt")
    said: list[str] = []
    with make_lock_tools(project, said.append) as tools:
        rules = make_rules(effective, index_rules=(), locks=(), tested=tested)
        resolver = tools.resolver("uv")
        builder = tools.wheel_builder(base, resolver, replace(rules, sdists=False), [])
        view = IndexView(
            tools.world,
            replace(rules, python_version=python, builder_key=builder.key if builder else ""),
            builder,
        )
        airflow_demand = Demand(kind=Kind.AIRFLOW, text=f"{AIRFLOW}=={airflow}", source=f"stack:{name}")
        demands = (
            airflow_demand,
            *asked_demands({name: stack}, name),
            *demands_from(effective, tested, file="constraints.txt"),
        )
        yield StackSession(
            stacks={name: stack},
            stack=effective,
            base=base,
            parent=None,
            previous=None,
            inputs=StackInputs(
                base_lock=Digest.of(path.read_bytes()),
                parent_lock=None,
                constraints=Constraints(data=data, digest=Digest.of(data), file="constraints.txt")
                if constraints
                else None,
                index_rules=(),
                files=(),
            ),
            tested=tested,
            view=view,
            problem=Problem(
                label=f"stacks/{name}/stack.toml",
                demands=demands,
                preferences=(),
                python_version=python,
                glibc=glibc,
                platforms=(AMD64,),
                index=tools.serve(view),
            ),
            solver=ResolverSolver(resolver, view.failure),
            serve=tools.serve,
            resolver_name=resolver.name,
            now=tools.now,
        )
