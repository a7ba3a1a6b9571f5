"""Bytecode by a base's own interpreter, unpacked from the store when it is first needed."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from builder.lock.model import BaseLock
from builder.platform import Platform
from builder.store.model import FileStore

if TYPE_CHECKING:
    from builder.image.interpreter import TreeStore
    from builder.wheel.bytecode import BytecodeCompiler


class StoreCompilers:
    """Interpreters of bases, for this machine.

    Args:
        files: holds their debs.
        artefacts: keeps them unpacked.
        platform: of this machine.
    """

    def __init__(self, files: FileStore, artefacts: TreeStore, platform: Platform) -> None:
        self._files = files
        self._artefacts = artefacts
        self._platform = platform

    def key(self, base: BaseLock) -> str:
        """Name the interpreter by everything that decides about its bytecode; nothing is unpacked."""
        from builder.image.interpreter import interpreter_key

        return interpreter_key(base)

    def open(self, base: BaseLock, jobs: int) -> AbstractContextManager[BytecodeCompiler]:
        """Have it unpacked, and start it with the first source."""
        from builder.image.interpreter import ensure_interpreter
        from builder.wheel.bytecode import WorkerPool

        found = ensure_interpreter(base, self._files, self._artefacts, self._platform)
        return WorkerPool(found.argv, found.env, jobs, version=found.python_version)
