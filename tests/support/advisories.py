"""Made-up knowledge of what is weak: as a database of Trivy's, and as it is, for the scanner that tests have of their own."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.support.bolt import Bucket, dump_bolt

PIP: Final = "pip::GitHub Security Advisory pip"
DEBIAN: Final = "debian 13"
UPDATED: Final = 1_795_000_000
"""2026-11-18."""
_SEVERITIES: Final = {"LOW": 1, "MEDIUM": 2, "HIGH": 3, "CRITICAL": 4}


@dataclass(frozen=True, slots=True, kw_only=True)
class Advisory:
    """Something that is known to be weak."""

    id: str
    name: str
    """Of a source package, or a project."""
    fixed: tuple[str, ...] = ()
    below: str = ""
    """Versions of a project that are weak, as `<=2.19.1`."""
    severity: str = "HIGH"
    title: str = "made up"


@dataclass(frozen=True, slots=True, kw_only=True)
class Advisories:
    """What a database knows."""

    debian: tuple[Advisory, ...] = ()
    pip: tuple[Advisory, ...] = ()


CANARY = Advisories(
    debian=(Advisory(id="CVE-2099-0001", name="openssl", fixed=("3.5.9-1",), severity="CRITICAL"),),
    pip=(Advisory(id="CVE-2018-18074", name="requests", fixed=("2.20.0",), below="<=2.19.1"),),
)
"""Just enough for the canaries."""
NOTHING = Advisories()


def write_database(folder: Path, known: Advisories, *, updated: int = UPDATED, schema: int = 2) -> Path:
    """Write `trivy.db` and `metadata.json`, as Trivy's cache has them."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "trivy.db").write_bytes(dump_bolt(_buckets(known)))
    moment = _time(updated)
    metadata = {"Version": schema, "NextUpdate": "2099-01-01T00:00:00Z", "UpdatedAt": moment, "DownloadedAt": moment}
    (folder / "metadata.json").write_text(json.dumps(metadata))
    return folder


def _buckets(known: Advisories) -> Bucket:
    sources = {
        PIP: _json({"ID": "ghsa", "Name": "GitHub Security Advisory pip", "URL": "https://example.invalid"}),
        DEBIAN: _json({"ID": "debian", "Name": "Debian Security Tracker", "URL": "https://example.invalid"}),
    }
    return {
        PIP: _by_name(known.pip, _of_pip),
        DEBIAN: _by_name(known.debian, _of_debian),
        "data-source": sources,
        "vulnerability": {one.id: _json(_details(one)) for one in (*known.debian, *known.pip)},
    }


def _by_name(known: Sequence[Advisory], write: Any) -> Bucket:
    names = sorted({one.name for one in known})
    return {name: {one.id: _json(write(one)) for one in known if one.name == name} for name in names}


def _of_pip(one: Advisory) -> Mapping[str, Any]:
    return {"VulnerableVersions": [one.below], "PatchedVersions": list(one.fixed)}


def _of_debian(one: Advisory) -> Mapping[str, Any]:
    # Status 3 is `fixed`, 2 `affected`.
    return {"FixedVersion": one.fixed[0], "Status": 3} if one.fixed else {"Status": 2}


def _details(one: Advisory) -> Mapping[str, Any]:
    return {"Title": one.title, "Severity": one.severity, "VendorSeverity": {"nvd": _SEVERITIES[one.severity]}}


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def _time(epoch: int) -> str:
    import datetime as dt

    return dt.datetime.fromtimestamp(epoch, tz=dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
