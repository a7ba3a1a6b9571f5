"""Read one migration file: names given at the top of the module, by its syntax tree. Nothing of it is ever run."""

from __future__ import annotations

import ast
import re
import warnings
from typing import Final

from builder.errors import IntegrityError
from builder.migrations.history import Revision

_MOST_TITLE: Final = 120
_NAMES: Final = ("revision", "down_revision", "depends_on", "branch_labels")
_BODY: Final = re.compile(r"^(def|class|async|@)", re.MULTILINE)
_NAMED_LATER: Final = re.compile(rf"^({'|'.join(_NAMES)})\b", re.MULTILINE)
_RELEASE: Final = re.compile(r"[a-z0-9_]*version")


def parse_module(data: bytes, *, context: str) -> ast.Module:
    """Parse a module; raises IntegrityError where it is none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Of escapes in strings that are none: theirs to mend.
            return ast.parse(data)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise IntegrityError(f"cannot be parsed: {error}", context=context) from error


def read_revision(data: bytes, *, context: str) -> Revision | None:
    """Read the revision of a migration file; None where it names none.

    Raises:
        IntegrityError: it is no module, or its names are computed.
    """
    module = _head_of(data, context)
    values = module_values(module)
    if "revision" not in values:
        return None
    named = {name: _names(values.get(name), name, context) for name in _NAMES}
    if len(named["revision"]) != 1:
        raise IntegrityError("names no revision", context=context)
    return Revision(
        id=named["revision"][0],
        down=named["down_revision"],
        depends_on=named["depends_on"],
        labels=named["branch_labels"],
        release=_release_of(values),
        title=_title_of(module),
    )


def module_values(module: ast.Module | ast.ClassDef) -> dict[str, ast.expr]:
    """List what is assigned at the top of a module or class, by name; the last one holds."""
    found: dict[str, ast.expr] = {}
    for statement in module.body:
        match statement:
            case ast.Assign(targets=targets, value=value):
                found.update((target.id, value) for target in targets if isinstance(target, ast.Name))
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                found[name] = value
    return found


def text_of(value: ast.expr | None) -> str | None:
    """Read a text that stands there literally; None for everything else."""
    return value.value if isinstance(value, ast.Constant) and isinstance(value.value, str) else None


def _head_of(data: bytes, context: str) -> ast.Module:
    """Parse what stands above the first function, where nothing below it matters: that is most of the time it takes."""
    text = data.decode("utf-8", "replace")
    body = _BODY.search(text)
    if body and not _NAMED_LATER.search(text, body.start()):
        try:
            return parse_module(text[: body.start()].encode(), context=context)
        except IntegrityError:
            pass  # The line was one of a text.
    return parse_module(data, context=context)


def _names(value: ast.expr | None, name: str, context: str) -> tuple[str, ...]:
    match value:
        case None | ast.Constant(value=None):
            return ()
        case ast.Tuple(elts=items) | ast.List(elts=items) | ast.Set(elts=items):
            found = [text_of(item) for item in items]
        case _:
            found = [text_of(value)]
    if None in found:
        raise IntegrityError("is computed, and would have to be run to be known", context=f"{context}: {name}")
    return tuple(text for text in found if text)


def _release_of(values: dict[str, ast.expr]) -> str:
    found = (text_of(value) for name, value in values.items() if _RELEASE.fullmatch(name))
    return next((text for text in found if text), "")[:40]


def _title_of(module: ast.Module) -> str:
    lines = (ast.get_docstring(module) or "").splitlines()
    first = next((line.strip() for line in lines if line.strip()), "")
    return first.rstrip(".")[:_MOST_TITLE] if first.isprintable() else ""
