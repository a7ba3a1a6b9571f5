"""What is recorded of a look at a cluster: one event for each target, cut to what an entry can hold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from builder.drift.model import Finding, GroupedFinding, Look, Report, Sighting
from builder.ledger import events, parts

_MOST_BYTES: Final = 800_000
"""Of an event: an entry may have a megabyte."""
_CUTS: Final = ((400, 100), (100, 20), (20, 4), (0, 0))
"""Most findings, and most workloads of an image, until it fits."""
_MOST_IMAGES: Final = 4000
_LONGEST: Final = 400


def make_events(report: Report) -> tuple[events.Seen, ...]:
    """Make what is to be recorded of a report, in the order of its looks."""
    return tuple(_seen(report, look) for look in report.looks)


def is_same_sight(before: events.Seen, now: events.Seen) -> bool:
    """Tell whether two looks saw the same: the same images in the same workloads, and the same findings, in however many pods."""
    return _gist(before) == _gist(now)


def _gist(seen: events.Seen) -> tuple[object, ...]:
    # What a finding says may hold times, and a place the name of a pod that lives for a minute.
    images = sorted((image.digest, image.workloads, image.pods > 0) for image in seen.images)
    findings = sorted({(one.kind, one.severity, one.where) for one in seen.findings})
    return (seen.cluster, seen.namespaces, seen.selector, seen.stack, seen.channel, images, findings)


def _seen(report: Report, look: Look) -> events.Seen:
    cut = (_cut(report, look, findings, workloads) for findings, workloads in _CUTS)
    return next(seen for seen in cut if len(msgspec.json.encode(seen)) < _MOST_BYTES)


def _cut(report: Report, look: Look, most_findings: int, most_workloads: int) -> events.Seen:
    findings = sorted(look.findings, key=lambda group: -group.finding.severity)
    return events.Seen(
        cluster=report.cluster[:_LONGEST],
        namespaces=look.namespaces[:_LONGEST],
        images=tuple(_images(look.sightings, most_workloads)),
        findings=tuple(_finding(group) for group in findings[:most_findings]),
        stack=look.stack,
        channel=look.channel,
        selector=look.selector[:_LONGEST],
        more_findings=max(0, len(findings) - most_findings),
    )


def _images(sightings: Iterable[Sighting], most_workloads: int) -> Iterator[parts.SeenImage]:
    # Those that run come first: where there are too many, finished ones are left out.
    rows = sorted(sightings, key=lambda one: (one.pods == 0, one.digest))[:_MOST_IMAGES]
    for one in sorted(rows, key=lambda one: one.digest):
        workloads = tuple(name[:_LONGEST] for name in one.workloads[:most_workloads])
        yield parts.SeenImage(digest=one.digest, pods=one.pods, workloads=workloads, finished=one.finished)


def _finding(group: GroupedFinding) -> parts.Finding:
    finding = group.finding
    return parts.Finding(
        kind=finding.kind,
        severity=finding.severity.word,
        where=where_of(finding)[:_LONGEST],
        what=finding.what[:_LONGEST],
        mend=finding.mend[:_LONGEST],
        pods=len(group.pods),
    )


def where_of(finding: Finding) -> str:
    """Write a finding's place without its pod, as `airflow/deployment/scheduler/scheduler`."""
    place = finding.place
    return "/".join(part for part in (place.namespace, place.workload, place.container) if part)
