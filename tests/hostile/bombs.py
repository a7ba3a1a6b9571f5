"""Read every bomb of the corpus in a process that may not grow: `python -m tests.hostile.bombs`."""

from __future__ import annotations

import resource
import sys

from builder.errors import BuilderError
from tests.hostile.corpus import MATERIALS
from tests.hostile.readers import READERS

MEMORY = 1 << 30
"""Bytes of addresses, with those of the interpreter and its libraries."""


def main() -> None:
    bombs = [(material, material.make()) for material in MATERIALS if material.threat == "A4"]
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    for material, data in bombs:
        try:
            READERS[material.kind](data, material.called)
        except BuilderError:
            continue
        sys.exit(f"accepted: {material.kind}: {material.name}")


if __name__ == "__main__":
    main()
