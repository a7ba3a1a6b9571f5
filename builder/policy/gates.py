"""Read gates of stacks/channels.toml: `scan = [{ severity = "high", fix = "known", grace = "14d" }, { exploited = true }]`."""

from __future__ import annotations

from typing import Final

from builder.finding.gate import FIXES, Clause
from builder.finding.model import Severity
from builder.policy.spans import read_span
from builder.stack.table import Table, one_of

_SEVERITIES: Final = ("low", "medium", "high", "critical")
_HINT: Final = 'as { severity = "high", fix = "known", grace = "14d" }; { severity = "low" } stops everything'


def read_gate(row: Table, key: str) -> tuple[Clause, ...]:
    """Read a gate: one clause, or several; empty, with issues noted, where it says nothing that can be read."""
    tables = row.tables(key) if isinstance(row.given(key), list) else (row.table(key),)
    clauses = tuple(_read_clause(table) for table in tables)
    if not tables:
        row.wrong(key, "is empty", hint=f"{_HINT}; false for no rule")
    return tuple(clause for clause in clauses if clause is not None)


def _read_clause(table: Table) -> Clause | None:
    hint = f"one of: {', '.join(_SEVERITIES)}"
    severity = one_of(table, "severity", table.text("severity", hint=hint), _SEVERITIES)
    fix = one_of(table, "fix", table.text("fix", hint=f"one of: {', '.join(FIXES)}"), FIXES)
    grace = read_span(table, "grace")
    exploited = table.truth("exploited")
    empty = not table.keys()
    table.close()
    if exploited is False:
        table.wrong("exploited", "says nothing", hint="write true, or take it out")
        return None
    if empty:
        table.wrong("severity", "nothing is stated", hint=_HINT)
        return None
    return Clause(
        severity=Severity(severity) if severity else None,
        fix=fix or "",
        grace_s=grace or 0,
        exploited=bool(exploited),
    )
