from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest

from builder.digest import Digest
from builder.lock.model import StackLock
from builder.lock.staleness import stale_reasons
from builder.platform import AMD64, ARM64
from builder.stack.inputs import inputs_digest
from builder.stack.model import Divergence, EffectiveStack, IndexRule, ResolutionRules
from tests.support.stack_locks import make_file, make_lock

STACK = EffectiveStack(
    name="etl",
    description="For tests",
    owners=(),
    parents=("core",),
    airflow_version="3.3.2",
    constraints="none",
    base="trixie",
    requirements=("alpha",),
    divergences=(),
    platforms=(AMD64, ARM64),
    layers=60,
    compression="zstd",
)
BASE, PARENT = Digest.of(b"base"), Digest.of(b"parent")
FILES = {"opt/airflow/x": make_file("x").sha256}


def make_fresh() -> StackLock:
    inputs = inputs_digest(STACK, base_lock=BASE, parent_lock=PARENT, constraints=None, files=FILES)
    return make_lock(inputs=inputs, parents=("core",), parent_lock=PARENT, files=(("opt/airflow/x", make_file("x")),))


def reasons(stack: EffectiveStack = STACK, **changes: object) -> tuple[str, ...]:
    now = {"base_lock": BASE, "parent_lock": PARENT, "constraints": None, "files": FILES} | changes
    return stale_reasons(make_fresh(), stack, **now)  # type: ignore[arg-type]


def test_a_lock_is_fresh_while_nothing_changed() -> None:
    assert reasons() == ()


def test_stale_lock_is_noticed_when_rules_of_indexes_change() -> None:
    assert reasons(index_rules=(IndexRule(name="internal", reserved=("acme-*",)),)) == ("stacks/indexes.toml changed",)


def test_owners_make_no_lock_stale() -> None:
    assert reasons(replace(STACK, owners=("team:x",))) == ()


@pytest.mark.parametrize(
    ("stack", "reason"),
    [
        (replace(STACK, airflow_version="3.3.3"), "Airflow moved from 3.3.2 to 3.3.3"),
        (replace(STACK, base="bookworm"), "the base changed from trixie to bookworm"),
        (replace(STACK, parents=("other", "core")), "it extends other stacks"),
        (replace(STACK, platforms=(AMD64,)), "the platforms changed"),
        (replace(STACK, compression="gzip"), "the compression changed"),
        (
            replace(STACK, requirements=("alpha", "beta")),
            "stack.toml, requirements.in or files/ of it or a parent changed",
        ),
        (
            replace(
                STACK,
                divergences=(
                    Divergence(project="a", specifier="<2", reason="r", owner="o", expires=dt.date(2027, 1, 1)),
                ),
            ),
            "the divergences changed",
        ),
        (replace(STACK, resolution=ResolutionRules(cooldown_days=7)), "the rules of [resolution] changed"),
    ],
    ids=["airflow", "base", "parents", "platforms", "compression", "requirements", "divergences", "rules"],
)
def test_stale_lock_is_noticed_when_the_stack_changes(stack: EffectiveStack, reason: str) -> None:
    assert reason in reasons(stack)


def test_stale_lock_is_noticed_when_what_it_stands_on_changes() -> None:
    assert reasons(base_lock=Digest.of(b"new")) == ("base trixie was locked again",)
    assert reasons(parent_lock=Digest.of(b"new")) == ("parent core was locked again",)
    assert reasons(constraints=Digest.of(b"new")) == ("the constraints changed",)
    assert reasons(files={"opt/airflow/x": Digest.of(b"new")}) == ("files/ changed",)
    assert reasons(files={**FILES, "new": Digest.of(b"new")}) == ("files/ changed",)
    assert reasons(files={}) == ("stack.toml, requirements.in or files/ of it or a parent changed",)
