from __future__ import annotations

from pathlib import Path

import pytest

from builder.store.location import cache_root


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"AIRFLOW_KUBLER_CACHE": "/c", "XDG_CACHE_HOME": "/x", "HOME": "/h"}, "/c"),
        ({"XDG_CACHE_HOME": "/x", "HOME": "/h"}, "/x/airflow-kubler"),
        ({"XDG_CACHE_HOME": "relative", "HOME": "/h"}, "/h/.cache/airflow-kubler"),
        ({"HOME": "/h"}, "/h/.cache/airflow-kubler"),
    ],
    ids=["own variable wins", "XDG", "relative XDG is ignored", "home"],
)
def test_cache_lies_where_the_environment_says(environment: dict[str, str], expected: str) -> None:
    assert cache_root(environment) == Path(expected)
