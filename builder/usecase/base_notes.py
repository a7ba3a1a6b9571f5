"""What a base came out as, kept by what it was made from: while indexes of packages are the same, none is read again.

A Packages file of Debian has 50 MB; inflating and searching a handful of them takes seconds. Its hash stands in the signed
Release file. So an unchanged night asks for Release files alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from builder.canonical import dump_json
from builder.digest import Digest
from builder.errors import BuilderError
from builder.image.sealed import seal, unseal
from builder.lock.base import dump_base_lock, parse_base_lock
from builder.stack.inputs import base_inputs_digest

if TYPE_CHECKING:
    from builder.debian.client import Suite
    from builder.lock.model import BaseLock
    from builder.stack.model import Base
    from builder.store.model import ArtefactStore

_KIND: Final = "bases"


class BaseNotes:
    """Locks of bases by all that decides about their packages.

    Args:
        artefacts: where they are kept.
        program: names this very program, so that what another one chose is not taken for its own.
    """

    def __init__(self, artefacts: ArtefactStore, program: str) -> None:
        self._artefacts = artefacts
        self._program = program

    def find(self, base: Base, suites: Sequence[Suite]) -> BaseLock | None:
        """Find what a base came out as, whatever its Release files were; None where that is not known."""
        key = self._key(base, suites)
        path = self._artefacts.get(_KIND, key) if key else None
        text = unseal(path.read_bytes()) if path else None
        try:
            return parse_base_lock(text.encode(), file=f"base {base.name}") if isinstance(text, str) else None
        except BuilderError:
            return None  # It is damaged: the base is made in full.

    def keep(self, base: Base, suites: Sequence[Suite], lock: BaseLock) -> None:
        """Keep what a base came out as."""
        if key := self._key(base, suites):
            self._artefacts.put(_KIND, key, [seal(dump_base_lock(lock).decode())])

    def _key(self, base: Base, suites: Sequence[Suite]) -> str:
        """Name what decides; empty where a client does not say which indexes it read."""
        if not self._program or not all(suite.digests for suite in suites):
            return ""
        indexes = [
            [suite.record.suite, {name: [digest.hex for digest in found] for name, found in suite.digests.items()}]
            for suite in suites
        ]
        inputs = base_inputs_digest(base).hex
        return Digest.of(dump_json({"program": self._program, "inputs": inputs, "indexes": indexes})).hex
