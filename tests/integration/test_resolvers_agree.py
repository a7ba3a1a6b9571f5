"""uv and pip-tools on what the real index offered when core was locked: its requirements, on both platforms of its base.

Later releases may leave more than one answer to choose from, of which each resolver takes another: packaging 26.4 excludes
the newest kombu, and whether the one or the other is to be the newest is a matter of taste.
"""

from __future__ import annotations

import datetime as dt

import pytest

from builder.lock.base import parse_base_lock
from builder.lock.pylock import parse_stack_lock
from builder.platform import PLATFORMS
from builder.project import open_project
from builder.resolve.problem import make_request
from builder.wiring.locks import make_resolver
from tests.support.real_index import ROOT, real_session

pytestmark = [pytest.mark.network, pytest.mark.slow]


@pytest.mark.parametrize("name", PLATFORMS)
def test_both_resolvers_find_the_same_for_core(name: str) -> None:
    project = open_project(ROOT)
    stack = project.load_stacks()["core"]
    lock = parse_stack_lock(project.stack_lock_path("core").read_bytes(), file="core")
    path = project.base_lock_path("trixie")
    base = parse_base_lock(path.read_bytes(), file=path.name)
    with real_session(
        airflow=stack.airflow_version or "",
        python=base.python_version,
        glibc=base.glibc,
        constraints=None,
        requirements=stack.requirements,
        as_of=dt.datetime.fromtimestamp(lock.created, dt.UTC),
    ) as session:
        request = make_request(session.problem, PLATFORMS[name])
        by_uv, by_pip = (make_resolver(resolver).resolve(request) for resolver in ("uv", "pip-tools"))
    assert len(by_uv.candidates) > 150
    assert by_pip == by_uv
