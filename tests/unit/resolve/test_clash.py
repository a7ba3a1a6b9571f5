from __future__ import annotations

from functools import partial

from builder.platform import AMD64
from builder.resolve.clash import Chain, Clash, find_clash
from builder.resolve.core import Budget, find_core
from builder.resolve.explain import explain_clash, render_chain
from builder.resolve.problem import Demand, Kind, Problem
from builder.resolve.releases import Catalogue, Fault
from tests.support.small_universe import ExhaustiveSolver, Universe, make_problem
from tests.support.synthetic_offers import SyntheticOffers

UNIVERSE: Universe = {
    "apache-airflow": {"3.3.2": ["protobuf>=4"]},
    "protobuf": {"4.25.3": [], "5.1": []},
    "dbt-core": {"1.9.4": ["dbt-common>=1.4"], "1.9.3": ["dbt-common>=1.3"], "1.8.9": ["protobuf>=4"]},
    "dbt-common": {"1.4": ["protobuf>=5"], "1.3": ["protobuf>=5"]},
    "cloud": {"2.0": ["protobuf<5"]},
    "lost": {"1.0": ["nowhere"]},
}


_problem = partial(make_problem, airflow="3.3.2")


def knot(universe: Universe, problem: Problem) -> tuple[tuple[Demand, ...], Clash | None]:
    soft = [demand for demand in problem.demands if demand.kind is not Kind.AIRFLOW]
    core = find_core(problem, soft, ExhaustiveSolver(universe), Budget(solves=50))
    catalogue = Catalogue(SyntheticOffers(universe), python_version="3.13.5", glibc="2.41", platform=AMD64)
    return core, find_clash([*problem.of_kind(Kind.AIRFLOW), *core], catalogue)


def explain(universe: Universe, problem: Problem) -> tuple[str, ...]:
    core, clash = knot(universe, problem)
    wanted_by = {"protobuf": ("apache-airflow-core", "opentelemetry-api", "otel")}
    return explain_clash(core, clash, airflow="3.3.2", wanted_by=wanted_by)


def test_the_chain_leads_from_who_asks_to_the_pin_that_stands_against_it() -> None:
    _, clash = knot(UNIVERSE, _problem("dbt-core~=1.9.0", tested={"protobuf": "4.25.3"}))
    assert clash is not None
    assert clash.project == "protobuf"
    assert clash.chain.demand.text == "dbt-core~=1.9.0"
    assert (
        render_chain(clash.chain.steps)
        == "dbt-core 1.9.4 requires dbt-common>=1.4, dbt-common 1.4 requires protobuf>=5"
    )
    assert isinstance(clash.against, Chain)
    assert clash.against.demand.text == "protobuf==4.25.3"
    assert clash.others == 1


def test_a_tested_line_in_the_way_is_told_in_three_lines() -> None:
    assert explain(UNIVERSE, _problem("dbt-core~=1.9.0", tested={"protobuf": "4.25.3"})) == (
        "stack finance asks for dbt-core~=1.9.0",
        "dbt-core 1.9.4 requires dbt-common>=1.4, dbt-common 1.4 requires protobuf>=5 (its 1 other version fails too)",
        "Airflow 3.3.2's tested set pins protobuf==4.25.3",
    )


def test_a_parents_pin_is_told_with_who_wants_it() -> None:
    lines = explain(UNIVERSE, _problem("dbt-core==1.9.4", pinned={"protobuf": "4.25.3"}))
    assert lines[-1] == (
        "parent core pins protobuf==4.25.3 (since its lock: wanted by apache-airflow-core, opentelemetry-api, ...)"
    )


def test_two_plugins_against_each_other_have_a_chain_each() -> None:
    lines = explain(UNIVERSE, _problem("dbt-core==1.9.4", "cloud"))
    assert lines[0] == "stack finance asks for dbt-core==1.9.4 and cloud"
    assert set(lines[1:]) == {
        "dbt-core 1.9.4 requires dbt-common>=1.4, dbt-common 1.4 requires protobuf>=5",
        "cloud 2.0 requires protobuf<5",
    }


def test_a_plugin_for_another_airflow_is_told_as_that() -> None:
    airflow: dict[str, list[str]] = {"3.3.2": [], "4.0.0": []}
    universe = {
        **UNIVERSE,
        "apache-airflow": airflow,
        "google": {"22.0": ["apache-airflow>=4"], "21.0": ["apache-airflow>=3.9"]},
    }
    assert explain(universe, _problem("google>=21")) == (
        "stack finance asks for google>=21",
        "google 22.0 requires apache-airflow>=4 (its 1 other version fails too)",
        "Airflow is 3.3.2 (stack core): nothing here may move it",
    )


def test_a_requirement_that_no_index_has_is_the_end_of_the_chain() -> None:
    _, clash = knot(UNIVERSE, _problem("lost"))
    assert clash is not None
    assert isinstance(clash.against, Fault)
    assert explain(UNIVERSE, _problem("lost")) == (
        "stack finance asks for lost",
        "lost 1.0 requires nowhere",
        "no index has a project nowhere",
    )


def test_where_all_can_be_had_there_is_no_clash() -> None:
    catalogue = Catalogue(SyntheticOffers(UNIVERSE), python_version="3.13.5", glibc="2.41", platform=AMD64)
    assert find_clash(_problem("dbt-core").demands, catalogue) is None


def test_only_named_projects_are_looked_at() -> None:
    offers = SyntheticOffers(UNIVERSE)
    catalogue = Catalogue(offers, python_version="3.13.5", glibc="2.41", platform=AMD64)
    problem = _problem("dbt-core==1.9.4", tested={"protobuf": "4.25.3"})
    assert find_clash(problem.demands, catalogue, within={"cloud"}) is None
    assert not any(name.startswith("dbt_common") for name in offers.read)


def test_a_circle_of_requirements_ends() -> None:
    universe: Universe = {"a": {"1": ["b"]}, "b": {"1": ["a"]}, "apache-airflow": {"3.3.2": []}}
    catalogue = Catalogue(SyntheticOffers(universe), python_version="3.13.5", glibc="2.41", platform=AMD64)
    assert find_clash(_problem("a").demands, catalogue) is None
