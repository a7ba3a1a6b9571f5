"""Caches of a test's own, whose content is linked from the user's: what is made there goes away with the test."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from builder.lock.base import parse_base_lock
from builder.lock.pylock import parse_stack_lock
from builder.store.location import cache_root
from tests.support.tools import ROOT, give_up

_BUILT = ("base-tree", "interpreter", "layer", "layer-record", "ownership", "segment")
"""Kinds of artefacts."""


def files_of_stack(stack: str) -> Iterator[str]:
    """Name all files of a committed lock and of its base's, by hash."""
    lock = parse_stack_lock((ROOT / f"locks/pylock.{stack}.toml").read_bytes(), file=stack)
    yield from (file.sha256.hex for candidate in lock.candidates for file in candidate.wheels.values())
    yield from debs_of_base(lock.base)


def debs_of_base(name: str) -> Iterator[str]:
    """Name all debs of a base's committed lock, by hash."""
    base = parse_base_lock((ROOT / f"locks/base.{name}.toml").read_bytes(), file=name)
    yield from (deb.file.sha256.hex for deb in base.debs)


def borrow_cache(cache: Path) -> dict[str, str]:
    """Make a cache with all that builds take from the user's own; gives the variable that names it.

    For images that no other run will have: unpacked, each would stay in the user's cache with some hundred megabytes.
    """
    user = cache_root(os.environ)
    for part in ("files", *(f"artefacts/{kind}" for kind in _BUILT)):
        if (user / part).is_dir():
            shutil.copytree(user / part, cache / part, symlinks=True, copy_function=_link)
    return {"AIRFLOW_KUBLER_CACHE": str(cache)}


def link_files(cache: Path, names: Iterable[str]) -> None:
    """Fill a cache with files of the user's store: hard links, or copies where links do not reach."""
    user = cache_root(os.environ)
    for name in dict.fromkeys(names):
        source = user / "files/sha256" / name[:2] / name
        target = cache / "files/sha256" / name[:2] / name
        if not source.is_file():
            give_up("the user's store is not filled: run `airflow-kubler fetch core`")
        target.parent.mkdir(parents=True, exist_ok=True)
        _link(source, target)


def _link(source: str | Path, target: str | Path) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
