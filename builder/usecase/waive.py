"""Waive: a statement for a finding that is on record, written as a file of the stack. Nothing is asked, nothing overwritten."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from builder.errors import InvalidInputError
from builder.finding.document import Findings
from builder.finding.model import Finding
from builder.finding.vex import Waiver, check_product, check_waiver, dump_vex, products_of
from builder.project import Project, create_files


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is to be waived, and why."""

    stack: str
    id: str
    status: str
    justification: str
    statement: str
    reason: str
    owner: str
    expires: dt.date
    products: tuple[str, ...] = ()
    """Package URLs; those that the last scan on record has it in where empty."""
    for_all: bool = False
    """For all stacks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A waiver in its file."""

    waiver: Waiver
    path: Path
    elsewhere: tuple[str, ...]
    """Parents in whose layers it lies: a waiver of theirs would hold for all their children."""


def write_waiver(project: Project, wish: Wish, last: Findings | None, now: int) -> Written:
    """Write a waiver.

    Args:
        project: whose files it becomes a part of.
        wish: what it says.
        last: the findings of the last scan of the stack on record; None where there is none.
        now: seconds since the epoch.

    Raises:
        InvalidInputError: it says too little, has expired already, or the scan has no such finding.
        IssuesError: there is a file for it already.
    """
    project.load_stack(wish.stack)
    moment = dt.datetime.fromtimestamp(now, tz=dt.UTC)
    if wish.expires < moment.date():
        raise InvalidInputError("has passed", context=f"--expires {wish.expires}", hint="name a day that is to come")
    found = [one for one in last.findings if wish.id in one.names] if last else []
    products = tuple(check_product(text, context="--package") for text in wish.products) or _products(wish, last, found)
    folder = "stacks/vex" if wish.for_all else f"stacks/{wish.stack}/vex"
    name = f"{folder}/{re.sub(r'[^a-z0-9]+', '-', wish.id.lower()).strip('-')}.openvex.json"
    waiver = Waiver(
        file=name,
        number=0,
        stack="" if wish.for_all else wish.stack,
        id=wish.id,
        aliases=tuple(sorted({alias for one in found for alias in one.names} - {wish.id})),
        products=products,
        status=wish.status,
        justification=wish.justification,
        statement=wish.statement,
        reason=wish.reason,
        owner=wish.owner,
        expires=wish.expires,
        issued=moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
    )
    check_waiver(waiver, context="")
    create_files(project.root, {name: dump_vex((waiver,), author=wish.owner)})
    others = {one.belongs.stack for one in found} - {wish.stack, ""}
    return Written(waiver=waiver, path=project.root / name, elsewhere=() if wish.for_all else tuple(sorted(others)))


def _products(wish: Wish, last: Findings | None, found: Sequence[Finding]) -> tuple[str, ...]:
    if found:
        return products_of(one.subject.purl for one in found)
    known = sorted({one.id for one in last.findings}) if last else []
    what = f"the last scan on record has no {wish.id[:80]}" if last else "no scan of the stack is on record"
    hint = f"it has {', '.join(known[:5])}" if known else f"airflow-kubler scan {wish.stack} --record"
    raise InvalidInputError(what, context=wish.stack, hint=f"{hint}; or name what it is in by --package")
