"""Solves problems by a Resolver, platforms side by side, and remembers answers."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from packaging.utils import canonicalize_name

from builder.errors import BuilderError, ResolutionError
from builder.platform import Platform
from builder.resolve.model import Resolution, Resolver
from builder.resolve.problem import Problem, Solved, Solver, Unsolved, make_request

_NAME = re.compile(r"(?<![\w.-])[A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?(?![\w-])")


class ResolverSolver(Solver):
    """A Solver over a Resolver.

    Args:
        resolver: what resolves one platform.
        index_failure: tells what went wrong behind the resolver's back, on the loopback index that it asked: that is the
            truth then, whatever the resolver made of it.
    """

    def __init__(self, resolver: Resolver, index_failure: Callable[[], BuilderError | None] = lambda: None) -> None:
        self._resolver = resolver
        self._index_failure = index_failure
        self._answers: dict[Problem, Solved | Unsolved] = {}
        self._lock = threading.Lock()

    def solve(self, problem: Problem) -> Solved | Unsolved:
        """Solve on all platforms."""
        with self._lock:
            known = self._answers.get(problem)
        if known is not None:
            return known
        if len(problem.platforms) == 1:
            parts = [self._solve_one(problem, problem.platforms[0])]
        else:
            with ThreadPoolExecutor(len(problem.platforms)) as pool:
                parts = list(pool.map(lambda platform: self._solve_one(problem, platform), problem.platforms))
        failed = [part for part in parts if isinstance(part, Unsolved)]
        solved = Solved(resolutions=tuple(part for part in parts if isinstance(part, Resolution)))
        answer = failed[0] if failed else solved
        with self._lock:
            self._answers[problem] = answer
        return answer

    def _solve_one(self, problem: Problem, platform: Platform) -> Resolution | Unsolved:
        try:
            found = self._resolver.resolve(make_request(problem, platform))
        except BuilderError as error:
            failure = self._index_failure()
            if failure is not None:
                raise failure from error
            if not isinstance(error, ResolutionError):
                raise
            return Unsolved(platform=platform, error=error, named=_named_projects(error))
        # A resolver may go round what it was not given, and come out with something else than it should.
        failure = self._index_failure()
        if failure is not None:
            raise failure
        return found


def _named_projects(error: ResolutionError) -> frozenset[str]:
    """Collect words that may be names of projects from everything that the resolver said."""
    said = f"{error.message}\n{getattr(error.__cause__, 'stderr', '')}"
    return frozenset(canonicalize_name(word) for word in _NAME.findall(re.sub(r"\[[\w, -]*\]", "", said)))
