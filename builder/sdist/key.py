"""What decides about a built wheel besides its sdist and requirements."""

from __future__ import annotations

from builder.image.interpreter import interpreter_key
from builder.lock.model import BaseLock

BUILD_FORMAT = 1
"""Goes up when the same sdist comes out as another wheel: what was built before is built again."""


def build_key(base: BaseLock) -> str:
    """Name the interpreter and the way of building; cheap."""
    return f"{interpreter_key(base)}-{BUILD_FORMAT}"
