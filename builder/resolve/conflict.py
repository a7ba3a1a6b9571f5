"""The answer to a stack that cannot be had: a few lines of why, and ways out that were tried. Data; text is derived."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from builder.errors import ResolutionError

MOST_LINES = 5
"""Lines of an answer, the first included."""
LINE_WIDTH = 160
"""Characters of a line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """What a person changes: in a file, these lines in place of that one; or a command to run."""

    write: tuple[str, ...]
    """Lines to write; of a command, the command."""
    file: str = ""
    """As `stacks/finance/stack.toml`; empty for a command."""
    instead_of: str = ""
    """The line that it replaces; empty where it is added."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fix:
    """A way out that a resolution proved."""

    kind: str
    """`spelling`, `version`, `divergence`, `airflow`, `base`, `exception`, `split` or `virtualenv`."""
    text: str
    """One sentence: what to do and what it brings."""
    edits: tuple[Edit, ...]


class ConflictError(ResolutionError):
    """What a stack asks for cannot be had together, in the words of stacks.

    Args:
        label: the stack's file, as `stacks/finance/stack.toml`.
        target: where it fails, as `linux/amd64, Python 3.13.5`.
        lines: why, at most four.
        fixes: ways out, the least first; each was tried.
        parts: every demand that stands in the knot, for --debug.
        derivation: the resolver's own words, for --debug.
        otherwise: what to do where there is no way out that resolves.
        untried: why not every way out could be tried.
    """

    def __init__(
        self,
        *,
        label: str,
        target: str,
        lines: Sequence[str],
        fixes: Sequence[Fix] = (),
        parts: Sequence[str] = (),
        derivation: str = "",
        otherwise: str = "",
        untried: str = "",
    ) -> None:
        self.target = target
        self.lines = tuple(lines)
        self.fixes = tuple(fixes)
        self.parts = tuple(parts)
        head = f"nothing satisfies all of this on {target}:"
        super().__init__(
            "\n  ".join((head, *self.lines)), context=label, hint=_render_fixes(self.fixes, otherwise, untried)
        )
        # Notes are a part of the trace alone, which --debug shows.
        if self.parts:
            self.add_note("All demands that cannot hold together:\n" + "\n".join(f"  {part}" for part in self.parts))
        if derivation:
            self.add_note(f"The resolver's own words:\n{derivation}")


def conflict_to_dict(error: ConflictError) -> dict[str, Any]:
    """Make the JSON form."""
    return {
        "error": "conflict",
        "stack": error.context,
        "target": error.target,
        "lines": list(error.lines),
        "fixes": [
            {
                "kind": fix.kind,
                "text": fix.text,
                "edits": [
                    {"file": edit.file or None, "instead_of": edit.instead_of or None, "write": list(edit.write)}
                    for edit in fix.edits
                ],
            }
            for fix in error.fixes
        ],
        "demands": list(error.parts),
    }


def _render_fixes(fixes: Sequence[Fix], otherwise: str, untried: str) -> str:
    more = [f"not every way out could be tried: {untried}"] if untried else []
    if not fixes:
        none = otherwise or "no way out was found that resolves; --debug shows the resolver's own words"
        return "\n  ".join([none, *more])
    lines = ["what resolves, each tried:" if len(fixes) > 1 else "this resolves, it was tried:"]
    for number, fix in enumerate(fixes, 1):
        lines.append(f"{number}. {fix.text}")
        for edit in fix.edits:
            lines += [f"     {line}" for line in _render_edit(edit)]
    return "\n  ".join([*lines, *more])


def _render_edit(edit: Edit) -> list[str]:
    if not edit.file:
        return [f"$ {line}" for line in edit.write]
    if edit.instead_of and len(edit.write) == 1:
        return [f"{edit.file}: {edit.instead_of} -> {edit.write[0]}"]
    if edit.instead_of:
        head = f"{edit.file}: {'in place of' if edit.write else 'take out'} {edit.instead_of}"
        return [f"{head}{':' if edit.write else ''}", *(f"  {line}" for line in edit.write)]
    return [f"{edit.file}:", *(f"  {line}" for line in edit.write)]
