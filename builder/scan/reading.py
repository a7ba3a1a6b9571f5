"""From a report to findings: only where all that vouches for it holds. Pure.

1. It is of this image, with the canary on top, and the operating system was recognised.
2. What is weak in the canary was found.
3. What it lists is what the locks name.
4. Then, and only then, its findings are taken, the canary's left out; those of several platforms are joined.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from packageurl import PackageURL
from packaging.utils import canonicalize_name

from builder.errors import ScanError
from builder.finding.model import Finding, Fix, FixState, Kind, Severity, Subject, order_of
from builder.scan.belonging import Landmarks, belonging_of
from builder.scan.canary import Canary, ScanImage, check_canary, check_seen
from builder.scan.expected import OS_CLASS, PYTHON_TYPE, Expected, check_lists, is_installed
from builder.scan.report import ListedWeakness, Report, Result, parse_report

_SEVERITIES: Final[Mapping[str, Severity]] = {severity.value: severity for severity in Severity}
_LONGEST: Final = 300
_Key = tuple[str, str, str, str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """One platform's report, believed."""

    findings: tuple[Finding, ...]
    debs: int
    distributions: int
    others: int


def read_report(data: bytes, seen: ScanImage, canary: Canary, expected: Expected, marks: Landmarks) -> Read:
    """Read a report; steps 1 to 4.

    Args:
        data: as the scanner wrote it.
        seen: what was scanned.
        canary: that lay on top.
        expected: what the locks name.
        marks: whose things are.

    Raises:
        ScanError: the report is not to be believed, and why.
    """
    report = parse_report(data)
    check_seen(report, seen)
    check_canary(report, canary)
    ours = frozenset((str(canary.diff_id),))
    check_lists(report, expected, ours=ours)
    platform = seen.image.platform.name
    findings = tuple(_iter_findings(report, expected, marks, platform, ours))
    return Read(
        findings=findings,
        debs=len(expected.debs),
        distributions=len(expected.distributions),
        others=_count_others(report, expected, ours),
    )


def join_findings(found: Iterable[Finding]) -> tuple[Finding, ...]:
    """Join what platforms have in common; the worst first."""
    joined: dict[_Key, Finding] = {}
    for finding in found:
        key = (*finding.key, finding.subject.version)
        known = joined.get(key)
        if known is None:
            joined[key] = finding
            continue
        platforms = tuple(sorted({*known.platforms, *finding.platforms}))
        worse = max((known, finding), key=lambda one: one.severity.rank)
        joined[key] = replace(worse, platforms=platforms)
    return tuple(sorted(joined.values(), key=order_of))


def _iter_findings(
    report: Report, expected: Expected, marks: Landmarks, platform: str, ours: frozenset[str]
) -> Iterator[Finding]:
    seen: set[_Key] = set()
    for result in report.results:
        versions = {package.name: package.full_version for package in result.packages}
        for weakness in result.vulnerabilities:
            if weakness.layer.diff_id in ours:
                continue
            finding = _finding(result, weakness, versions, expected, marks, platform)
            key = (*finding.key, finding.subject.version)
            if key not in seen:
                seen.add(key)
                yield finding


def _finding(
    result: Result,
    weakness: ListedWeakness,
    versions: Mapping[str, str],
    expected: Expected,
    marks: Landmarks,
    platform: str,
) -> Finding:
    kind = _kind(result, weakness, expected)
    name = weakness.pkg_name if kind is not Kind.DISTRIBUTION else canonicalize_name(weakness.pkg_name)
    version = weakness.installed_version
    if kind is Kind.DEB:
        version = versions.get(weakness.pkg_name, version)
    fixed = tuple(part.strip() for part in weakness.fixed_version.split(",") if part.strip())
    return Finding(
        id=_text(weakness.id),
        aliases=tuple(sorted({_text(one) for one in weakness.vendor_ids} - {weakness.id})),
        subject=Subject(
            kind=kind,
            name=_text(name),
            version=_text(version),
            purl=_purl(weakness),
            path=_text(weakness.pkg_path or result.target) if kind is Kind.OTHER else "",
        ),
        severity=_SEVERITIES.get(weakness.severity.lower(), Severity.UNKNOWN),
        status=_text(weakness.status),
        fixed_in=tuple(_text(one) for one in fixed),
        title=_text(weakness.title),
        url=_text(weakness.primary_url),
        belongs=belonging_of(kind, name, weakness.layer.diff_id, marks),
        platforms=(platform,),
        fix=Fix(state=FixState.NOT_LOOKED_FOR if fixed else FixState.NONE),
    )


def _kind(result: Result, weakness: ListedWeakness, expected: Expected) -> Kind:
    if result.class_ == OS_CLASS:
        return Kind.DEB
    if result.type == PYTHON_TYPE and is_installed(weakness.pkg_path, expected.site):
        return Kind.DISTRIBUTION
    return Kind.OTHER


def _purl(weakness: ListedWeakness) -> str:
    """Take the package URL without what differs from platform to platform."""
    try:
        found = PackageURL.from_string(weakness.pkg_identifier.purl)
    except ValueError as error:
        message = f"{weakness.id[:40]} in {weakness.pkg_name[:80]} has no package URL"
        raise ScanError(message, hint="take a newer release of Trivy") from error
    return PackageURL(type=found.type, namespace=found.namespace, name=found.name, version=found.version).to_string()


def _count_others(report: Report, expected: Expected, ours: frozenset[str]) -> int:
    return sum(
        1
        for result in report.results
        for package in result.packages
        if package.layer.diff_id not in ours
        and result.class_ != OS_CLASS
        and not (result.type == PYTHON_TYPE and is_installed(package.file_path, expected.site))
    )


def _text(text: str) -> str:
    """Make one line of what advisories say, of a length that is read."""
    line = " ".join(text.split())
    line = "".join(letter if letter.isprintable() else "?" for letter in line)
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 3]}..."
