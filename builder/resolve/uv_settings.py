"""uv's settings: `UV_*` variables, then uv.toml of the user, then of the system; or the one that UV_CONFIG_FILE names.

Only what says where files come from is read: an override, a prerelease rule or a Python of the user's uv.toml must not
change a lock. Indexes marked `explicit` serve named projects of a uv project only, so they are left out.

Source: uv's reference pages on settings and environment variables.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

from builder.resolve.settings import DEFAULT_TIMEOUT_S, IndexSettings, as_url, checked_strategy, is_true, read_toml
from builder.resolve.surroundings import Surroundings, certificate_of


def load_uv_settings(around: Surroundings) -> IndexSettings | None:
    """Read uv's settings; None where they name no index and no find-links."""
    variables, file, table = around.variables, *_read_files(around)
    folder = file.parent
    tables = _index_tables(table, folder, variables)
    default = (
        _named(variables.get("UV_DEFAULT_INDEX"), variables)
        or _url(variables.get("UV_INDEX_URL"))
        or next((url for _, url, is_default in tables if is_default), None)
        or _url(table.get("index-url"), folder)
    )
    extra = [(_name_of(item), _named(item, variables)) for item in variables.get("UV_INDEX", "").split()]
    extra += [("", as_url(item)) for item in variables.get("UV_EXTRA_INDEX_URL", "").split()]
    extra += [(name, url) for name, url, is_default in tables if not is_default]
    extra += [("", as_url(item, folder=folder)) for item in _strings(table.get("extra-index-url"))]
    names: dict[str, str] = {}
    for name, url in extra:
        if url:
            names[url] = names.get(url) or name
    links = [as_url(item) for item in variables.get("UV_FIND_LINKS", "").split(",") if item.strip()]
    links += [as_url(item, folder=folder) for item in _strings(table.get("find-links"))]
    if not (default or names or links):
        return None
    return IndexSettings(
        source="uv",
        default_index=default,
        extra_indexes=tuple(names),
        extra_names=tuple(names.values()),
        find_links=tuple(dict.fromkeys(links)),
        no_index=is_true(variables.get("UV_NO_INDEX")) or table.get("no-index") is True,
        strategy=_strategy(variables, table, file),
        certificate=certificate_of(around),
        trusted_hosts=(*variables.get("UV_INSECURE_HOST", "").split(), *_strings(table.get("allow-insecure-host"))),
        keyring=(variables.get("UV_KEYRING_PROVIDER") or table.get("keyring-provider")) == "subprocess",
        offline=is_true(variables.get("UV_OFFLINE")) or table.get("offline") is True,
        timeout_s=_timeout(variables.get("UV_HTTP_TIMEOUT")),
    )


def _read_files(around: Surroundings) -> tuple[Path, dict[str, Any]]:
    """Merge uv.toml files; returns the most important one's path beside what they say, `[pip]` over the top level."""
    named = around.variables.get("UV_CONFIG_FILE")
    user = around.config_home / "uv" / "uv.toml"
    if is_true(around.variables.get("UV_NO_CONFIG")):
        return user, {}
    system = [folder / "uv" / "uv.toml" for folder in around.config_dirs] + [around.etc / "uv" / "uv.toml"]
    paths = [Path(named)] if named else [user, *system]
    table: dict[str, Any] = {}
    for path in reversed(paths):
        read = read_toml(path)
        table |= read | (read.get("pip") or {})
    return paths[0], table


def _index_tables(table: Mapping[str, Any], folder: Path, variables: Mapping[str, str]) -> list[tuple[str, str, bool]]:
    """Read `[[index]]`: name, url and whether it is the default one."""
    found = []
    for item in table.get("index") or []:
        if isinstance(item, dict) and isinstance(item.get("url"), str) and not item.get("explicit"):
            name = str(item.get("name") or "")
            url = _with_login(as_url(item["url"], folder=folder), name, variables)
            found.append((name, url, item.get("default") is True))
    return found


def _named(text: str | None, variables: Mapping[str, str]) -> str | None:
    """Read `name=url` or `url`."""
    if not text:
        return None
    name = _name_of(text)
    return _with_login(as_url(text.removeprefix(f"{name}=")), name, variables) if name else as_url(text)


def _name_of(text: str) -> str:
    """Read the name of `name=url`; empty where there is none."""
    name, separator, _ = text.partition("=")
    return name if separator and "/" not in name and ":" not in name else ""


def _with_login(url: str, name: str, variables: Mapping[str, str]) -> str:
    """Put what UV_INDEX_<NAME>_USERNAME and _PASSWORD say into a url that has no credentials of its own."""
    key = "".join(char if char.isalnum() else "_" for char in name.upper())
    user, password = variables.get(f"UV_INDEX_{key}_USERNAME"), variables.get(f"UV_INDEX_{key}_PASSWORD")
    parts = urlsplit(url)
    if not key or not (user or password) or "@" in parts.netloc:
        return url
    login = quote(user or "", safe="") + (f":{quote(password, safe='')}" if password else "")
    return urlunsplit(parts._replace(netloc=f"{login}@{parts.netloc}"))


def _strategy(variables: Mapping[str, str], table: Mapping[str, Any], file: Path) -> str:
    if variables.get("UV_INDEX_STRATEGY"):
        return checked_strategy(variables["UV_INDEX_STRATEGY"], "UV_INDEX_STRATEGY")
    return checked_strategy(str(table.get("index-strategy", "first-index")), f"{file}: index-strategy")


def _url(value: object, folder: Path | None = None) -> str | None:
    return as_url(value, folder=folder) if isinstance(value, str) and value else None


def _strings(value: object) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def _timeout(text: str | None) -> float:
    return float(text) if text and text.isdigit() else DEFAULT_TIMEOUT_S
