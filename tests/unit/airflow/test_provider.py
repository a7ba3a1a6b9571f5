"""What Airflow is told of the provider: found by its entry point, and without Airflow there."""

from __future__ import annotations

from importlib.metadata import distribution, entry_points

from builder.airflow.provider import get_provider_info


def test_the_entry_point_leads_to_what_describes_the_distribution() -> None:
    [point] = entry_points(group="apache_airflow_provider", name="provider_info")
    info = point.load()()
    assert info == get_provider_info()
    assert point.dist is not None
    assert info["package-name"] == point.dist.name == "airflow-kubler"
    assert info["versions"] == [distribution("airflow-kubler").version]
