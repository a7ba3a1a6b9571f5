"""One thing to fuzz: a reader that takes any bytes. It ends, or raises a BuilderError whose text can be shown; anything else is a find."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from builder.errors import BuilderError
from tests.hostile.corpus import MATERIALS
from tests.hostile.readers import READERS

_LONGEST_SEED = 1 << 15
_LONGEST_TEXT = 100_000
"""Characters of an error: nobody's terminal is to be flooded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One thing to fuzz."""

    name: str
    kind: str
    """Of the reader, and of the seeds from the hostile corpus."""
    file_name: str
    wrap: Callable[[bytes], bytes] = bytes
    seeds: Sequence[bytes] = ()

    def run(self, data: bytes) -> None:
        """Give bytes to the reader."""
        try:
            READERS[self.kind](self.wrap(data), self.file_name)
        except BuilderError as error:
            text = str(error)
            text.encode()
            assert len(text) < _LONGEST_TEXT, "an error that floods"

    def all_seeds(self) -> Iterable[bytes]:
        """Give seeds: its own, and what the hostile corpus has of its kind where nothing is wrapped."""
        yield from self.seeds
        if self.wrap is bytes:
            for material in MATERIALS:
                if material.kind == self.kind and len(data := material.make()) < _LONGEST_SEED:
                    yield data
