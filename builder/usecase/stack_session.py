"""Everything that asking about one stack needs: what it wants as a problem, what solves it, and what it may see.

`lock`, `preview`, `outdated` and the answers to conflicts all begin here; only `lock` writes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from packaging.requirements import Requirement
from packaging.specifiers import Specifier
from packaging.utils import canonicalize_name

from builder.lock.airflow import AIRFLOW_PARTS
from builder.lock.model import BaseLock, StackLock
from builder.resolve.constraints import demands_from, marker_environment, tested_versions
from builder.resolve.model import IndexAddress
from builder.resolve.problem import AIRFLOW, Demand, Kind, Problem, Solver
from builder.resolve.solver import ResolverSolver
from builder.resolve.tags import choose_wheel
from builder.snapshot.model import DEFAULT_INDEX, OfferedFile
from builder.snapshot.rules import ViewRules
from builder.snapshot.view import IndexView
from builder.stack.graph import parent_chain
from builder.stack.model import EffectiveStack, IndexRule, Stack
from builder.usecase.lock_model import LockOptions, LockTools
from builder.usecase.stack_inputs import StackInputs

DEFAULT_RESOLVER = "uv"


@dataclass(frozen=True, slots=True, kw_only=True)
class StackSession:
    """One stack, ready to be asked about."""

    stacks: Mapping[str, Stack]
    stack: EffectiveStack
    base: BaseLock
    parent: StackLock | None
    previous: StackLock | None
    """The lock there was."""
    inputs: StackInputs
    tested: Mapping[str, str]
    """By project, the version that the constraints name."""
    view: IndexView
    problem: Problem
    solver: Solver
    serve: Callable[[IndexView], IndexAddress]
    """Puts another view on the loopback index."""
    resolver_name: str
    now: int
    """Seconds since the epoch, when the run began."""


def open_session(
    tools: LockTools,
    stacks: Mapping[str, Stack],
    stack: EffectiveStack,
    inputs: StackInputs,
    *,
    base: BaseLock,
    parent: StackLock | None,
    previous: StackLock | None,
    options: LockOptions,
) -> StackSession:
    """Open a session; asks the index for nothing but the pages of the lock before, side by side."""
    constraints = inputs.constraints
    environment = marker_environment(base.python_version, stack.platforms[0])
    tested = tested_versions(constraints.data, environment, file=constraints.file) if constraints else {}
    resolver = tools.resolver(options.resolver or stack.resolution.resolver or DEFAULT_RESOLVER)
    locks = [lock for lock in (parent, previous) if lock]
    rules = make_rules(stack, index_rules=inputs.index_rules, locks=locks, tested=tested)
    rules = replace(rules, python_version=base.python_version)
    known = [row.built for lock in locks for row in lock.candidates if row.built and not options.upgrade]
    builder = tools.wheel_builder(base, resolver, replace(rules, sdists=False), known) if rules.sdists else None
    view = IndexView(
        tools.world, replace(rules, builder_key=builder.key if builder else ""), builder, _likely(base, stack)
    )
    view.prefetch([candidate.project for candidate in previous.candidates] if previous else [])
    demands = (
        *_airflow_demands(stack, previous, tested),
        *asked_demands(stacks, stack.name),
        *_parent_demands(parent, stack),
        *demands_from(stack, tested, file=constraints.file if constraints else ""),
    )
    return StackSession(
        stacks=stacks,
        stack=stack,
        base=base,
        parent=parent,
        previous=previous,
        inputs=inputs,
        tested=tested,
        view=view,
        problem=Problem(
            label=f"stacks/{stack.name}/stack.toml",
            demands=tuple(dict.fromkeys(demands)),
            preferences=_preferences(previous, parent, options),
            python_version=base.python_version,
            glibc=base.glibc,
            platforms=stack.platforms,
            index=tools.serve(view),
        ),
        solver=ResolverSolver(resolver, view.failure),
        serve=tools.serve,
        resolver_name=resolver.name,
        now=tools.now,
    )


def make_rules(
    stack: EffectiveStack,
    *,
    index_rules: Sequence[IndexRule],
    locks: Sequence[StackLock],
    tested: Mapping[str, str],
) -> ViewRules:
    """Make the rules of a stack's view: its own, the indexes', and where the locks before had each project from."""
    resolution = stack.resolution
    named: dict[str, set[str]] = {project: {version} for project, version in tested.items()}
    for lock in locks:
        for candidate in lock.candidates:
            named.setdefault(candidate.project, set()).add(candidate.version)
    for text in (*stack.requirements, *(f"{row.project}{row.specifier}" for row in stack.divergences)):
        requirement = Requirement(text)
        for specifier in requirement.specifier:
            if _is_exact(specifier):
                named.setdefault(canonicalize_name(requirement.name), set()).add(specifier.version)
    return ViewRules(
        as_of=resolution.as_of,
        cooldown_days=resolution.cooldown_days or 0,
        index_cooldowns={rule.name: rule.cooldown_days for rule in index_rules if rule.cooldown_days is not None},
        timeless=frozenset(rule.name for rule in index_rules if rule.folder),
        exceptions=tuple((row.project, row.specifier) for row in resolution.exceptions),
        reserved=tuple((pattern, rule.name) for rule in index_rules for pattern in rule.reserved),
        homes={candidate.project: candidate.index or DEFAULT_INDEX for lock in locks for candidate in lock.candidates},
        sdists=resolution.sdists is not False,
        named={project: frozenset(versions) for project, versions in named.items()},
    )


def asked_demands(stacks: Mapping[str, Stack], name: str) -> tuple[Demand, ...]:
    """List what a stack and its parents ask for, parents first, each with who asks."""
    line = (*reversed(parent_chain(stacks, name)), stacks[name])
    return tuple(
        Demand(kind=Kind.ASKED, text=text, source=f"stack:{stack.name}")
        for stack in line
        for text in stack.requirements
    )


def with_stack(stacks: Mapping[str, Stack], stack: Stack) -> Mapping[str, Stack]:
    """Put another definition of a stack in its place."""
    return {**stacks, stack.name: stack}


def without_preferences(session: StackSession) -> StackSession:
    """Take the newest of everything, as `--upgrade` does."""
    return replace(session, problem=session.problem.preferring(()))


def _likely(base: BaseLock, stack: EffectiveStack) -> Callable[[Sequence[OfferedFile]], tuple[OfferedFile, ...]]:
    """Make what tells which wheels of a version a resolver will ask about: those that the base would use."""

    def likely(wheels: Sequence[OfferedFile]) -> tuple[OfferedFile, ...]:
        names = [wheel.name for wheel in wheels]
        chosen = (
            choose_wheel(wheels, names, python_version=base.python_version, platform=platform, glibc=base.glibc)
            for platform in stack.platforms
        )
        return tuple({wheel.name: wheel for wheel in chosen if wheel}.values())

    return likely


def _airflow_demands(
    stack: EffectiveStack, previous: StackLock | None, tested: Mapping[str, str]
) -> tuple[Demand, ...]:
    """Airflow as the stack names it; its other parts as tested, else as the lock before had them with this very Airflow."""
    source = f"stack:{stack.name}"
    first = Demand(kind=Kind.AIRFLOW, text=f"{AIRFLOW}=={stack.airflow_version}", source=source)
    if previous is None or previous.airflow_version != stack.airflow_version:
        return (first,)
    parts = {
        candidate.project: candidate.version
        for candidate in previous.candidates
        if candidate.project in AIRFLOW_PARTS and candidate.project != AIRFLOW and candidate.project not in tested
    }
    pins = (
        Demand(kind=Kind.AIRFLOW, text=f"{project}=={version}", source=source)
        for project, version in sorted(parts.items())
    )
    return (first, *pins)


def _parent_demands(parent: StackLock | None, stack: EffectiveStack) -> tuple[Demand, ...]:
    if parent is None:
        return ()
    versions: dict[str, set[str]] = {}
    for candidate in parent.candidates:
        versions.setdefault(candidate.project, set()).add(candidate.version)
    return tuple(
        Demand(
            kind=Kind.PARENT,
            text=f"{candidate.project}=={candidate.version}",
            source=f"stack:{parent.stack}",
            platform=platform.name if len(versions[candidate.project]) > 1 else None,
        )
        for platform in stack.platforms
        for candidate in parent.candidates_for(platform)
    )


def _preferences(
    previous: StackLock | None, parent: StackLock | None, options: LockOptions
) -> tuple[tuple[str, str], ...]:
    if previous is None or options.upgrade:
        return ()
    bound = {candidate.project for candidate in parent.candidates} if parent else set()
    pins: dict[str, str] = {}
    for candidate in previous.candidates:
        if candidate.project not in bound and candidate.project not in options.upgrade_packages:
            pins.setdefault(candidate.project, candidate.version)
    return tuple(sorted(pins.items()))


def _is_exact(specifier: Specifier) -> bool:
    return specifier.operator in {"==", "==="} and not specifier.version.endswith(".*")
