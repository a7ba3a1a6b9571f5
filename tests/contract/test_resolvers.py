"""One suite over every Resolver: the same made-up index, the same request, the same candidates; or why not."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from builder.errors import PackageIndexError, ResolutionError, ToolError
from builder.platform import AMD64, ARM64, Platform
from builder.resolve.model import IndexAddress, Resolution, ResolutionRequest, Resolver
from builder.resolve.pip_tools import PipToolsResolver
from builder.resolve.uv import UvResolver
from builder.resolve.uv_process import Uv
from builder.snapshot.rules import ViewRules
from tests.support.made_up_index import offer_wheel, served
from tests.support.memory_snapshots import MadeUpUpstream

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What is asked of which index, and what comes out."""

    offers: Sequence[Callable[[MadeUpUpstream], object]]
    requirements: Sequence[str]
    expected: str
    """As `alpha==1 beta==2`; an error's name where nothing comes out."""
    otherwise: Mapping[str, str] = field(default_factory=dict)
    """By resolver, what comes out in place of `expected`."""
    why: str = ""
    """Why resolvers differ."""
    pins: Sequence[tuple[str, str]] = ()
    constraints: Sequence[str] = ()
    preferences: Sequence[tuple[str, str]] = ()
    python: str = "3.13.5"
    platform: Platform = AMD64
    rules: ViewRules = field(default_factory=ViewRules)


def offer(*args: str, **options: object) -> Callable[[MadeUpUpstream], object]:
    return lambda upstream: offer_wheel(upstream, *args, **options)  # type: ignore[arg-type]


