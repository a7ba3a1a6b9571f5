"""Whose settings hold: where Python files come from is read from the user's own, never from a lock nor a host named here.

The first of these that names an index or find-links is used, whole: uv's own settings, pip's, our config file. Where none
does, the resolver's built-in default index serves: see `built_in_index` in uv_process.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from builder.errors import InvalidInputError
from builder.resolve.pip_settings import load_pip_settings
from builder.resolve.settings import INDEX_NAME, IndexSettings, as_url, checked_strategy, is_true, read_toml
from builder.resolve.surroundings import Surroundings, certificate_of, this_surroundings
from builder.resolve.uv_settings import load_uv_settings
from builder.snapshot.model import DEFAULT_INDEX, FIND_LINKS


def load_index_settings(
    surroundings: Surroundings | None = None, *, folders: Sequence[tuple[str, Path]] = ()
) -> IndexSettings:
    """Read the user's settings in the order of this module's description.

    Args:
        surroundings: what is read; this process's by default.
        folders: of the project, by their names as indexes: they come before whatever the user has.

    Raises:
        InvalidInputError: a configuration file cannot be read, or says something impossible.
    """
    around = surroundings or this_surroundings()
    found = load_uv_settings(around) or load_pip_settings(around) or _load_own_settings(around)
    settings = found or IndexSettings(
        source="default", certificate=certificate_of(around), offline=is_true(around.variables.get("UV_OFFLINE"))
    )
    return replace(settings, folders=tuple((name, folder.absolute().as_uri()) for name, folder in folders))


def load_official_constraints(surroundings: Surroundings | None = None) -> str | None:
    """Read `[constraints] official` of our config file: another place for Airflow's constraints; None for their own."""
    path = (surroundings or this_surroundings()).config_home / "airflow-kubler" / "config.toml"
    table = read_toml(path).get("constraints", {})
    value = table.get("official") if isinstance(table, dict) else table
    if value is not None and not isinstance(value, str):
        raise InvalidInputError("must be an address with {ref} and {py}", context=f"{path}: constraints.official")
    return value


def _load_own_settings(around: Surroundings) -> IndexSettings | None:
    """Read `[python]` of our config file; None where it names no place."""
    path = around.config_home / "airflow-kubler" / "config.toml"
    table = read_toml(path).get("python", {})
    if not isinstance(table, dict):
        raise InvalidInputError("must be a table", context=f"{path}: python")
    _refuse_unknown(table, str(path))
    index, extra, links = table.get("index"), table.get("extra-indexes", []), table.get("find-links", [])
    named: Mapping[str, str] = table.get("indexes", {})
    if not (index or named or extra or links):
        return None
    certificate = table.get("certificate")
    return IndexSettings(
        source="airflow-kubler",
        default_index=as_url(index) if index else None,
        extra_indexes=tuple(as_url(url) for url in (*named.values(), *extra)),
        extra_names=tuple(named),
        find_links=tuple(as_url(url) for url in links),
        no_index=bool(table.get("no-index", False)),
        strategy=checked_strategy(table.get("index-strategy", "first-index"), f"{path}: python.index-strategy"),
        certificate=Path(certificate) if certificate else certificate_of(around),
        offline=bool(table.get("offline", False)) or is_true(around.variables.get("UV_OFFLINE")),
    )


_WORDS = {str: "str", bool: "bool", list: "list of strings", dict: "table of addresses by name"}
_OWN_KEYS = {
    "index": str,
    "indexes": dict,
    "extra-indexes": list,
    "find-links": list,
    "no-index": bool,
    "index-strategy": str,
    "certificate": str,
    "offline": bool,
}


def _refuse_unknown(table: Mapping[str, Any], file: str) -> None:
    for key, value in table.items():
        wanted = _OWN_KEYS.get(key)
        if wanted is None:
            raise InvalidInputError(
                "unknown key", context=f"{file}: python.{key}", hint=f"known keys: {', '.join(_OWN_KEYS)}"
            )
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        if not isinstance(value, wanted) or not all(isinstance(item, str) for item in inner):
            raise InvalidInputError(f"must be a {_WORDS[wanted]}", context=f"{file}: python.{key}")
    for name in table.get("indexes", {}):
        if not INDEX_NAME.match(name) or name in {DEFAULT_INDEX, FIND_LINKS}:
            raise InvalidInputError(
                "cannot be the name of an index",
                context=f"{file}: python.indexes.{name}",
                hint=f"letters, digits, `.`, `_` and `-`; `{DEFAULT_INDEX}` and `{FIND_LINKS}` have a meaning already",
            )
