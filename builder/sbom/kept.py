"""Facts kept as artefacts: sealed JSON, by the hash of the file and of all that decides how it is read."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib.resources import files
from typing import Any, Final, TypeVar

from builder.canonical import dump_json
from builder.digest import Digest
from builder.image.sealed import seal, unseal
from builder.store.model import ArtefactStore

KIND: Final = "facts"
_FORMAT: Final = 1
"""Raise it when other facts are read from the same file."""
_T = TypeVar("_T")


def keep(
    key: str,
    artefacts: ArtefactStore,
    read: Callable[[], _T],
    to_json: Callable[[_T], dict[str, Any]],
    from_json: Callable[[dict[str, Any]], _T],
) -> _T:
    """Recall facts, or read and keep them."""
    whole = f"{_FORMAT}-{_readers().hex[:16]}-{key}"
    path = artefacts.get(KIND, whole)
    value = unseal(path.read_bytes()) if path is not None else None
    if value is not None:
        return from_json(value)
    facts = read()
    if path is not None:
        path.unlink(missing_ok=True)
    artefacts.put(KIND, whole, (seal(to_json(facts)),))
    return facts


@cache
def _readers() -> Digest:
    """Hash what reads licences: names and texts are added there by and by, and what was read before is read again then."""
    folder = files("builder.licence")
    parts = sorted(item.name for item in folder.iterdir() if item.name.endswith(".py"))
    texts = sorted(item.name for item in folder.joinpath("texts").iterdir() if item.name.endswith(".txt"))
    contents = [folder.joinpath(name) for name in parts] + [folder.joinpath("texts", name) for name in texts]
    return Digest.of(dump_json([Digest.of(item.read_bytes()).hex for item in contents]))
