"""Read stacks/licences.toml, strictly and whole: every issue at once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from builder.digest import Digest
from builder.errors import InvalidInputError
from builder.licence.expression import canonical_expression, is_licence_ref
from builder.licence.model import NOASSERTION
from builder.licence.rules import TABLES, Conclusion, Exemption, LicenceRules, Lists, Sort, Subject, Verdict
from builder.stack.table import Table, parse_table

FILE: Final = "stacks/licences.toml"
_LISTS: Final = {"allow": Verdict.ALLOWED, "review": Verdict.REVIEW, "deny": Verdict.DENIED}
_SUBJECTS: Final = ("project", "deb", "source")
_BEGINNING: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]*\*\Z")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+_-]*(?:(?<=[A-Za-z0-9.+_-]{2})\*)?\Z")
_SEPARATORS: Final = re.compile(r"[-_.]+")


def parse_licence_rules(data: bytes, *, file: str = FILE) -> LicenceRules:
    """Read the file.

    Raises:
        IssuesError: with everything that is wrong.
        StackError: it is not TOML at all.
    """
    top = parse_table(data, file=file)
    common = _read_lists(top)
    by_sort: dict[Sort, Lists] = {}
    for name, sort in TABLES.items():
        table = top.table(name)
        lists = _read_lists(table)
        table.close()
        if lists.verdicts:
            by_sort[sort] = lists
    conclusions = tuple(read for row in top.tables("concluded") if (read := _read_conclusion(row)) is not None)
    exemptions = tuple(found for row in top.tables("exceptions") if (found := _read_exemption(row)) is not None)
    top.close()
    _check_repeats(top, "concluded", [f"{one.subject} {one.statements}" for one in conclusions])
    _check_repeats(top, "exceptions", [f"{one.subject} {one.licence}" for one in exemptions])
    top.issues.raise_any()
    return LicenceRules(common=common, by_sort=by_sort, conclusions=conclusions, exemptions=exemptions)


def _read_lists(table: Table) -> Lists:
    found: dict[str, Verdict] = {}
    for key, verdict in _LISTS.items():
        for position, text in enumerate(table.texts(key) or ()):
            licence = _read_licence(text)
            where = f"{key}[{position}]"
            if not licence:
                hint = "write one SPDX identifier, as MIT, one with its exception, or a beginning, as BSD-*"
                table.wrong(where, f"{text[:80]!r} is no licence of SPDX's list", hint=hint)
            elif licence in found:
                table.wrong(where, f"{licence!r} stands in {found[licence].word} already", hint="keep one")
            else:
                found[licence] = verdict
    return Lists(verdicts=found)


def _read_licence(text: str) -> str:
    """Read one entry of a list; empty where it is none."""
    if _BEGINNING.match(text) or is_licence_ref(text):
        return text
    found = canonical_expression(text)
    return "" if " AND " in found or " OR " in found else found


def _read_conclusion(row: Table) -> Conclusion | None:
    subject = _read_subject(row)
    statements = row.text("statements", required=True, hint="`airflow-kubler licences` shows it, as sha256:...")
    licence = _read_expression(row)
    reason, owner = row.text("reason", required=True), row.text("owner", required=True)
    row.close()
    digest = None
    if statements is not None:
        try:
            digest = Digest.parse(statements)
        except InvalidInputError as error:
            row.wrong("statements", error.message, hint=error.hint)
    if subject is None or digest is None or not licence or reason is None or owner is None:
        return None
    return Conclusion(subject=subject, statements=digest, licence=licence, reason=reason, owner=owner)


def _read_exemption(row: Table) -> Exemption | None:
    subject = _read_subject(row)
    licence = _read_expression(row, unknown=True)
    reason, owner = row.text("reason", required=True), row.text("owner", required=True)
    expires = row.date("expires", required=True, hint="the last day that it holds, as 2027-03-31")
    row.close()
    if subject is None or not licence or reason is None or owner is None or expires is None:
        return None
    return Exemption(subject=subject, licence=licence, reason=reason, owner=owner, expires=expires)


def _read_subject(row: Table) -> Subject | None:
    stated = [key for key in _SUBJECTS if row.has(key)]
    names = {key: row.text(key) for key in _SUBJECTS}
    if len(stated) != 1:
        hint = (
            'project = "..." for a distribution, deb = "..." for a Debian package, source = "..." for all of one source'
        )
        row.wrong("project", f"{len(stated)} of {', '.join(_SUBJECTS)} are stated", hint=hint)
        return None
    name = names[stated[0]]
    if name is None:
        return None
    if not _NAME.match(name):
        hint = "write it out; a * at its end stands for the rest, after two letters at least"
        row.wrong(stated[0], f"{name[:80]!r} names no package", hint=hint)
        return None
    return Subject(key=stated[0], name=_SEPARATORS.sub("-", name).lower() if stated[0] == "project" else name)


def _read_expression(row: Table, *, unknown: bool = False) -> str:
    text = row.text("licence", required=True)
    if text is None:
        return ""
    if unknown and text == NOASSERTION:
        return text
    found = canonical_expression(text)
    if not found:
        other = f", or {NOASSERTION}" if unknown else ""
        row.wrong("licence", f"{text[:80]!r} is no expression of SPDX", hint=f"as MIT, or Apache-2.0 OR MIT{other}")
    return found


def _check_repeats(top: Table, key: str, rows: list[str]) -> None:
    for position, text in _iter_repeats(rows):
        top.wrong(f"{key}[{position}]", f"repeats {text[:120]}", hint="join both")


def _iter_repeats(rows: list[str]) -> Iterator[tuple[int, str]]:
    seen: set[str] = set()
    for position, text in enumerate(rows):
        if text in seen:
            yield position, text
        seen.add(text)
