"""The loopback index as uv and plain HTTP clients see it."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from builder.errors import PackageIndexError, ResolutionError
from builder.platform import AMD64
from builder.resolve.model import IndexAddress, ResolutionRequest
from builder.resolve.problem import Demand, Kind, Problem
from builder.resolve.solver import ResolverSolver
from builder.resolve.uv import UvResolver
from builder.resolve.uv_process import Uv
from builder.snapshot.rules import ViewRules
from builder.snapshot.server import INDEX_URL, LoopbackIndex
from builder.snapshot.view import IndexView
from builder.snapshot.world import World
from tests.support.memory_snapshots import MadeUpUpstream, MemoryStore


@pytest.fixture
def upstream() -> MadeUpUpstream:
    made = MadeUpUpstream()
    made.offer("alpha", "1.0", "beta>=1")
    made.offer("alpha", "2.0", "beta>=2")
    made.offer("beta", "1.0")
    made.offer("beta", "2.0")
    return made


@pytest.fixture
def view(upstream: MadeUpUpstream) -> IndexView:
    return IndexView(World(upstream, MemoryStore(), now=0), ViewRules())


@pytest.fixture
def index() -> Iterator[LoopbackIndex]:
    with LoopbackIndex() as server:
        yield server


def _request(
    address: IndexAddress, *requirements: str, preferences: tuple[tuple[str, str], ...] = ()
) -> ResolutionRequest:
    return ResolutionRequest(
        label="here",
        requirements=requirements,
        python_version="3.13.5",
        glibc="2.41",
        platform=AMD64,
        index=address,
        preferences=preferences,
    )


def _versions(resolver: UvResolver, request: ResolutionRequest) -> dict[str, str]:
    return {candidate.project: candidate.version for candidate in resolver.resolve(request).candidates}


def test_uv_resolves_through_the_loopback_index(index: LoopbackIndex, view: IndexView, tmp_path: Path) -> None:
    address = IndexAddress(url=INDEX_URL, proxy=index.serve(view))
    resolver = UvResolver(Uv(os.environ, cache=tmp_path / "cache"))
    assert _versions(resolver, _request(address, "alpha")) == {"alpha": "2.0", "beta": "2.0"}
    assert _versions(resolver, _request(address, "alpha", preferences=(("alpha", "1.0"),))) == {
        "alpha": "1.0",
        "beta": "2.0",
    }
    with pytest.raises(ResolutionError, match="No solution"):
        resolver.resolve(_request(address, "alpha>=2", "beta<2"))


def test_a_second_run_asks_for_no_metadata_again(index: LoopbackIndex, view: IndexView, tmp_path: Path) -> None:
    resolver = UvResolver(Uv(os.environ, cache=tmp_path / "cache"))
    first = IndexAddress(url=INDEX_URL, proxy=index.serve(view))
    resolver.resolve(_request(first, "alpha"))
    again = IndexView(World(MadeUpUpstream(), MemoryStore(), now=0), ViewRules())
    fresh = MadeUpUpstream()
    for name, version, *needs in (
        ("alpha", "1.0", "beta>=1"),
        ("alpha", "2.0", "beta>=2"),
        ("beta", "1.0"),
        ("beta", "2.0"),
    ):
        fresh.offer(name, version, *needs)
    again = IndexView(World(fresh, MemoryStore(), now=0), ViewRules())
    resolver.resolve(_request(IndexAddress(url=INDEX_URL, proxy=index.serve(again)), "alpha"))
    assert sorted(fresh.asked) == ["default/alpha", "default/beta"]


def test_what_goes_wrong_upstream_is_the_error_that_is_told(
    index: LoopbackIndex, upstream: MadeUpUpstream, view: IndexView, tmp_path: Path
) -> None:
    upstream.broken.add("default")
    address = IndexAddress(url=INDEX_URL, proxy=index.serve(view))
    with pytest.raises((ResolutionError, PackageIndexError)):
        UvResolver(Uv(os.environ, cache=tmp_path / "cache")).resolve(_request(address, "alpha"))
    assert str(view.failure()) == "default: does not answer"


def test_only_who_knows_the_password_is_answered(index: LoopbackIndex, view: IndexView) -> None:
    proxy = index.serve(view)
    wrong = proxy.replace("://view0:", "://view0:x")
    with httpx.Client(proxy=wrong) as client:
        assert client.get(f"{INDEX_URL}/alpha/").status_code == 407
    with httpx.Client(proxy=proxy) as client:
        assert client.get(f"{INDEX_URL}/alpha/").status_code == 200
        assert client.get("http://elsewhere.example/").status_code == 403
        assert client.post(f"{INDEX_URL}/alpha/").status_code == 403
        assert client.get(f"{INDEX_URL}/..%2f..%2fetc/").status_code == 404


@pytest.mark.parametrize("value", ["Basic \xff\xfe", "Basic !", "Basic /w==", "Basic", "\xff"])
def test_credentials_that_cannot_be_read_are_none(index: LoopbackIndex, view: IndexView, value: str) -> None:
    index.serve(view)
    assert index.view_for(value) is None


def test_who_does_not_know_the_password_keeps_no_connection(view: IndexView) -> None:
    with LoopbackIndex(stranger_s=0.2) as index:
        address = urlsplit(index.serve(view))
        host, port = address.hostname or "", address.port or 0
        known = httpx.Client(proxy=address.geturl())
        with socket.create_connection((host, port), timeout=5) as stranger, known:
            assert known.get(f"{INDEX_URL}/alpha/").status_code == 200
            assert stranger.recv(1) == b""
            assert known.get(f"{INDEX_URL}/alpha/").status_code == 200


def test_connections_are_bounded(index: LoopbackIndex, view: IndexView) -> None:
    address = urlsplit(index.serve(view))
    host, port = address.hostname or "", address.port or 0
    with ExitStack() as open_ones:
        for _ in range(256):
            open_ones.enter_context(socket.create_connection((host, port), timeout=5))
        with socket.create_connection((host, port), timeout=5) as one_more, suppress(ConnectionError):
            assert one_more.recv(1) == b""


def test_a_known_page_is_not_sent_again(index: LoopbackIndex, view: IndexView) -> None:
    with httpx.Client(proxy=index.serve(view)) as client:
        first = client.get(f"{INDEX_URL}/alpha/")
        known = client.get(f"{INDEX_URL}/alpha/", headers={"if-none-match": first.headers["etag"]})
        assert (first.status_code, known.status_code, known.content) == (200, 304, b"")
        assert client.get(f"{INDEX_URL}/nothing/").status_code == 404


def test_metadata_that_cannot_be_had_is_an_error_though_a_resolver_goes_round_it(
    index: LoopbackIndex, upstream: MadeUpUpstream, view: IndexView, tmp_path: Path
) -> None:
    del upstream.texts["beta-2.0-py3-none-any.whl"]
    solver = ResolverSolver(UvResolver(Uv(os.environ, cache=tmp_path / "cache")), view.failure)
    problem = Problem(
        label="here",
        demands=(Demand(kind=Kind.ASKED, text="alpha", source="stack:here"),),
        preferences=(),
        python_version="3.13.5",
        glibc="2.41",
        platforms=(AMD64,),
        index=IndexAddress(url=INDEX_URL, proxy=index.serve(view)),
    )
    with pytest.raises(PackageIndexError, match=r"beta-2\.0-py3-none-any\.whl: is not there"):
        solver.solve(problem)
