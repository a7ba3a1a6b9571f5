"""What `drift` shows: findings by severity, as text and as JSON. Names and texts come from a cluster: each stays on its line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from builder.drift.distributions import Difference
from builder.drift.images import short
from builder.drift.model import Finding, GroupedFinding, Look, Report, Severity
from builder.drift.record import where_of

_SHOWN_PODS = 3


def report_text(report: Report) -> str:
    """Render a report for people."""
    lines: list[str] = []
    for look in report.looks:
        lines += [_headline(look), *(line for group in look.findings for line in _iter_lines(group)), ""]
    lines += [f"note: {_line(text)}" for text in report.notes]
    if report.passed_over:
        lines.append(f"{report.passed_over} pods of no target run nothing of ours")
    counts = Counter(group.finding.severity for look in report.looks for group in look.findings)
    said = ", ".join(f"{counts[severity]} {severity.word}" for severity in reversed(Severity) if counts[severity])
    lines.append(f"{_line(report.cluster)}: {said or 'no drift'}")
    return "\n".join(lines)


def _headline(look: Look) -> str:
    where = _line(", ".join(look.namespaces)) or "all namespaces"
    if not look.channel:
        return f"pods of no target in {where}: {look.pods} run images of {look.stack}"
    stands = short(look.expected.digest) if look.expected else "nothing"
    return f"{look.stack} {look.channel} in {where}: {look.pods} pods, should run {stands}"


def _iter_lines(group: GroupedFinding) -> Iterator[str]:
    finding = group.finding
    yield f"  {finding.severity.word:<6}  {finding.kind}: {_line(where_of(finding)) or '-'}{_pods(group.pods)}"
    yield f"          {_line(finding.what)}"
    if finding.mend:
        yield f"          $ {_line(finding.mend)}"


def _pods(pods: Sequence[str]) -> str:
    if not pods:
        return ""
    more = f" and {len(pods) - _SHOWN_PODS} more" if len(pods) > _SHOWN_PODS else ""
    return f"  ({_line(', '.join(pods[:_SHOWN_PODS]))}{more})"


def _line(text: str) -> str:
    """Keep a text of others on one line, without what a terminal would obey."""
    return text if text.isprintable() else "".join(letter if letter.isprintable() else "?" for letter in text)


def report_json(report: Report) -> dict[str, Any]:
    """Make the JSON of a report."""
    worst = report.worst()
    return {
        "cluster": report.cluster,
        "namespaces": list(report.namespaces),
        "worst": worst.word if worst is not None else None,
        "channels": [_look_json(look) for look in report.looks],
        "passed_over": report.passed_over,
        "notes": list(report.notes),
    }


def _look_json(look: Look) -> dict[str, Any]:
    return {
        "stack": look.stack,
        "channel": look.channel or None,
        "namespaces": list(look.namespaces),
        "selector": look.selector or None,
        "digest": look.expected.digest if look.expected else None,
        "pods": look.pods,
        "images": [
            {"digest": one.digest, "pods": one.pods, "finished": one.finished, "workloads": list(one.workloads)}
            for one in look.sightings
        ],
        "findings": [_finding_json(group.finding, group.pods) for group in look.findings],
    }


def _finding_json(finding: Finding, pods: Sequence[str]) -> dict[str, Any]:
    place = finding.place
    return {
        "kind": finding.kind,
        "severity": finding.severity.word,
        "namespace": place.namespace or None,
        "workload": place.workload or None,
        "container": place.container or None,
        "pods": list(pods),
        "what": finding.what,
        "mend": finding.mend or None,
    }


def differences_text(differences: Sequence[Difference], count: int, digest: str) -> str:
    """Render what is installed otherwise than a lock says."""
    lines = [f"{one.severity.word:<6}  {one.kind}: {_line(one.what)}" for one in differences]
    said = f"{len(differences)} differences" if differences else "as its lock says"
    return "\n".join([*lines, f"{count} distributions, {short(digest)}: {said}"])


def differences_json(differences: Sequence[Difference], count: int, digest: str) -> dict[str, Any]:
    """Make the JSON of what is installed otherwise than a lock says."""
    rows = [
        {"kind": one.kind, "severity": one.severity.word, "project": one.project or None, "what": one.what}
        for one in differences
    ]
    return {"digest": digest, "distributions": count, "findings": rows}
