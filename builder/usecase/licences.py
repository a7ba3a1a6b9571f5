"""Licences: what is in an image held against stacks/licences.toml, told, and put on record for channels."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from typing import Any, Final

from builder.canonical import dump_json
from builder.digest import Digest
from builder.errors import StackError
from builder.ledger.events import LicencesJudged
from builder.licence.judge import Judged, Judgement, Package, judge_packages
from builder.licence.model import Licence
from builder.licence.reader import FILE, parse_licence_rules
from builder.licence.rules import LicenceRules, Sort
from builder.platform import Platform
from builder.project import Project
from builder.sbom.inventory import make_inventory
from builder.sbom.model import Inventory, Item, Kind
from builder.usecase.locked_image import LockedImageOf
from builder.usecase.sbom import FactTools

_DAY_S: Final = 86_400
REPORT_FORMAT: Final = 1


def load_licence_rules(project: Project) -> LicenceRules:
    """Read the rules of licences of a project.

    Raises:
        StackError: there are none.
        IssuesError: with everything that is wrong in the file.
    """
    path = project.licences_path
    if not path.is_file():
        raise StackError(
            "is not there", context=FILE, hint="docs/licences.md shows one; `airflow-kubler init` writes it"
        )
    return parse_licence_rules(path.read_bytes(), file=FILE)


def judge_licences(
    image: LockedImageOf, platforms: Iterable[Platform], rules: LicenceRules, tools: FactTools, *, today: dt.date
) -> Judgement:
    """Judge all packages of some platforms of an image, each once.

    Raises:
        MissingBlobError: the store lacks files.
    """
    locks = image.locks
    found: dict[Package, None] = {}
    for platform in platforms:
        facts = tools.facts(image, platform)
        inventory = make_inventory(locks.stack, locks.base, lock=locks.stack_digest, platform=platform, facts=facts)
        found |= dict.fromkeys(packages_of(inventory))
    return judge_packages(found, rules, today=today)


def packages_of(inventory: Inventory) -> Iterator[Package]:
    """List what licences are asked of: what stands inside a distribution where its licence is known, the rest in any case."""
    names = {item.ref: item.name for item in inventory.items}
    for item in inventory.items:
        if item.kind is Kind.DEB:
            yield _package(item, Sort.DEB, "")
        elif item.kind is Kind.DISTRIBUTION:
            yield _package(item, Sort.DISTRIBUTION, "")
        elif item.kind in {Kind.CARRIED, Kind.FOREIGN} and item.licence.is_known:
            yield _package(item, Sort.DISTRIBUTION, names.get(item.inside, ""))


def judgement_to_dict(judgement: Judgement) -> dict[str, Any]:
    """Write a judgement as JSON values."""
    return {
        "format": REPORT_FORMAT,
        "allowed": judgement.is_good,
        "rules": str(judgement.rules),
        "until": judgement.until.isoformat() if judgement.until else None,
        "counts": dict(judgement.counts),
        "packages": [_row_to_dict(row) for row in judgement.rows],
        "unused": [{"subject": str(one.subject), "licence": one.licence} for one in judgement.unused],
    }


def licences_event(judgement: Judgement, digest: str) -> tuple[LicencesJudged, bytes]:
    """Make what goes on record of a judgement on an image, and its report."""
    report = dump_json(judgement_to_dict(judgement))
    until = judgement.until
    event = LicencesJudged(
        digest=digest,
        allowed=judgement.is_good,
        rules=str(judgement.rules),
        # The last day of the first exception that ends is over when the next one begins.
        until=_epoch(until) + _DAY_S if until else 0,
        counts=dict(judgement.counts),
        report=str(Digest.of(report)),
    )
    return event, report


def _epoch(day: dt.date) -> int:
    return int(dt.datetime.combine(day, dt.time(), dt.UTC).timestamp())


def _package(item: Item, sort: Sort, inside: str) -> Package:
    return Package(
        sort=sort, name=item.name, version=item.version, licence=item.licence, source=item.source[0], inside=inside
    )


def _row_to_dict(row: Judged) -> dict[str, Any]:
    package, licence = row.package, row.package.licence
    return {
        "sort": str(package.sort),
        "name": package.name,
        "version": package.version,
        "inside": package.inside or None,
        "licence": row.expression,
        "from": _origin(row, licence),
        "verdict": row.verdict.word,
        "outcome": str(row.outcome),
        "says": licence.said or None,
        "statements": str(licence.said_digest) if licence.said_digest and not licence.is_known else None,
        "exception": _exception(row),
    }


def _origin(row: Judged, licence: Licence) -> str | None:
    return f"{FILE}: concluded" if row.conclusion else licence.source or None


def _exception(row: Judged) -> dict[str, str] | None:
    found = row.exemption
    if found is None:
        return None
    return {"reason": found.reason, "owner": found.owner, "expires": found.expires.isoformat()}
