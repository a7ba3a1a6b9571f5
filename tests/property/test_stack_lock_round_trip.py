from __future__ import annotations

import tomllib
from collections.abc import Callable

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from packaging.pylock import Pylock

from builder.errors import BuilderError
from builder.lock.inline import dump_inline
from builder.lock.memory import LockMemory
from builder.lock.model import StackLock
from builder.lock.pylock import dump_stack_lock, parse_stack_lock
from tests.support.stack_locks import stack_locks

_values = st.recursive(
    st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=3)
    ),
    max_leaves=10,
)


@given(stack_locks())
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_what_is_dumped_is_read_back(lock: StackLock) -> None:
    data = dump_stack_lock(lock)
    assert parse_stack_lock(data, file="x") == lock
    assert dump_stack_lock(lock) == data


@given(stack_locks())
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=50)
def test_what_is_dumped_follows_the_standard(lock: StackLock) -> None:
    values = tomllib.loads(dump_stack_lock(lock).decode())
    read = Pylock.from_dict(values)
    assert [str(package.name) for package in read.packages] == [candidate.project for candidate in lock.candidates]


@given(_values)
def test_any_value_survives_on_one_line(value: object) -> None:
    text = dump_inline(value)
    assert "\n" not in text
    assert tomllib.loads(f"value = {text}") == {"value": value}


@given(stack_locks(), st.data())
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=50)
def test_no_changed_byte_is_accepted(lock: StackLock, data: st.DataObject) -> None:
    good = dump_stack_lock(lock)
    position = data.draw(st.integers(0, len(good) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda number: number != good[position]))
    bad = good[:position] + bytes([byte]) + good[position + 1 :]
    try:
        read = parse_stack_lock(bad, file="x")
    except BuilderError:
        return
    # A change within a value that any value may take: another lock, and said as plainly.
    assert read != lock
    assert dump_stack_lock(read) == bad


@given(st.lists(stack_locks(), min_size=1, max_size=3), st.data())
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=50)
def test_what_was_read_before_changes_no_answer(locks: list[StackLock], data: st.DataObject) -> None:
    memory = LockMemory()
    for lock in (*locks, *locks):
        assert memory.stack(dump_stack_lock(lock), file="x") == lock
    good = dump_stack_lock(locks[0])
    start = data.draw(st.integers(0, len(good) - 1))
    end = data.draw(st.integers(start, min(len(good), start + 200)))
    bad = good[:start] + data.draw(st.binary(max_size=3) | st.sampled_from(_FORGED)) + good[end:]
    assert _outcome(memory.stack, bad) == _outcome(parse_stack_lock, bad)


_FORGED = (b"\n\n[[packages]]\n", b"\n\n[tool.airflow-kubler]\n", b"\n[other]\nx = 1\n", b"\n\n\n")


def _outcome(read: Callable[..., StackLock], data: bytes) -> object:
    try:
        return read(data, file="x")
    except BuilderError as error:
        return str(error)
