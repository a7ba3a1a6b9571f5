import dataclasses
import datetime as dt
from typing import Any

import pytest

from builder.digest import Digest
from builder.platform import AMD64
from builder.stack.base import parse_base
from builder.stack.inputs import base_inputs_digest, inputs_digest
from builder.stack.model import Divergence, EffectiveStack, IndexRule, ReleaseException, ResolutionRules

ONE, TWO = Digest.of(b"1"), Digest.of(b"2")
STACK = EffectiveStack(
    name="etl",
    description="d",
    owners=("team:a",),
    parents=("core",),
    airflow_version="3.3.2",
    constraints="none",
    base="trixie",
    requirements=("a",),
    divergences=(),
    platforms=(AMD64,),
    layers=60,
    compression="zstd",
)
DIVERGENCE = Divergence(project="p", specifier="<1", reason="r", owner="o", expires=dt.date(2027, 1, 1))
BASE = 'description = "x"\n[python]\nversion = "3.13"\n[debian]\nrelease = "trixie"\nsuites = ["trixie"]\nroots = ["bash"]\n'


def digest(stack: EffectiveStack = STACK, **changes: Any) -> Digest:
    values: dict[str, Any] = {
        "base_lock": ONE,
        "parent_lock": ONE,
        "constraints": None,
        "files": {"a": ONE, "b": TWO},
    }
    return inputs_digest(stack, **(values | changes))


def test_the_digest_is_golden_so_that_committed_locks_stay_fresh() -> None:
    assert str(digest()) == "sha256:dc353b8120a83e6c4e2d248d097bbc5253bc37394eb58ea56393318d61dd0c9d"


def test_the_order_of_files_does_not_matter() -> None:
    assert digest(files={"b": TWO, "a": ONE}) == digest()


@pytest.mark.parametrize(
    "change",
    [
        {"base_lock": TWO},
        {"parent_lock": TWO},
        {"parent_lock": None},
        {"constraints": ONE},
        {"files": {"a": ONE}},
        {"files": {"a": ONE, "b": ONE}},
        {"index_rules": (IndexRule(name="internal"),)},
        {"index_rules": (IndexRule(name="internal", folder="dists"),)},
    ],
    ids=str,
)
def test_every_input_beside_the_stack_makes_the_lock_stale(change: dict[str, Any]) -> None:
    assert digest(**change) != digest()


@pytest.mark.parametrize(
    "field",
    [field.name for field in dataclasses.fields(EffectiveStack) if field.name not in {"owners", "constraints_from"}],
)
def test_every_field_that_a_lock_holds_makes_the_lock_stale(field: str) -> None:
    changes: dict[str, Any] = {
        "parents": (),
        "requirements": ("b",),
        "divergences": (DIVERGENCE,),
        "platforms": (),
        "layers": 61,
        "resolution": ResolutionRules(cooldown_days=7),
    }
    changed = dataclasses.replace(STACK, **{field: changes.get(field, "other")})
    assert digest(changed) != digest()


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(ResolutionRules)])
def test_every_rule_of_resolution_makes_the_lock_stale(field: str) -> None:
    values: dict[str, Any] = {
        "as_of": dt.datetime(2026, 11, 1, tzinfo=dt.UTC),
        "cooldown_days": 0,
        "resolver": "uv",
        "sdists": True,
        "exceptions": (ReleaseException(project="p", specifier="<1", reason="r"),),
    }
    rules = ResolutionRules(**{field: values[field]})
    assert digest(dataclasses.replace(STACK, resolution=rules)) != digest()


def test_owners_are_no_input() -> None:
    assert digest(dataclasses.replace(STACK, owners=())) == digest()


def test_comments_of_a_base_file_are_no_input_but_its_name_is() -> None:
    base = parse_base(BASE.encode(), name="a", file="f")
    same = parse_base(f"# hi\n{BASE}".encode(), name="a", file="f")
    other = parse_base(BASE.encode(), name="b", file="f")
    assert base_inputs_digest(base) == base_inputs_digest(same) != base_inputs_digest(other)
