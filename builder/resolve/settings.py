"""What settings of package indexes are, and what reading them needs; user_settings.py chooses whose settings hold.

Credentials stay inside urls and are never printed: show urls through `masked`.
"""

from __future__ import annotations

import os
import re
import tomllib
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from builder.errors import InvalidInputError
from builder.snapshot.model import DEFAULT_INDEX, FIND_LINKS, NamedIndex

STRATEGIES = ("first-index", "unsafe-first-match", "unsafe-best-match")
"""uv's words. `first-index`: a project found on one index is never looked for on a later one."""
DEFAULT_TIMEOUT_S = 60.0
INDEX_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")
_TRUE = frozenset({"1", "true", "t", "yes", "y", "on"})


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexSettings:
    """The package indexes of one user on one machine.

    Urls may hold credentials, so neither this value nor its urls are ever shown unmasked.
    """

    source: str
    """Whose settings these are: `uv`, `pip`, `airflow-kubler` or `default`."""
    default_index: str | None = None
    """Simple index of the lowest priority; None for the resolver's built-in one."""
    extra_indexes: tuple[str, ...] = ()
    """Asked before the default index, in this order."""
    extra_names: tuple[str, ...] = ()
    """Names of the extra indexes, as far as the settings give some; empty for those without."""
    folders: tuple[tuple[str, str], ...] = ()
    """Folders of the project, by the name of the index that each is, as `file:` urls: these are no settings of the user's."""
    find_links: tuple[str, ...] = ()
    """Folders and pages of files, as urls; `file:` for local ones."""
    no_index: bool = False
    """Only `find_links` are read."""
    strategy: str = "first-index"
    """One of STRATEGIES."""
    certificate: Path | None = None
    """PEM file of trusted authorities; None for the system's own."""
    trusted_hosts: tuple[str, ...] = ()
    """Hosts, with or without port, whose certificates are not checked."""
    keyring: bool = False
    """uv may ask the `keyring` command for credentials."""
    offline: bool = False
    """Nothing may be asked over a network; what caches hold still serves."""
    timeout_s: float = DEFAULT_TIMEOUT_S

    def indexes(self) -> tuple[str, ...]:
        """List simple indexes in order of priority; the built-in default is not among them: see `built_in_index`."""
        if self.no_index:
            return ()
        return (*self.extra_indexes, *((self.default_index,) if self.default_index else ()))

    @property
    def merges_local(self) -> bool:
        """Whether files of find-links and local places are added to the page of a project's index: decision 0002."""
        return self.strategy != "first-index"

    def __repr__(self) -> str:
        places = ", ".join(masked(url) for url in (*self.indexes(), *self.find_links))
        return f"IndexSettings({self.source}: {places})"


def named_indexes(settings: IndexSettings, built_in: str | None) -> tuple[NamedIndex, ...]:
    """Name the places to ask, in order of priority: folders of the project, find-links, extra indexes, and last the default.

    Args:
        settings: the user's.
        built_in: the index where the settings name no default one; None for none.
    """
    found = [NamedIndex(name=name, url=url, find_links=True, alone=True) for name, url in settings.folders]
    found += [
        NamedIndex(name=FIND_LINKS if number == 1 else f"{FIND_LINKS}-{number}", url=url, find_links=True)
        for number, url in enumerate(settings.find_links, 1)
    ]
    if settings.no_index:
        return tuple(found)
    given = (*settings.extra_names, *("" for _ in settings.extra_indexes))
    taken = {DEFAULT_INDEX, "", *(index.name for index in found)}
    wished = [name if INDEX_NAME.match(name) else "" for name in given]
    for number, (url, name) in enumerate(zip(settings.extra_indexes, wished, strict=False), 1):
        free = (text for text in map("extra-{}".format, count(number)) if text not in {*taken, *wished})
        chosen = next(free) if name in taken else name
        taken.add(chosen)
        found.append(NamedIndex(name=chosen, url=url))
    last = settings.default_index or built_in
    return (*found, *((NamedIndex(name=DEFAULT_INDEX, url=last),) if last else ()))


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file; an absent one is empty.

    Raises:
        InvalidInputError: the file is there and cannot be read.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise InvalidInputError(f"cannot be read: {error}", context=str(path)) from error


def as_url(text: str, *, folder: Path | None = None) -> str:
    """Turn a path into a `file:` url, relative to a folder or the working directory; urls stay as they are."""
    if "://" in text or text.startswith("file:"):
        return text
    return Path(folder or "", os.path.expanduser(text)).absolute().as_uri()  # noqa: PTH111 - `~` in a joined path


def is_local(url: str) -> bool:
    """Tell whether a url names a file of this machine."""
    return urlsplit(url).scheme == "file"


def is_true(text: str | None) -> bool:
    """Read a boolean as uv and pip do."""
    return (text or "").strip().lower() in _TRUE


def checked_strategy(text: str, context: str) -> str:
    """Return an index strategy; raises InvalidInputError for an unknown one."""
    if text not in STRATEGIES:
        raise InvalidInputError(
            f"unknown index strategy {text!r}", context=context, hint=f"one of: {', '.join(STRATEGIES)}"
        )
    return text


def masked(url: str) -> str:
    """Show a url without its credentials and query."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, f"****@{host}" if "@" in parts.netloc else host, parts.path, "", ""))
