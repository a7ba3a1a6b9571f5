"""Made-up findings and waivers."""

from __future__ import annotations

import datetime as dt
from typing import Any

from builder.finding.document import DatabaseFacts, Findings, ScannedPart, ScannerFacts
from builder.finding.model import Belonging, Finding, Fix, Kind, Part, Severity, Subject
from builder.finding.vex import Waiver
from builder.ledger.events import Scanned
from tests.support.ledgers import digest_of

NOW = 1_795_003_600
"""2026-11-18."""
TODAY = dt.datetime.fromtimestamp(NOW, tz=dt.UTC).date()
DAY = dt.timedelta(days=1)


def finding(
    id_: str = "CVE-2026-1",
    name: str = "requests",
    *,
    version: str = "2.19.0",
    kind: Kind = Kind.DISTRIBUTION,
    **more: Any,
) -> Finding:
    """Make one; what is not said is that it is high and known to be mended."""
    purl = f"pkg:deb/debian/{name}@{version}" if kind is Kind.DEB else f"pkg:pypi/{name}@{version}"
    path = more.pop("path", "")
    values: dict[str, Any] = {
        "severity": Severity.HIGH,
        "belongs": Belonging(part=Part.OWN, layer="tiny", stack="tiny", owners=("team:tiny",)),
        "platforms": ("linux/amd64",),
        "fixed_in": ("2.20.0",),
        "first_seen": NOW,
    }
    subject = Subject(kind=kind, name=name, version=version, purl=purl, path=path)
    return Finding(id=id_, subject=subject, **(values | more))


def fixed(version: str = "2.20.0", state: Any = None) -> Fix:
    """Make a fix that is reachable."""
    from builder.finding.model import FixState

    return Fix(state=state or FixState.REACHABLE, version=version, how="airflow-kubler lock tiny -P requests")


def waiver(id_: str = "CVE-2026-1", product: str = "pkg:pypi/requests@2.19.0", **more: Any) -> Waiver:
    """Make one that holds for a week."""
    values: dict[str, Any] = {
        "file": "stacks/tiny/vex/a.openvex.json",
        "number": 0,
        "stack": "tiny",
        "products": (product,),
        "status": "not_affected",
        "justification": "vulnerable_code_not_in_execute_path",
        "reason": "we call none of it",
        "owner": "team:tiny",
        "expires": TODAY + 7 * DAY,
        "issued": "2026-11-01T00:00:00Z",
    }
    return Waiver(id=id_, **(values | more))


def findings(*found: Finding, digest: str = "", pinned: bool = True, stack: str = "tiny") -> Findings:
    """Make the document of a scan."""
    return Findings(
        digest=digest or digest_of("image"),
        stack=stack,
        lock=digest_of("lock"),
        scanner=ScannerFacts(name="trivy", version="0.99.0", sha256="0" * 64, pinned=pinned, isolated=True),
        database=DatabaseFacts(sha256="1" * 64, updated=NOW - 3600),
        canary=digest_of("canary"),
        parts=(
            ScannedPart(
                platform="linux/amd64",
                manifest=digest_of("manifest"),
                report=digest_of("report"),
                debs=1,
                distributions=1,
                others=0,
            ),
        ),
        findings=found,
    )


def scan_event(digest: str, result: str = "findings", *, pinned: bool = True, findings: str = "") -> Scanned:
    """Make the event of a scan by this program."""
    return Scanned(digest=digest, result=result, scanner_sha256="0" * 64, pinned=pinned, findings=findings)
