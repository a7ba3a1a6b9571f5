"""What Airflow is told of this provider, by the entry point `apache_airflow_provider`."""

from __future__ import annotations

from typing import Any

from builder import __version__


def get_provider_info() -> dict[str, Any]:
    """Describe the provider."""
    name = "airflow-kubler"
    return {
        "package-name": name,
        "name": name,
        "description": "Nights of airflow-kubler: stacks locked again, what changed rebuilt, the rest proved unchanged.",
        "versions": [__version__],
        "operators": [{"integration-name": name, "python-modules": ["builder.airflow.operators"]}],
    }
