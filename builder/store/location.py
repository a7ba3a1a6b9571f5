"""Where the cache lies."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from builder.errors import BuilderError

CACHE_VARIABLE = "AIRFLOW_KUBLER_CACHE"


def cache_root(environment: Mapping[str, str]) -> Path:
    """Choose the cache's folder: AIRFLOW_KUBLER_CACHE, else `$XDG_CACHE_HOME/airflow-kubler`, else in `~/.cache`.

    Raises:
        BuilderError: there is no home folder and nothing else says where.

    Source: XDG Base Directory Specification 0.8: relative paths in XDG variables are ignored.
    """
    if own := environment.get(CACHE_VARIABLE):
        return Path(own).absolute()
    if Path(shared := environment.get("XDG_CACHE_HOME", "")).is_absolute():
        return Path(shared) / "airflow-kubler"
    home = Path(environment.get("HOME") or _home_of_user())
    return home / ".cache" / "airflow-kubler"


def _home_of_user() -> Path:
    try:
        return Path.home()
    except RuntimeError:
        raise BuilderError("no home folder to keep the cache in", hint=f"set {CACHE_VARIABLE} to a folder") from None
