"""What decides about a built wheel besides its sdist and requirements."""

from __future__ import annotations

from builder.canonical import dump_json
from builder.digest import Digest
from builder.image.interpreter import interpreter_key
from builder.lock.model import BaseLock
from builder.stack.inputs import base_inputs_digest

BUILD_FORMAT = 1
"""Goes up when the same sdist comes out as another wheel: what was built before is built again."""


def build_key(base: BaseLock) -> str:
    """Name the interpreter and the way of building; cheap."""
    compiling = compilers_key(base)
    return f"{interpreter_key(base)}-{BUILD_FORMAT}{f'-{compiling.hex[:32]}' if compiling else ''}"


def compilers_key(base: BaseLock) -> Digest | None:
    """Name all that native code is compiled in: the base's debs and its compilers; None where it has none."""
    if not base.compilers:
        return None
    debs = [[deb.file.sha256.hex for deb in found] for found in (base.debs, base.compilers)]
    return Digest.of(dump_json([base_inputs_digest(base.base).hex, *debs]))
