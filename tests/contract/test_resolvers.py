"""One suite over every Resolver: the same made-up index, the same request, the same candidates; or why not."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from builder.errors import PackageIndexError, ResolutionError, ToolError
from builder.resolve.model import IndexAddress, Resolution, ResolutionRequest, Resolver
from builder.resolve.pip_tools import PipToolsResolver
from builder.resolve.uv import UvResolver
from builder.resolve.uv_process import Uv
from tests.support.made_up_index import served
from tests.support.memory_snapshots import MadeUpUpstream
from tests.support.resolver_cases import CASES, TWO, Case, offer

RESOLVERS = ("uv", "pip-tools")


@pytest.fixture(scope="session")
def resolvers(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Resolver]:
    return make_resolvers(tmp_path_factory.mktemp("resolvers"))


def make_resolvers(folder: Path) -> Mapping[str, Resolver]:
    return {
        "uv": UvResolver(Uv(os.environ, cache=folder / "uv"), scratch=folder / "scratch"),
        "pip-tools": PipToolsResolver(os.environ, cache=folder / "pip", scratch=folder / "scratch"),
    }


@pytest.fixture(params=RESOLVERS)
def resolver(request: pytest.FixtureRequest, resolvers: Mapping[str, Resolver]) -> Resolver:
    return resolvers[request.param]


NOWHERE = IndexAddress(url="http://index.invalid/simple", proxy="http://127.0.0.1:9")
"""Nothing listens at the port of `discard`."""


def make_request(case: Case, index: IndexAddress, *, lowest_direct: bool = False) -> ResolutionRequest:
    return ResolutionRequest(
        label="stacks/core/stack.toml",
        requirements=tuple(case.requirements),
        python_version=case.python,
        glibc="2.41",
        platform=case.platform,
        index=index,
        pins=tuple(case.pins),
        constraints=tuple(case.constraints),
        preferences=tuple(case.preferences),
        lowest_direct=lowest_direct,
    )


def resolve(resolver: Resolver, case: Case, index: IndexAddress) -> Resolution:
    return resolver.resolve(make_request(case, index))


def offered(case: Case) -> MadeUpUpstream:
    index = MadeUpUpstream()
    for put in case.offers:
        put(index)
    return index


def show(resolution: Resolution) -> str:
    rows = ((f"{item.project}=={item.version}", ",".join(item.dependencies)) for item in resolution.candidates)
    return " ".join(f"{pin}({needs})" if needs else pin for pin, needs in rows)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
@pytest.mark.parametrize("name", RESOLVERS)
def test_same_input_gives_same_candidates(name: str, case: Case, resolvers: Mapping[str, Resolver]) -> None:
    with served(offered(case), case.rules, python_version=case.python) as index:
        try:
            found = show(resolve(resolvers[name], case, index))
        except ResolutionError:
            found = "ResolutionError"
    assert found == case.otherwise.get(name, case.expected), case.why


CONFLICT = Case(
    offers=[offer("alpha", "1", "beta<2"), offer("beta", "1"), offer("beta", "2")],
    requirements=["alpha", "beta>=2"],
    expected="ResolutionError",
)
ALPHA = Case(offers=TWO, requirements=["alpha"], expected="alpha==2")


def test_conflict_names_the_projects_that_stand_against_each_other(resolver: Resolver) -> None:
    with served(offered(CONFLICT)) as index, pytest.raises(ResolutionError) as raised:
        resolve(resolver, CONFLICT, index)
    assert "alpha" in raised.value.message
    assert "beta" in raised.value.message
    assert raised.value.context == "stacks/core/stack.toml on linux/amd64"
    assert raised.value.hint
    assert isinstance(raised.value.__cause__, ToolError)


def test_index_that_fails_is_no_conflict(resolver: Resolver) -> None:
    upstream = offered(ALPHA)
    upstream.broken.add("default")
    with served(upstream) as index, pytest.raises(PackageIndexError) as raised:
        resolve(resolver, ALPHA, index)
    shown = f"{raised.value}{raised.value.__cause__}{getattr(raised.value.__cause__, 'stderr', '')}"
    assert index.proxy.partition("//")[2] not in shown


def test_index_that_is_not_there_is_no_conflict(resolver: Resolver) -> None:
    with pytest.raises(PackageIndexError):
        resolve(resolver, ALPHA, replace(NOWHERE, proxy="http://view:password@127.0.0.1:9"))


@pytest.mark.parametrize("text", ["alpha @ https://host.example/alpha-1-py3-none-any.whl", "alpha @ file:///alpha.whl"])
def test_addresses_are_refused(resolver: Resolver, text: str) -> None:
    with pytest.raises(ResolutionError, match="alpha comes from a url, a folder or a repository, not from an index"):
        resolve(resolver, replace(ALPHA, requirements=[text]), NOWHERE)


@pytest.mark.parametrize(
    "address",
    ["https://host.example/beta-1-py3-none-any.whl", "file:///tmp/beta-1-py3-none-any.whl", "git+file:///tmp/x"],
)
def test_addresses_in_metadata_are_refused(resolver: Resolver, address: str) -> None:
    case = Case(offers=[offer("alpha", "1", f"beta @ {address}")], requirements=["alpha"], expected="")
    with served(offered(case)) as index, pytest.raises((ResolutionError, PackageIndexError, ToolError)):
        resolve(resolver, case, index)


def test_same_request_gives_the_same_from_a_warm_cache_and_from_several_threads(resolver: Resolver) -> None:
    case = CASES["extra"]
    with served(offered(case)) as index, ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: show(resolve(resolver, case, index)), range(4)))
    assert set(found) == {case.expected}


@pytest.mark.parametrize("name", RESOLVERS)
def test_users_settings_move_nothing(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    settings = tmp_path / "pip.conf"
    settings.write_text("[global]\npre = true\nindex-url = http://other.invalid/simple\n")
    for variable, value in {
        "PIP_CONFIG_FILE": str(settings),
        "PIP_PRE": "1",
        "PIP_CONSTRAINT": str(settings),
        "PIP_INDEX_URL": "http://other.invalid/simple",
        "UV_PRERELEASE": "allow",
        "UV_INDEX_URL": "http://other.invalid/simple",
        "http_proxy": "http://127.0.0.1:9",
        "no_proxy": "*",
        "PYTHONPATH": str(tmp_path),
    }.items():
        monkeypatch.setenv(variable, value)
    case = CASES["pre-release is not taken"]
    with served(offered(case)) as index:
        assert show(resolve(make_resolvers(tmp_path)[name], case, index)) == case.expected


def test_resolver_names_its_program_and_version(resolver: Resolver) -> None:
    assert re.fullmatch(r"uv \d[\d.]+|pip-tools \d[\d.]+ \(pip \d[\d.]+\)", resolver.name)


def test_lowest_versions_are_for_uv_alone(resolvers: Mapping[str, Resolver]) -> None:
    with served(offered(ALPHA)) as index:
        request = make_request(ALPHA, index, lowest_direct=True)
        assert show(resolvers["uv"].resolve(request)) == "alpha==1"
        with pytest.raises(ToolError, match="pip-tools does not know lowest versions"):
            resolvers["pip-tools"].resolve(request)


def test_differences_say_why() -> None:
    assert all(bool(case.otherwise) == bool(case.why) for case in CASES.values())
