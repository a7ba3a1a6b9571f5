import datetime as dt
from typing import Any

import pytest

from builder.errors import IssuesError, StackError
from builder.platform import AMD64, ARM64
from builder.stack.graph import build_order, check_base, check_stacks, effective_stack, stack_graph
from builder.stack.model import (
    Base,
    Divergence,
    EffectiveStack,
    ImageSettings,
    ReleaseException,
    ResolutionRules,
    Stack,
)


def root(name: str = "core", **changes: Any) -> Stack:
    values = {"description": "root", "airflow_version": "3.3.2", "base": "trixie", "requirements": ("a", "b")}
    return Stack(name=name, **(values | changes))


def child(name: str, extends: str = "core", **changes: Any) -> Stack:
    return Stack(name=name, description="child", extends=extends, **changes)


def by_name(*stacks: Stack) -> dict[str, Stack]:
    return {stack.name: stack for stack in stacks}


def divergence(project: str) -> Divergence:
    return Divergence(project=project, specifier="<1", reason="r", owner="o", expires=dt.date(2027, 1, 1))


def test_a_child_takes_over_what_it_does_not_say() -> None:
    stacks = by_name(
        root(constraints="c.txt", divergences=(divergence("x"),), image=ImageSettings(layers=50, compression="gzip")),
        child("aws", requirements=("c", "a")),
        child(
            "etl", "aws", requirements=("d",), divergences=(divergence("y"),), image=ImageSettings(platforms=(AMD64,))
        ),
    )
    assert effective_stack(stacks, "etl") == EffectiveStack(
        name="etl",
        description="child",
        owners=(),
        parents=("aws", "core"),
        airflow_version="3.3.2",
        constraints="core/c.txt",
        base="trixie",
        requirements=("a", "b", "c", "d"),
        divergences=(divergence("x"), divergence("y")),
        platforms=(AMD64,),
        layers=50,
        compression="gzip",
        constraints_from="core",
    )


def exception(project: str) -> ReleaseException:
    return ReleaseException(project=project, specifier="==1", reason="r")


def test_the_nearest_rule_wins_key_by_key_and_exceptions_add_up() -> None:
    above = ResolutionRules(cooldown_days=7, sdists=False, exceptions=(exception("z"), exception("y")))
    own = ResolutionRules(cooldown_days=0, resolver="pip-tools", exceptions=(exception("a"), exception("y")))
    stacks = by_name(root(resolution=above), child("aws", resolution=own))
    assert effective_stack(stacks, "aws").resolution == ResolutionRules(
        cooldown_days=0,
        resolver="pip-tools",
        sdists=False,
        exceptions=(exception("z"), exception("y"), exception("a")),
    )


def test_an_address_of_constraints_is_taken_over_as_it_is() -> None:
    stacks = by_name(root(constraints="https://x.example/c.txt"), child("aws"))
    held = effective_stack(stacks, "aws")
    assert (held.constraints, held.constraints_from) == ("https://x.example/c.txt", "core")


@pytest.mark.parametrize("text", ["apache-airflow[amazon]", "apache-airflow==3.3.2", "apache-airflow-core[x]==3.3.2"])
def test_extras_of_the_very_airflow_may_be_required(text: str) -> None:
    stacks = by_name(root(), child("aws", requirements=(text,)))
    assert text in effective_stack(stacks, "aws").requirements


@pytest.mark.parametrize("text", ["apache-airflow[amazon]==3.4.0", "Apache_Airflow-Core==3.3.1"])
def test_no_stack_requires_another_airflow(text: str) -> None:
    stacks = by_name(root(), child("aws", requirements=(text,)))
    with pytest.raises(IssuesError, match=r"wants another Airflow than the stack.s 3\.3\.2") as caught:
        effective_stack(stacks, "aws")
    assert str(caught.value).startswith("stacks/aws: requirements: ")


def test_defaults_hold_where_nobody_says_anything() -> None:
    stack = effective_stack(by_name(root()), "core")
    assert (stack.constraints, stack.platforms, stack.layers, stack.compression) == ("none", (AMD64, ARM64), 60, "zstd")


