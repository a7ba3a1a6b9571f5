"""What is recorded of a look fits into an entry, however large the cluster is."""

from __future__ import annotations

from pathlib import Path

from builder.drift.model import Finding, GroupedFinding, Look, Place, Report, Severity, Sighting
from builder.drift.record import is_same_sight, make_events
from builder.ledger.database import SqliteLedger
from builder.ledger.events import Seen
from builder.ledger.model import NewEntry
from tests.support.ledgers import ALICE, Ticking, digest_of, make_ledger

LONG = "\N{SNOWMAN}" * 5000


def report(findings: int, images: int, workloads: int) -> Report:
    rows = tuple(
        GroupedFinding(
            finding=Finding(
                kind="unknown image",
                severity=Severity(number % 4),
                place=Place(namespace="airflow", workload=f"deployment/{number}{LONG}", container=LONG),
                what=LONG,
                mend=LONG,
            ),
            pods=("a", "b"),
        )
        for number in range(findings)
    )
    sightings = tuple(
        Sighting(
            digest=digest_of(str(number)),
            pods=number % 2,
            finished=1,
            workloads=tuple(f"{name}{LONG}" for name in range(workloads)),
        )
        for number in range(images)
    )
    look = Look(
        stack="core",
        channel="prod",
        namespaces=("airflow",),
        selector="",
        expected=None,
        pods=1,
        sightings=sightings,
        findings=rows,
    )
    return Report(cluster="production", namespaces=(), looks=(look,), passed_over=0)


def test_the_largest_look_fits_and_keeps_its_digests(tmp_path: Path) -> None:
    (small,), (large,) = make_events(report(3, 2, 2)), make_events(report(900, 300, 300))
    assert (len(small.findings), small.more_findings, len(small.images[0].workloads)) == (3, 0, 2)
    assert len(large.images) == 300
    assert len(large.findings) + large.more_findings == 900
    assert all(finding.severity == "high" for finding in large.findings)
    path = tmp_path / "ledger.db"
    make_ledger(path, [NewEntry(event=large)])
    with SqliteLedger(path, Ticking(), write=True) as ledger:
        (crowd,) = make_events(report(0, 6000, 1))
        ledger.append([NewEntry(event=crowd)], ALICE)
    assert len(crowd.images) == 4000
    assert sum(image.pods for image in crowd.images) == 3000, "those that run are kept first"


def test_looks_that_differ_in_counts_alone_are_the_same() -> None:
    (first,) = make_events(report(2, 3, 1))
    changed = {name: getattr(first, name) for name in first.__struct_fields__}
    more = [type(image)(digest=image.digest, pods=image.pods * 7, workloads=image.workloads) for image in first.images]
    assert is_same_sight(first, Seen(**{**changed, "images": tuple(more)}))
    assert not is_same_sight(first, Seen(**{**changed, "images": first.images[1:]}))
    assert not is_same_sight(first, Seen(**{**changed, "findings": first.findings[1:]}))
    assert not is_same_sight(first, Seen(**{**changed, "cluster": "other"}))
