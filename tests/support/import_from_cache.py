"""Import sources by their bytecode alone, without running them. A base's own Python runs this; it uses nothing but that.

Standard input holds, for each source, a line of JSON with its `path` in the image and the sizes of `source` and `bytecode`
(null where there is none), then the bytes of both. Standard output gets one JSON list: what is wrong, by path.
"""

from __future__ import annotations

import json
import marshal
import sys
import warnings
from collections.abc import Iterator
from importlib.machinery import SourceFileLoader
from importlib.util import MAGIC_NUMBER, source_hash
from types import CodeType
from typing import BinaryIO

_HEADER_SIZE = 16
_HASH_BASED_UNCHECKED = 1


class CacheOnly(SourceFileLoader):
    """Python's own loader, over bytes in memory; it may not compile."""

    def __init__(self, path: str, bytecode: bytes) -> None:
        super().__init__("module", path)
        self._bytecode = bytecode

    def path_stats(self, path: str) -> dict[str, float]:  # noqa: ARG002
        """Tell a time that fits no timestamp."""
        return {"mtime": 1, "size": 1}

    def get_data(self, path: str) -> bytes:
        """Give the bytecode; the source must not be asked for."""
        if not path.endswith(".pyc"):
            message = f"the source {path} was read"
            raise AssertionError(message)
        return self._bytecode


def find_problem(path: str, source: bytes, bytecode: bytes | None) -> str | None:
    """Say what is wrong with the bytecode of one source."""
    if bytecode is None:
        return "has no bytecode, though it compiles" if _compiles(path, source) else None
    if bytecode[:4] != MAGIC_NUMBER or int.from_bytes(bytecode[4:8], "little") != _HASH_BASED_UNCHECKED:
        return f"is not of this Python, or checked: {bytecode[:8].hex()}"
    if bytecode[8:_HEADER_SIZE] != source_hash(source):
        return "is the bytecode of another source"
    names = {code.co_filename for code in _codes(marshal.loads(bytecode[_HEADER_SIZE:]))}  # noqa: S302  # our own image
    if names != {path}:
        return f"says it comes from {sorted(names)}"
    try:
        code = CacheOnly(path, bytecode).get_code("module")
    except AssertionError as error:
        return str(error)
    return None if isinstance(code, CodeType) else "gives no code"


def _compiles(path: str, source: bytes) -> bool:
    try:
        compile(source, path, "exec", dont_inherit=True)
    except (SyntaxError, ValueError):
        return False
    return True


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def _sources(stream: BinaryIO) -> Iterator[tuple[str, bytes, bytes | None]]:
    while line := stream.readline():
        head = json.loads(line)
        source = stream.read(head["source"])
        yield head["path"], source, None if head["bytecode"] is None else stream.read(head["bytecode"])


def main() -> None:
    """Read standard input to its end, then answer."""
    warnings.simplefilter("ignore")
    problems = {
        path: problem
        for path, source, code in _sources(sys.stdin.buffer)
        if (problem := find_problem(path, source, code))
    }
    json.dump(problems, sys.stdout)


if __name__ == "__main__":
    main()
