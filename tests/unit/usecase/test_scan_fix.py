"""What mends a finding is resolved by the real uv over made-up releases, and versions of debs are those of a made-up mirror."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from builder.debian.client import Suite
from builder.digest import Digest
from builder.errors import LockStaleError, MirrorError, PackageIndexError
from builder.finding.model import Belonging, Finding, Fix, FixState, Kind, Part
from builder.lock.base import parse_base_lock
from builder.lock.model import BaseLock, ReleaseRecord
from builder.resolve.problem import AIRFLOW
from builder.stack.model import ImageOrigin
from builder.usecase.scan_fix import find_fixes, nearest_fix
from builder.usecase.scan_fix_deb import DebFinder
from builder.usecase.stack_session import StackSession
from tests.support.findings import finding
from tests.support.made_up_index import offer_wheel
from tests.support.made_up_session import AIRFLOW_VERSION, BASE, Asked, made_up_session
from tests.support.memory_snapshots import MadeUpUpstream
from tests.support.packages import paragraphs
from tests.support.stack_locks import make_candidate, make_lock

OWN = Belonging(part=Part.OWN, layer="finance-01", stack="finance", owners=("team:finance-data",))


def releases(*offers: tuple[str, ...]) -> MadeUpUpstream:
    """Offer releases: name, version, requirements."""
    upstream = MadeUpUpstream()
    offer_wheel(upstream, "apache-airflow", "3.3.2")
    for name, version, *requirements in offers:
        offer_wheel(upstream, name, version, *requirements)
    return upstream


@contextmanager
def session_of(
    folder: Path, upstream: MadeUpUpstream, asked: Asked, locked: Mapping[str, str]
) -> Iterator[StackSession]:
    """Open a session whose lock has these versions."""
    with made_up_session(folder, upstream, asked) as session:
        lock = make_lock(
            *(make_candidate(name, version) for name, version in {AIRFLOW: AIRFLOW_VERSION, **locked}.items()),
            stack="finance",
        )
        problem = session.problem.preferring(sorted(locked.items()))
        yield replace(session, previous=lock, problem=problem)


def weak(fixed_in: Sequence[str], version: str = "2.19.0") -> Finding:
    return finding(version=version, fixed_in=tuple(fixed_in), belongs=OWN)


MANY = [("requests", version) for version in ("2.19.0", "2.19.1", "2.20.0", "2.21.0", "3.0")]


def test_the_nearest_version_is_found_and_the_command_that_gives_one(tmp_path: Path) -> None:
    asked = Asked(requirements=["requests<3"])
    with session_of(tmp_path, releases(*MANY), asked, {"requests": "2.19.0"}) as session:
        fix = nearest_fix(session, weak(["2.20.0"]))
    assert fix == Fix(state=FixState.REACHABLE, version="2.20.0", how="airflow-kubler lock finance -P requests")


def test_what_has_to_move_along_is_told(tmp_path: Path) -> None:
    upstream = releases(
        ("requests", "2.19.0", "urllib3<1.25"), ("requests", "2.20.0", "urllib3>=1.26"), ("urllib3", "1.24"), ("urllib3", "1.26")
    )  # fmt: skip
    locked = {"requests": "2.19.0", "urllib3": "1.24"}
    with session_of(tmp_path, upstream, Asked(requirements=["requests"]), locked) as session:
        fix = nearest_fix(session, weak(["2.20.0"]))
    assert (fix.state, fix.version, fix.moves) == (FixState.REACHABLE, "2.20.0", ("urllib3 1.24 -> 1.26",))


def test_a_weakness_of_what_another_requires_is_mended_without_asking_for_it(tmp_path: Path) -> None:
    upstream = releases(("client", "1.0", "requests"), *MANY)
    locked = {"client": "1.0", "requests": "2.19.0"}
    with session_of(tmp_path, upstream, Asked(requirements=["client"]), locked) as session:
        fix = nearest_fix(session, weak(["2.20.0"]))
    assert (fix.state, fix.version) == (FixState.REACHABLE, "2.20.0")


def test_a_branch_that_is_weak_again_is_passed_over(tmp_path: Path) -> None:
    upstream = releases(
        *((("requests", version)) for version in ("2.2.5", "3.2.5", "3.2.9", "3.2.13", "4.0.1", "4.0.4"))
    )
    with session_of(tmp_path, upstream, Asked(requirements=["requests!=3.2.13"]), {"requests": "3.2.5"}) as session:
        fix = nearest_fix(session, weak(["2.2.28", "3.2.13", "4.0.4"], version="3.2.5"))
    assert (fix.state, fix.version) == (FixState.REACHABLE, "4.0.4")


def test_what_the_stack_itself_forbids_is_not_reachable(tmp_path: Path) -> None:
    with session_of(
        tmp_path, releases(*MANY), Asked(requirements=["requests<2.20"]), {"requests": "2.19.0"}
    ) as session:
        fix = nearest_fix(session, weak(["2.20.0"]))
    assert fix.state is FixState.UNREACHABLE
    assert fix.how == "airflow-kubler preview finance --add 'requests>=2.20.0' says what stands against it"


def test_what_no_index_has_is_not_reachable(tmp_path: Path) -> None:
    with session_of(tmp_path, releases(*MANY), Asked(requirements=["requests"]), {"requests": "2.19.0"}) as session:
        assert nearest_fix(session, weak(["9.0"])).state is FixState.UNREACHABLE


def test_what_airflow_was_tested_with_gives_way_only_as_a_divergence(tmp_path: Path) -> None:
    asked = Asked(requirements=["requests"], tested={"requests": "2.19.0"})
    with session_of(tmp_path, releases(*MANY), asked, {"requests": "2.19.0"}) as session:
        fix = nearest_fix(session, weak(["2.20.0"]))
    assert (fix.state, fix.version) == (FixState.OUTSIDE, "2.20.0")
    assert fix.how == "with divergences in stacks/finance/stack.toml: requests==2.20.0"


def test_the_newest_that_a_plain_lock_would_give_may_be_weak_again(tmp_path: Path) -> None:
    upstream = releases(*((("requests", version)) for version in ("3.2.5", "3.2.13", "4.0.1")))
    with session_of(tmp_path, upstream, Asked(requirements=["requests"]), {"requests": "3.2.5"}) as session:
        fix = nearest_fix(session, weak(["3.2.13", "4.0.4"], version="3.2.5"))
    assert (fix.state, fix.version) == (FixState.REACHABLE, "3.2.13")
    assert fix.how == (
        "add requests>=3.2.13,<4 to the requirements in stacks/finance/stack.toml, then: airflow-kubler lock finance"
    )


def test_a_lock_that_is_mended_already_only_has_to_be_built(tmp_path: Path) -> None:
    with session_of(tmp_path, releases(*MANY), Asked(requirements=["requests"]), {"requests": "2.21.0"}) as session:
        fix = nearest_fix(session, weak(["2.20.0"]))
    assert (fix.state, fix.version) == (FixState.REACHABLE, "2.21.0")
    assert fix.how == "the lock has it already: airflow-kubler build finance"


def no_deb(_: Finding) -> Fix:
    raise MirrorError("no mirror answers")


def test_what_cannot_be_found_out_is_said(tmp_path: Path) -> None:
    asked: list[str] = []

    def fails(stack: str) -> StackSession:
        asked.append(stack)
        raise LockStaleError("there is no lock", context="locks/pylock.finance.toml")

    found = find_fixes(
        [
            weak(["2.20.0"]),
            weak(["2.21.0"]),
            weak([]),
            finding(name="openssl", kind=Kind.DEB),
            finding(kind=Kind.OTHER, path="a/b"),
        ],
        fails,
        no_deb,
    )
    assert [(one.fix.state, one.fix.how) for one in found] == [
        (FixState.UNRESOLVED, "there is no lock"),
        (FixState.UNRESOLVED, "there is no lock"),
        (FixState.NONE, ""),
        (FixState.UNRESOLVED, "no mirror answers"),
        (FixState.NOT_LOOKED_FOR, "a copy that lies within something else: who carries it has to mend it"),
    ]
    assert asked == ["finance"]
    with session_of(tmp_path, releases(*MANY), Asked(requirements=["requests"]), {"requests": "2.19.0"}) as session:
        (one,) = find_fixes([weak(["soon"])], lambda _: session, no_deb)
        assert (one.fix.state, one.fix.how) == (FixState.UNRESOLVED, "no version that mends it can be read: soon")

        def silent(_: str) -> StackSession:
            raise PackageIndexError("the index is not there")

        (one,) = find_fixes([weak(["2.20.0"])], silent, no_deb)
        assert one.fix.how == "the index is not there"


class Mirror:
    """Suites in memory; counts what is asked."""

    def __init__(self, **suites: str) -> None:
        self.suites = suites
        self.asked: list[str] = []

    def fetch_suite(self, suite: str, *, components: Sequence[str], architectures: Sequence[str]) -> Suite:
        assert components
        self.asked.append(suite)
        lines = self.suites.get(suite.replace("-", "_"), "")
        packages = {name: (paragraphs(lines.replace("ARCH", name)).encode(),) for name in architectures}
        return Suite(record=ReleaseRecord(suite=suite, date=1, sha256=Digest.of(suite.encode())), packages=packages)


OPENSSL = "libssl3t64 3.5.1-1+b1 | Architecture: ARCH | Source: openssl (3.5.1-1)\n"
MENDED = "libssl3t64 3.5.9-1+b2 | Architecture: ARCH | Source: openssl (3.5.9-1)\n"


def weak_deb(*fixed_in: str) -> Finding:
    return finding(
        name="libssl3t64", version="3.5.1-1+b1", kind=Kind.DEB, fixed_in=fixed_in, platforms=("linux/amd64", "linux/arm64")
    )  # fmt: skip


@pytest.fixture
def base() -> BaseLock:
    return parse_base_lock(BASE.read_bytes(), file=BASE.name)


def test_a_version_of_the_suites_mends_a_deb(base: BaseLock) -> None:
    mirror = Mirror(trixie=OPENSSL, trixie_security=MENDED)
    finder = DebFinder(base, mirror)
    fix = finder(weak_deb("3.5.9-1"))
    assert (fix.state, fix.version) == (FixState.REACHABLE, "3.5.9-1+b2")
    assert fix.how == "airflow-kubler lock --base trixie, then: airflow-kubler rebase"
    finder(weak_deb("3.5.0-1"))
    assert mirror.asked == ["trixie", "trixie-updates", "trixie-security"]


def test_a_mirror_that_is_behind_mends_nothing(base: BaseLock) -> None:
    fix = DebFinder(base, Mirror(trixie=OPENSSL))(weak_deb("3.5.9-1"))
    assert (fix.state, fix.how) == (FixState.UNREACHABLE, "the mirror has 3.5.1-1+b1, and 3.5.9-1 mends it")
    assert DebFinder(base, Mirror())(weak_deb("3.5.9-1")).how == "the mirror does not have it, and 3.5.9-1 mends it"


def test_a_base_that_is_an_image_has_no_mirror(base: BaseLock) -> None:
    image = replace(base, base=replace(base.base, image=ImageOrigin(digest=str(Digest.of(b"x")))))
    mirror = Mirror()
    assert DebFinder(image, mirror)(weak_deb("3.5.9-1")).state is FixState.NOT_LOOKED_FOR
    assert mirror.asked == []
