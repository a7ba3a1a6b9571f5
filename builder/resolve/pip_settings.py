"""pip's settings, read as pip reads them.

Files by rising importance: global, user, site, the one that PIP_CONFIG_FILE names; then `PIP_*` variables. A key of a more
important place replaces the whole value. `PIP_CONFIG_FILE=/dev/null` switches all files off; naming an existing file there
switches the user's off.

Source: pip's `configuration.py` and its page on configuration.
"""

from __future__ import annotations

import configparser
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from builder.errors import InvalidInputError
from builder.resolve.settings import DEFAULT_TIMEOUT_S, IndexSettings, as_url, is_local, is_true
from builder.resolve.surroundings import Surroundings, certificate_of

_SECTIONS = ("global", "install")
"""The sections that `pip install` reads, by rising importance."""


def load_pip_settings(around: Surroundings) -> IndexSettings | None:
    """Read pip's settings; None where they name no index and no find-links."""
    values = read_pip_values(around)
    index = values.get("index-url")
    extra = tuple(as_url(url) for url in values.get("extra-index-url", "").split())
    links = tuple(as_url(url) for url in values.get("find-links", "").split())
    if not (index or extra or links):
        return None
    certificate = values.get("cert")
    return IndexSettings(
        source="pip",
        default_index=as_url(index) if index else None,
        extra_indexes=extra,
        find_links=links,
        no_index=is_true(values.get("no-index")),
        strategy=_strategy((*extra, *links)),
        certificate=Path(certificate) if certificate else certificate_of(around),
        trusted_hosts=tuple(values.get("trusted-host", "").split()),
        keyring=values.get("keyring-provider") in {"subprocess", "import"},
        offline=is_true(around.variables.get("UV_OFFLINE")),
        timeout_s=_timeout(values.get("timeout") or values.get("default-timeout")),
    )


def _strategy(places: Sequence[str]) -> str:
    """Merge as pip does where every place besides the index is local: decision 0002."""
    return "unsafe-best-match" if places and all(is_local(url) for url in places) else "first-index"


def read_pip_values(around: Surroundings) -> dict[str, str]:
    """Read pip's effective values by key, as `index-url`; empty values count as absent."""
    values: dict[str, str] = {}
    layers: dict[str, dict[str, str]] = {section: {} for section in _SECTIONS}
    for path in _files(around):
        for section, key, value in _read_file(path):
            if section in layers:
                layers[section][key] = value
    for section in _SECTIONS:
        values.update({key: value for key, value in layers[section].items() if value.strip()})
    for name, value in around.variables.items():
        if name.startswith("PIP_") and value.strip():
            values[_key(name.removeprefix("PIP_"))] = value
    return values


def _files(around: Surroundings) -> Iterator[Path]:
    named = around.variables.get("PIP_CONFIG_FILE")
    if named == os.devnull:
        return
    for folder in around.config_dirs:
        yield folder / "pip" / "pip.conf"
    yield around.etc / "pip.conf"
    if not (named and Path(named).exists()):
        yield around.home / ".pip" / "pip.conf"
        yield around.config_home / "pip" / "pip.conf"
    yield around.prefix / "pip.conf"
    if named:
        yield Path(named)


def _read_file(path: Path) -> Iterator[tuple[str, str, str]]:
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(path.read_text(encoding="utf-8"), source=str(path))
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return
    except (OSError, UnicodeDecodeError, configparser.Error) as error:
        # NOTE: a parser's own text quotes the line, and a line may hold a password.
        raise InvalidInputError(
            f"cannot be read as pip's configuration ({type(error).__name__})", context=str(path)
        ) from None
    for section in parser.sections():
        for key, value in parser.items(section):
            yield section, _key(key), value


def _key(name: str) -> str:
    return name.lower().replace("_", "-").removeprefix("--")


def _timeout(text: str | None) -> float:
    try:
        return float(text) if text else DEFAULT_TIMEOUT_S
    except ValueError:
        return DEFAULT_TIMEOUT_S