def test_a_child_may_repeat_what_its_parent_says() -> None:
    stacks = by_name(root(), child("aws", airflow_version="3.3.2", base="trixie"))
    assert effective_stack(stacks, "aws").airflow_version == "3.3.2"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {"airflow_version": "3.4.0"},
            (
                "airflow.version: moves Airflow to 3.4.0, while its parent 'core' has 3.3.2\n"
                "  leave the key out, or extend no stack"
            ),
        ),
        (
            {"base": "bookworm"},
            (
                "base.name: stands on base 'bookworm', while its parent 'core' stands on 'trixie': layers are shared\n"
                "  leave the key out, or extend no stack"
            ),
        ),
        (
            {"image": ImageSettings(compression="gzip")},
            (
                "image.compression: is 'gzip', while its parent 'core' has 'zstd': layers are shared\n"
                "  leave the key out, or extend no stack"
            ),
        ),
        (
            {"image": ImageSettings(platforms=(AMD64, ARM64))},
            (
                "image.platforms: names linux/arm64, which its parent 'core' is not built for\n"
                "  add it to 'core', or leave it out"
            ),
        ),
        (
            {"divergences": (divergence("y"), divergence("x"))},
            "divergences[1].project: 'x' diverges in a parent already\n  leave it out here",
        ),
    ],
    ids=["version", "base", "compression", "platforms", "divergences"],
)
def test_a_child_may_not_move_what_its_layers_stand_on(changes: dict[str, Any], expected: str) -> None:
    core = root(divergences=(divergence("x"),), image=ImageSettings(platforms=(AMD64,)))
    with pytest.raises(IssuesError) as caught:
        effective_stack(by_name(core, child("aws", **changes)), "aws")
    assert str(caught.value) == f"stacks/aws/stack.toml: {expected}"


def test_a_missing_parent_is_answered_with_the_nearest_name() -> None:
    with pytest.raises(StackError) as caught:
        effective_stack(by_name(root(), child("aws", "cor")), "aws")
    assert str(caught.value) == "stacks/aws/stack.toml: extends: no stack 'cor'\n  did you mean 'core'?"


def test_a_missing_stack_is_answered_with_the_nearest_name() -> None:
    with pytest.raises(StackError) as caught:
        effective_stack(by_name(root()), "cure")
    assert str(caught.value) == "stacks: no stack 'cure'\n  did you mean 'core'?"


def test_a_cycle_is_printed_whole_from_wherever_it_is_met() -> None:
    stacks = by_name(child("b", "c"), child("c", "a"), child("a", "b"), child("x", "c"))
    expected = (
        "stacks/a/stack.toml: extends: stacks extend each other in a cycle: a -> b -> c -> a\n"
        "  take one of these `extends` out"
    )
    for name in stacks:
        with pytest.raises(StackError) as caught:
            effective_stack(stacks, name)
        assert str(caught.value) == expected
    for check in (check_stacks, stack_graph, build_order):
        with pytest.raises(IssuesError) as issues:
            check(stacks)
        assert str(issues.value) == expected


def test_a_stack_that_extends_itself_is_a_cycle() -> None:
    with pytest.raises(StackError) as caught:
        effective_stack(by_name(child("a", "a")), "a")
    assert caught.value.message == "extends itself: a -> a"


def test_all_issues_of_all_stacks_are_raised_once() -> None:
    stacks = by_name(root(), child("a", base="x"), child("b", "a"), child("c", "zzz"))
    with pytest.raises(IssuesError) as caught:
        check_stacks(stacks)
    assert [issue.context for issue in caught.value.issues] == [
        "stacks/a/stack.toml: base.name",
        "stacks/c/stack.toml: extends",
    ]


def test_parents_are_built_before_children_whatever_their_names() -> None:
    stacks = by_name(child("a", "z"), child("b", "core"), root(), root("z"))
    assert build_order(stacks) == ("core", "b", "z", "a")


def test_a_base_must_have_the_platforms_of_its_stacks() -> None:
    base = Base(
        name="trixie",
        description="d",
        release="trixie",
        suites=("trixie",),
        components=("main",),
        python="3.13",
        platforms=(AMD64,),
        roots=("bash",),
        cuts=(),
        files=(),
    )
    with pytest.raises(StackError) as caught:
        check_base(effective_stack(by_name(root()), "core"), base)
    assert str(caught.value) == (
        "stacks/core/stack.toml: image.platforms: base 'trixie' has no linux/arm64\n  it has linux/amd64"
    )
