"""Which waivers hold for which findings: by name of the weakness, by package, by day, and by stack.

What is waived and could be mended is told, and so are waivers that hold for nothing: both are to be taken out.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from packageurl import PackageURL

from builder.finding.model import Finding, FixState
from builder.finding.vex import Waiver


@dataclass(frozen=True, slots=True, kw_only=True)
class Waived:
    """What waivers make of findings."""

    waived: tuple[tuple[Finding, Waiver], ...]
    """Each with the waiver that holds longest."""
    expired: tuple[tuple[Finding, Waiver], ...]
    """Findings that nothing but a waiver whose last day is over would have waived."""
    left: tuple[Finding, ...]
    """All that is not waived, the expired ones among them."""
    mendable: tuple[tuple[Finding, Waiver], ...]
    """Waived, and a fix can be had by now."""
    idle: tuple[Waiver, ...]
    """Those that match no finding."""


def apply_waivers(findings: Sequence[Finding], waivers: Sequence[Waiver], today: dt.date) -> Waived:
    """Part findings into what is waived and what is not.

    Args:
        findings: of an image.
        waivers: for its stack.
        today: in UTC; on its last day a waiver holds, the day after it does not.
    """
    by_name: dict[str, list[Waiver]] = {}
    for waiver in waivers:
        for name in (waiver.id, *waiver.aliases):
            by_name.setdefault(name, []).append(waiver)
    waived, expired, left = [], [], []
    used: set[Waiver] = set()
    for finding in findings:
        named = {waiver for name in sorted(finding.names) for waiver in by_name.get(name, ())}
        matching = [waiver for waiver in sorted(named) if is_about(waiver, finding)]
        used.update(matching)
        # Of several the one that holds longest: another one that is over takes nothing away.
        last = max(matching, key=lambda waiver: (waiver.expires, waiver.place), default=None)
        if last is not None and last.expires >= today:
            waived.append((finding, last))
            continue
        left.append(finding)
        if last is not None:
            expired.append((finding, last))
    return Waived(
        waived=tuple(waived),
        expired=tuple(expired),
        left=tuple(left),
        mendable=tuple((finding, waiver) for finding, waiver in waived if finding.fix.state is FixState.REACHABLE),
        idle=tuple(waiver for waiver in waivers if waiver not in used),
    )


def is_about(waiver: Waiver, finding: Finding) -> bool:
    """Tell whether a waiver names what a finding is in: type, names, and the version where it states one."""
    try:
        subject = PackageURL.from_string(finding.subject.purl)
    except ValueError:
        return False
    return any(_covers(PackageURL.from_string(product), subject) for product in waiver.products)


def _covers(product: PackageURL, subject: PackageURL) -> bool:
    same = (product.type, product.namespace, product.name) == (subject.type, subject.namespace, subject.name)
    return same and product.version in {None, "", subject.version}