TWO = (offer("alpha", "1"), offer("alpha", "2"))
CASES = {
    "newest": Case(offers=TWO, requirements=["alpha"], expected="alpha==2"),
    "bound": Case(offers=TWO, requirements=["alpha<2"], expected="alpha==1"),
    "dependency": Case(
        offers=[offer("alpha", "1", "beta<2"), offer("beta", "1"), offer("beta", "2")],
        requirements=["alpha"],
        expected="alpha==1(beta) beta==1",
    ),
    "backtracks": Case(
        offers=[offer("alpha", "2", "beta>=3"), offer("alpha", "1", "beta"), offer("beta", "1")],
        requirements=["alpha"],
        expected="alpha==1(beta) beta==1",
    ),
    "extra": Case(
        offers=[
            offer("alpha", "1", "beta; extra == 'b'", "gamma", extras=["b"]),
            offer("beta", "1"),
            offer("gamma", "1"),
        ],
        requirements=["alpha[b]"],
        expected="alpha==1(beta,gamma) beta==1 gamma==1",
    ),
    "extra not asked for": Case(
        offers=[offer("alpha", "1", "beta; extra == 'b'", extras=["b"]), offer("beta", "1")],
        requirements=["alpha"],
        expected="alpha==1",
    ),
    "extra of a dependency": Case(
        offers=[
            offer("alpha", "1", "beta[c]"),
            offer("beta", "1", "gamma; extra == 'c'", extras=["c"]),
            offer("gamma", "1"),
        ],
        requirements=["alpha"],
        expected="alpha==1(beta) beta==1(gamma) gamma==1",
    ),
    "extra that names its own project": Case(
        offers=[
            offer("alpha", "1", "alpha[b]; extra == 'all'", "beta; extra == 'b'", extras=["all", "b"]),
            offer("beta", "1"),
        ],
        requirements=["alpha[all]"],
        expected="alpha==1(beta) beta==1",
    ),
    "unknown extra": Case(offers=[offer("alpha", "1")], requirements=["alpha[nothing]"], expected="alpha==1"),
    "marker of the target's machine": Case(
        offers=[
            offer("alpha", "1", "beta; platform_machine == 'aarch64'", "gamma; platform_machine == 'x86_64'"),
            offer("beta", "1"),
            offer("gamma", "1"),
        ],
        requirements=["alpha"],
        platform=ARM64,
        expected="alpha==1(beta) beta==1",
    ),
    "marker of the target's patch version": Case(
        offers=[
            offer("alpha", "1", "beta; python_full_version >= '3.13.5'", "gamma; python_full_version > '3.13.5'"),
            offer("beta", "1"),
            offer("gamma", "1"),
        ],
        requirements=["alpha"],
        expected="alpha==1(beta) beta==1",
    ),
    "marker of another version than this Python's": Case(
        offers=[
            offer("alpha", "1", "beta; python_version < '3.12'", "gamma; python_version >= '3.12'"),
            offer("beta", "1"),
            offer("gamma", "1"),
        ],
        requirements=["alpha"],
        python="3.11.2",
        expected="alpha==1(beta) beta==1",
    ),
    "marker of a requirement": Case(
        offers=[*TWO, offer("beta", "1")],
        requirements=["alpha; python_version < '3'", "beta; sys_platform == 'linux'"],
        expected="beta==1",
    ),
    "pre-release is not taken": Case(
        offers=[offer("alpha", "1"), offer("alpha", "2rc1")], requirements=["alpha"], expected="alpha==1"
    ),
    "pre-release that is asked for": Case(
        offers=[offer("alpha", "1"), offer("alpha", "2rc1")], requirements=["alpha>=2rc1"], expected="alpha==2rc1"
    ),
    "pre-release where there is nothing else": Case(
        offers=[offer("alpha", "1", "beta"), offer("beta", "2b1"), offer("beta", "1b1")],
        requirements=["alpha"],
        expected="alpha==1(beta) beta==2b1",
    ),
    "pre-release where no final release fits": Case(
        offers=[offer("alpha", "1"), offer("alpha", "2rc1")], requirements=["alpha>1"], expected="alpha==2rc1"
    ),
    "pre-release that a dependency names": Case(
        offers=[offer("alpha", "1", "beta>=2rc1"), offer("beta", "1"), offer("beta", "2rc1")],
        requirements=["alpha"],
        expected="alpha==1(beta) beta==2rc1",
    ),
    "development release": Case(
        offers=[offer("alpha", "1"), offer("alpha", "2.dev1")], requirements=["alpha"], expected="alpha==1"
    ),
    "post release": Case(
        offers=[offer("alpha", "1"), offer("alpha", "1.post1")],
        requirements=["alpha<=1.post1"],
        expected="alpha==1.post1",
    ),
    "local version": Case(
        offers=[offer("alpha", "1"), offer("alpha", "1+cpu")], requirements=["alpha==1"], expected="alpha==1+cpu"
    ),
    "local version that is pinned": Case(
        offers=[offer("alpha", "1", "beta"), offer("beta", "1+cpu"), offer("beta", "1+gpu")],
        requirements=["alpha"],
        pins=[("beta", "1+cpu")],
        expected="alpha==1(beta) beta==1+cpu",
    ),
    "constraint": Case(offers=TWO, requirements=["alpha"], constraints=["alpha<2"], expected="alpha==1"),
    "constraint of what is not chosen": Case(
        offers=TWO, requirements=["alpha"], constraints=["unheard-of==7"], expected="alpha==2"
    ),
    "constraint with a marker": Case(
        offers=TWO, requirements=["alpha"], constraints=["alpha==1; python_version < '3.12'"], expected="alpha==2"
    ),
    "constraint with an extra": Case(
        offers=TWO, requirements=["alpha"], constraints=["alpha[b]<2"], expected="alpha==1"
    ),
    "pin": Case(
        offers=[offer("alpha", "1", "beta"), offer("beta", "1"), offer("beta", "2")],
        requirements=["alpha"],
        pins=[("beta", "1"), ("unheard-of", "1")],
        expected="alpha==1(beta) beta==1",
    ),
    "pin against a requirement": Case(
        offers=TWO, requirements=["alpha>=2"], pins=[("alpha", "1")], expected="ResolutionError"
    ),
    "preference": Case(offers=TWO, requirements=["alpha"], preferences=[("alpha", "1")], expected="alpha==1"),
    "preference of a dependency": Case(
        offers=[offer("alpha", "1", "beta"), offer("beta", "1"), offer("beta", "2")],
        requirements=["alpha"],
        preferences=[("beta", "1")],
        expected="alpha==1(beta) beta==1",
    ),
    "preference gives way to a requirement": Case(
        offers=TWO, requirements=["alpha>=2"], preferences=[("alpha", "1")], expected="alpha==2"
    ),
    "preference gives way to a dependency": Case(
        offers=[
            offer("alpha", "1", "beta>=2"),
            offer("beta", "1"),
            offer("beta", "2"),
            offer("gamma", "1"),
            offer("gamma", "2"),
        ],
        requirements=["alpha", "gamma"],
        preferences=[("beta", "1"), ("gamma", "1")],
        expected="alpha==1(beta) beta==2 gamma==1",
    ),
    "preference gives way where what it needs conflicts": Case(
        offers=[
            *(offer("alpha", "1", "beta<2"), offer("alpha", "2", "beta>=2")),
            *(offer("beta", "1"), offer("beta", "2"), offer("gamma", "1"), offer("gamma", "2")),
        ],
        requirements=["alpha", "beta>=2", "gamma"],
        preferences=[("alpha", "1"), ("gamma", "1")],
        expected="alpha==2(beta) beta==2 gamma==1",
    ),
    "preference for what is gone": Case(
        offers=TWO, requirements=["alpha"], preferences=[("alpha", "0.9"), ("beta", "1")], expected="alpha==2"
    ),
    "requires-python": Case(
        offers=[offer("alpha", "1"), offer("alpha", "2", requires_python=">=3.14")],
        requirements=["alpha"],
        expected="alpha==1",
    ),
    "requires-python, patch version": Case(
        offers=[offer("alpha", "1"), offer("alpha", "2", requires_python=">=3.13.6")],
        requirements=["alpha"],
        expected="alpha==1",
    ),
    "requires-python, upper bound": Case(
        offers=[offer("alpha", "1"), offer("alpha", "2", requires_python=">=3.8,<3.13")],
        requirements=["alpha"],
        expected="alpha==1",
    ),
    "requires-python, excluded": Case(
        offers=[offer("alpha", "1"), offer("alpha", "2", requires_python="!=3.13.5")],
        requirements=["alpha"],
        expected="alpha==1",
    ),
    "wheel of another machine": Case(
        offers=[offer("alpha", "1"), offer("alpha", "2", tag="cp313-cp313-manylinux_2_17_x86_64")],
        requirements=["alpha"],
        platform=ARM64,
        expected="alpha==1",
    ),
    "wheel of this machine's other Python": Case(
        offers=[offer("alpha", "1"), offer("alpha", "2", tag="cp311-cp311-manylinux2014_x86_64")],
        requirements=["alpha"],
        expected="alpha==1",
    ),
    "wheel of the stable ABI": Case(
        offers=[offer("alpha", "1"), offer("alpha", "2", tag="cp39-abi3-manylinux2014_aarch64.manylinux_2_17_aarch64")],
        requirements=["alpha"],
        platform=ARM64,
        expected="alpha==2",
    ),
    "wheel of musl": Case(
        offers=[offer("alpha", "1"), offer("alpha", "2", tag="cp313-cp313-musllinux_1_2_x86_64")],
        requirements=["alpha"],
        expected="alpha==1",
    ),
    "wheel of a newer glibc": Case(
        offers=[offer("alpha", "1"), offer("alpha", "2", tag="cp313-cp313-manylinux_2_42_x86_64")],
        requirements=["alpha"],
        expected="alpha==1",
    ),
    "wheel of the base's very glibc": Case(
        offers=[offer("alpha", "1"), offer("alpha", "2", tag="cp313-cp313-manylinux_2_41_x86_64")],
        requirements=["alpha"],
        expected="alpha==1",
        otherwise={"pip-tools": "alpha==2"},
        why="uv knows platforms up to glibc 2.40 only; pip is given the tags of the base",
    ),
    "yanked": Case(
        offers=[offer("alpha", "1"), offer("alpha", "2", yanked="broken")], requirements=["alpha"], expected="alpha==1"
    ),
    "yanked, pinned": Case(
        offers=[offer("alpha", "1"), offer("alpha", "2", yanked="broken")],
        requirements=["alpha==2"],
        expected="ResolutionError",
    ),
    "yanked, with a reason to have it": Case(
        offers=[offer("alpha", "1"), offer("alpha", "2", yanked="broken")],
        requirements=["alpha==2"],
        rules=ViewRules(exceptions=(("alpha", "==2"),)),
        expected="alpha==2",
    ),
    "spelling": Case(
        offers=[offer("Al.Pha_One", "1.0", "BETA.two"), offer("Beta_Two", "1")],
        requirements=["AL--pha.one"],
        pins=[("beta-two", "1")],
        expected="al-pha-one==1.0(beta-two) beta-two==1",
    ),
    "ring": Case(
        offers=[offer("alpha", "1", "beta"), offer("beta", "1", "alpha")],
        requirements=["alpha"],
        expected="alpha==1(beta) beta==1(alpha)",
    ),
    "conflict": Case(
        offers=[offer("alpha", "1", "beta<2"), offer("beta", "1"), offer("beta", "2")],
        requirements=["alpha", "beta>=2"],
        expected="ResolutionError",
    ),
    "unknown project": Case(offers=TWO, requirements=["gamma"], expected="ResolutionError"),
    "unknown project of a dependency": Case(
        offers=[offer("alpha", "1", "gamma")], requirements=["alpha"], expected="ResolutionError"
    ),
    "unknown version": Case(offers=TWO, requirements=["alpha==3"], expected="ResolutionError"),
    "nothing is asked for": Case(offers=TWO, requirements=[], expected=""),
}


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
