"""Locks that one process reads: what several say alike is read once, and what is wrong is refused as ever."""

from __future__ import annotations

from dataclasses import replace

import pytest

from builder.errors import BuilderError
from builder.lock.base import dump_base_lock, parse_base_lock
from builder.lock.memory import LockMemory, parse_candidate
from builder.lock.model import BaseLock, LockedCandidate, StackLock
from builder.lock.pylock import MAX_BYTES, dump_stack_lock, parse_stack_lock
from builder.platform import AMD64
from tests.support.bases import made_lock
from tests.support.stack_locks import make_candidate, make_file, make_lock

FILE = "locks/pylock.etl.toml"
ALPHA, BETA, GAMMA = (make_candidate(name) for name in ("alpha", "beta", "gamma"))


class Counted:
    """Parsers that count."""

    def __init__(self) -> None:
        self.candidates: list[str] = []
        self.bases = 0

    def candidate(self, text: str, platforms: tuple[str, ...]) -> LockedCandidate | None:
        self.candidates.append(text.splitlines()[0])
        return parse_candidate(text, platforms)

    def base(self, data: bytes, *, file: str) -> BaseLock:
        self.bases += 1
        return parse_base_lock(data, file=file)

    def memory(self) -> LockMemory:
        return LockMemory(candidate=self.candidate, base=self.base)


def test_of_a_second_lock_only_what_is_new_is_read() -> None:
    counted = Counted()
    memory = counted.memory()
    first, second = make_lock(ALPHA, BETA), replace(make_lock(ALPHA, BETA, GAMMA), stack="other")
    assert memory.stack(dump_stack_lock(first), file=FILE) == first
    counted.candidates.clear()
    assert memory.stack(dump_stack_lock(second), file=FILE) == second
    assert counted.candidates == ['name = "gamma"']


def test_a_base_is_read_once_while_its_bytes_are_the_same() -> None:
    counted = Counted()
    memory = counted.memory()
    data = dump_base_lock(made_lock())
    assert (
        memory.base(data, file="x") == memory.base(bytes(bytearray(data)), file="x") == parse_base_lock(data, file="x")
    )
    assert counted.bases == 1


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('version = "1.0"', 'version = "1.1"'),
        ("size = 10", "size = 0x0a"),
        ('name = "beta"', 'name = "alpha"'),
        ("\n\n[[packages]]\n", "\n\n\n[[packages]]\n"),
        ("\n\n[tool.airflow-kubler]\n", "\n\n[other]\n\n[tool.airflow-kubler]\n"),
        ('stack = "etl"\n', 'stack = "etl"\nunknown = 1\n'),
        ('lock-version = "1.0"', 'lock-version = "2.0"'),
        ("format = 1", "format = true"),
        ("[tool.airflow-kubler]", "[tool.somebody-else]"),
    ],
)
def test_what_is_wrong_is_told_as_if_nothing_had_been_read_before(old: str, new: str) -> None:
    memory = LockMemory()
    good = dump_stack_lock(make_lock(ALPHA, BETA))
    memory.stack(good, file=FILE)
    bad = good.decode().replace(old, new, 1).encode()
    assert bad != good
    with pytest.raises(BuilderError) as expected:
        parse_stack_lock(bad, file=FILE)
    with pytest.raises(BuilderError) as found:
        memory.stack(bad, file=FILE)
    assert str(found.value) == str(expected.value)


@pytest.mark.parametrize(
    "forged",
    [
        replace(make_lock(ALPHA, BETA), candidates=(ALPHA, ALPHA, BETA)),
        replace(make_lock(ALPHA, BETA), candidates=(BETA, ALPHA)),
        replace(make_lock(ALPHA, BETA), candidates=(replace(ALPHA, tested="0.9"), BETA)),
    ],
    ids=["a package twice", "out of order", "diverged without a reason"],
)
def test_a_forged_lock_of_packages_that_are_known_is_refused(forged: StackLock) -> None:
    memory = LockMemory()
    for known in (make_lock(ALPHA, BETA), make_lock(replace(ALPHA, tested="1.0"), BETA)):
        memory.stack(dump_stack_lock(known), file=FILE)
    data = dump_stack_lock(forged)
    with pytest.raises(BuilderError) as expected:
        parse_stack_lock(data, file=FILE)
    with pytest.raises(BuilderError) as found:
        memory.stack(data, file=FILE)
    assert str(found.value) == str(expected.value)


def test_a_lock_that_is_too_long_is_refused_whatever_is_known() -> None:
    memory = LockMemory()
    good = dump_stack_lock(make_lock(ALPHA, BETA))
    memory.stack(good, file=FILE)
    with pytest.raises(BuilderError):
        memory.stack(good + b"#" * MAX_BYTES, file=FILE)


def test_an_error_names_the_file_that_it_is_of() -> None:
    memory = LockMemory()
    for file in ("locks/base.a.toml", "locks/base.b.toml"):
        with pytest.raises(BuilderError, match=file):
            memory.base(b"nothing = 1\n", file=file)


def test_what_was_refused_is_not_kept() -> None:
    counted = Counted()
    memory = counted.memory()
    bad = dump_stack_lock(make_lock(ALPHA, BETA)).replace(b"size = 10", b"size = 0x0a", 1)
    for _ in range(2):
        with pytest.raises(BuilderError):
            memory.stack(bad, file=FILE)
    assert counted.candidates == ['name = "alpha"', 'name = "beta"', 'name = "alpha"']


def test_a_candidate_is_known_for_its_platforms_alone() -> None:
    both = make_lock(ALPHA)
    one = replace(
        both,
        platforms=(AMD64,),
        candidates=(replace(ALPHA, wheels={AMD64.name: ALPHA.wheels[AMD64.name]}),),
    )
    memory = LockMemory()
    assert memory.stack(dump_stack_lock(both), file=FILE) == both
    assert memory.stack(dump_stack_lock(one), file=FILE) == one


def test_several_versions_of_a_project_are_read_in_full() -> None:
    counted = Counted()
    only = make_candidate(wheels={AMD64.name: make_file("alpha-1.0-py3-none-any.whl")})
    other = make_candidate(version="2.0", wheels={"linux/arm64": make_file("alpha-2.0-py3-none-any.whl")})
    lock = make_lock(only, other, make_candidate("beta", dependencies=("alpha",)))
    assert counted.memory().stack(dump_stack_lock(lock), file=FILE) == lock
