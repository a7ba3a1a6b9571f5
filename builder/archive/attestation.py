"""Statements on rebuilds: who made an image again, from what, and whether it came out the same. Pure; not signed here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from builder.attest import statement as in_toto
from builder.attest.kinds import PREDICATE_TYPES, REBUILD
from builder.digest import Digest
from builder.oci.config import format_time

PREDICATE_TYPE: Final = PREDICATE_TYPES[REBUILD]
SAME: Final = "same"
DIFFERENT: Final = "different"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuild:
    """One rebuild."""

    name: str
    """Of the image, as `registry.example.org/team/airflow`."""
    digest: Digest
    """Of the image index."""
    stack: str
    lock: Digest
    archive: Digest
    rebuilder: str
    """Who and where, as `alice@build-7`: only a signature proves it."""
    version: str
    """Of this program."""
    started: int
    """Seconds since the epoch."""
    finished: int
    rebuilt: Digest
    """What came out."""
    first_difference: str = ""
    """Empty where it is the same."""

    @property
    def is_same(self) -> bool:
        """Tell whether the digest came out again."""
        return self.rebuilt == self.digest


def dump_statement(rebuild: Rebuild) -> bytes:
    """Write an in-toto statement; bytes are stable."""
    predicate: dict[str, Any] = {
        "verdict": SAME if rebuild.is_same else DIFFERENT,
        "rebuilt": {"sha256": rebuild.rebuilt.hex},
        "rebuilder": {"id": rebuild.rebuilder, "version": rebuild.version},
        "stack": rebuild.stack,
        "materials": [
            {"name": "lock", "digest": {"sha256": rebuild.lock.hex}},
            {"name": "archive", "digest": {"sha256": rebuild.archive.hex}},
        ],
        "startedOn": format_time(rebuild.started),
        "finishedOn": format_time(rebuild.finished),
    }
    if rebuild.first_difference:
        predicate["firstDifference"] = rebuild.first_difference
    return in_toto.dump_statement(
        in_toto.Statement(digest=rebuild.digest, name=rebuild.name, predicate_type=PREDICATE_TYPE, predicate=predicate)
    )
