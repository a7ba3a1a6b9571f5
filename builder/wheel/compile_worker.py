"""Compiles sources to bytecode, inside the base's own interpreter. Standard library only, of Python 3.11 and later.

Run as a program. It first says what it is, then answers each request of the parent until its input ends. All numbers are
32 bits, little endian:

- hello: length, then `<version> <magic number in hexadecimal>` in ASCII;
- request: count, then for each source its path's length, its length, path, source;
- answer: count, then for each source the length of its bytecode file and the file, or length 0xFFFFFFFF where the source
  does not compile.

The bytecode files are those of PEP 552, hash-based and unchecked: valid whatever the time of the source, and believed
without reading it. The same source and path give the same bytes, whatever was compiled before: see `renew`.
"""

from __future__ import annotations

import gc
import marshal
import sys
import types
import warnings
from _frozen_importlib_external import MAGIC_NUMBER  # As importlib.util has it, without 10 ms of imports.
from _imp import source_hash

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, BinaryIO

NO_BYTECODE = 0xFFFFFFFF
_UNCHECKED_HASH = (0b01).to_bytes(4, "little")
_HASH_KEY = int.from_bytes(MAGIC_NUMBER, "little")
_CANNOT_COMPILE = (SyntaxError, ValueError, OverflowError, RecursionError)
_SINGLE = tuple(sys.intern(chr(number)) for number in range(256))
"""Strings of one character, which CPython has once each. Before 3.12 they are interned when some module first uses them as a
name (`from a import *`), and marshal writes that down: interned from the beginning, they are written alike always."""
_AMPLE = 64 << 20
_AMPLE_PER_BYTE = 100
"""Of source: the dense worst case needs some 60 bytes while it is compiled."""


def compile_source(path: str, source: bytes) -> bytes | None:
    """Make the content of a .pyc file; None where the source does not compile (templates, other Pythons' files).

    Args:
        path: where the source will lie, absolute: shown in tracebacks.
        source: its bytes; an encoding declaration is obeyed.
    """
    try:
        code = compile(source, path, "exec", dont_inherit=True, optimize=0)
    except _CANNOT_COMPILE:
        return None
    except MemoryError:
        # The parser says this of deep nesting too, on every machine. A true lack of memory must not change an image:
        # then this raises again, and the worker ends.
        bytes(_AMPLE + _AMPLE_PER_BYTE * len(source))
        return None
    # NOTE: the name `code` is bound anew so that the first code object is gone when marshal counts references.
    code = renew(code)
    return b"".join((MAGIC_NUMBER, _UNCHECKED_HASH, source_hash(_HASH_KEY, source), marshal.dumps(code)))


def renew(const: Any) -> Any:
    """Give each frozenset below a code object an identity of its own.

    `x in {"a", "b"}` makes a frozenset constant. The compiler shares equal ones between the functions of a module, then
    replaces those whose strings were interned before by another module: what is shared, and so what marshal writes as
    a reference to an earlier object, depends on what the process compiled before. Here none is ever shared.
    Code objects without frozensets are returned as they are.

    Source: CPython's Objects/codeobject.c, intern_constants; Python/marshal.c, w_ref.
    """
    kind = type(const)
    if kind is types.CodeType:
        consts = const.co_consts
        renewed = tuple(renew(one) if type(one) in _MAY_HOLD_FROZENSETS else one for one in consts)
        if all(new is old for new, old in zip(renewed, consts, strict=True)):
            return const
        return const.replace(co_consts=renewed)
    if kind is frozenset:
        return frozenset([*const])
    renewed = tuple(renew(one) if type(one) in _MAY_HOLD_FROZENSETS else one for one in const)
    return const if all(new is old for new, old in zip(renewed, const, strict=True)) else renewed


_MAY_HOLD_FROZENSETS = frozenset({types.CodeType, frozenset, tuple})


def answer(request: BinaryIO, reply: BinaryIO) -> bool:
    """Answer one request; False at the end of the input."""
    head = request.read(4)
    if len(head) < 4:
        return False
    parts = [head]
    for _ in range(int.from_bytes(head, "little")):
        sizes = request.read(8)
        path = request.read(int.from_bytes(sizes[:4], "little"))
        source = request.read(int.from_bytes(sizes[4:], "little"))
        bytecode = compile_source(path.decode("utf-8", "surrogateescape"), source)
        if bytecode is None:
            parts.append(NO_BYTECODE.to_bytes(4, "little"))
        else:
            parts.append(len(bytecode).to_bytes(4, "little"))
            parts.append(bytecode)
    reply.write(b"".join(parts))
    reply.flush()
    return True


def main() -> None:
    """Serve requests from standard input until it ends."""
    warnings.simplefilter("ignore")
    gc.disable()  # Syntax trees and code objects hold no cycles: looking for them would cost a tenth of the time.
    request, reply = sys.stdin.buffer, sys.stdout.buffer
    hello = f"{sys.version.split()[0]} {MAGIC_NUMBER.hex()}".encode()
    reply.write(len(hello).to_bytes(4, "little") + hello)
    reply.flush()
    while answer(request, reply):
        pass


if __name__ == "__main__":
    main()
