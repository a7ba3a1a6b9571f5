"""What every resolver is asked, of which made-up index, and what comes out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from builder.platform import AMD64, ARM64, Platform
from builder.snapshot.rules import ViewRules
from tests.support.made_up_index import offer_wheel
from tests.support.memory_snapshots import MadeUpUpstream


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
