"""The verifier as one file: its parts in their order, their imports once, on top.

An auditor runs it by `python3 -I -S`, which finds no module beside it.
"""

from __future__ import annotations

import ast
from functools import cache
from importlib.resources import files
from typing import Final

_PARTS: Final = ("curve", "trees", "notes", "entries", "folder", "export", "command")
"""In the order in which they need each other; the last has the text on top."""
_OWN: Final = "builder."


@cache
def join_verifier() -> bytes:
    """Make verify.py: bytes are stable."""
    sources = [files("builder.audit.verifier").joinpath(f"{name}.py").read_text("utf-8") for name in _PARTS]
    plain: set[str] = set()
    named: dict[str, set[str]] = {}
    bodies = []
    for source in sources:
        lines = source.splitlines()
        head, *rest = ast.parse(source).body
        begin = head.end_lineno or 0
        for statement in rest:
            if not isinstance(statement, ast.Import | ast.ImportFrom):
                break
            begin = statement.end_lineno or begin
            names = {one.name for one in statement.names}
            if isinstance(statement, ast.Import):
                plain |= names
            elif not (statement.module or "").startswith((_OWN, "__future__")):
                named.setdefault(statement.module or "", set()).update(names)
        bodies.append("\n".join(lines[begin:]).strip("\n"))
    text = ast.get_docstring(ast.parse(sources[-1]), clean=False) or ""
    top = "\n".join(
        (
            *(f"import {name}" for name in sorted(plain)),
            *(f"from {name} import {', '.join(sorted(names))}" for name, names in sorted(named.items())),
        )
    )
    joined = "\n\n\n".join(bodies)
    end = 'if __name__ == "__main__":\n    sys.exit(main())\n'
    return f'#!/usr/bin/env python3\n"""{text}"""\n\nfrom __future__ import annotations\n\n{top}\n\n{joined}\n\n\n{end}'.encode()
