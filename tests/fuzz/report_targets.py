"""What is fuzzed of reports: of scanners, licences, nights, and clients of a ledger's service."""

from __future__ import annotations

from pathlib import Path

import msgspec

from builder.canonical import dump_json
from builder.finding.document import DatabaseFacts, Findings, ScannerFacts, dump_findings
from builder.ledger.model import NewDocument, NewEntry
from builder.nightly.journal import Ended, dump_line
from builder.nightly.summary import summarise, summary_to_dict
from builder.service.wire import Append, Entries, send_entry
from builder.web.tokens import hash_token
from tests.fuzz.model import Target
from tests.support.ledgers import events_of_every_kind
from tests.support.made_up_nights import make_full_night

ROOT = Path(__file__).resolve().parents[2]
NIGHT = make_full_night().night()
LINES = [dump_line(NIGHT.begun), *map(dump_line, NIGHT.steps), dump_line(Ended(ended=9))]
APPEND = Append(
    entries=[
        send_entry(NewEntry(event=event, documents=[NewDocument(data=b"report")]), "key")
        for event in events_of_every_kind()
    ]
)
REPORT = dump_json({"SchemaVersion": 2, "ArtifactType": "container_image", "ArtifactName": "x", "Metadata": {"OS": {"Family": "debian", "Name": "13.1"}}, "Results": [{"Target": "debian", "Class": "os-pkgs", "Type": "debian", "Packages": [{"Name": "a", "Version": "1", "Release": "2", "Epoch": 1, "Layer": {"DiffID": "sha256:0"}, "Identifier": {"PURL": "pkg:deb/debian/a@1"}}], "Vulnerabilities": [{"VulnerabilityID": "CVE-2026-1", "PkgName": "a", "InstalledVersion": "1", "FixedVersion": "2", "Severity": "HIGH", "Status": "fixed"}]}]})  # fmt: skip
VEX = dump_json({"@context": "https://openvex.dev/ns/v0.2.0", "@id": "https://example.org/vex/1", "author": "team:a", "timestamp": "2026-11-01T00:00:00Z", "version": 1, "statements": [{"vulnerability": {"name": "CVE-2026-1"}, "products": [{"@id": "pkg:pypi/requests@2.19.0"}], "status": "not_affected", "justification": "vulnerable_code_not_in_execute_path", "status_notes": "x\n\nairflow-kubler.owner: team:a\nairflow-kubler.expires: 2026-11-25"}]})  # fmt: skip
FINDINGS = Findings(
    digest="sha256:0",
    stack="core",
    lock="sha256:1",
    scanner=ScannerFacts(name="trivy", version="1", sha256="0", pinned=True, isolated=True),
    database=DatabaseFacts(sha256="2", updated=1),
    canary="sha256:3",
    parts=(),
    findings=(),
)
COPYRIGHT = b"""\
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/

Files: *
Copyright: 2020 A
License: GPL-2+ or (MIT and BSD-3-clause)

License: MIT
 Permission is hereby granted
 .
 x
"""
NIGHTLY = b'[nightly]\nbases = true\nupgrade = "none"\npackages = ["certifi"]\nsuites = ["smoke"]\nworkers = 2\n[nightly.notify]\nwhen = "always"\n'

REPORT_TARGETS: tuple[Target, ...] = (
    Target(name="findings", kind="findings", file_name="findings.json", seeds=(dump_findings(FINDINGS),)),
    Target(name="exploited", kind="exploited", file_name="kev.json", seeds=(b'{"vulnerabilities": [{"cveID": "CVE-2026-1"}]}',)),
    Target(name="vex", kind="vex", file_name="a.openvex.json", seeds=(VEX,)),
    Target(name="copyright", kind="copyright", file_name="copyright", seeds=(COPYRIGHT,)),
    Target(name="licence-names", kind="licence-names", file_name="License", seeds=(b"GPL-2.0-or-later WITH x OR (MIT AND BSD-3-Clause)", b"Apache License, Version 2.0")),
    Target(name="licence-rules", kind="licence-rules", file_name="licences.toml", seeds=((ROOT / "stacks/licences.toml").read_bytes(),)),
    Target(name="scanner-report", kind="scanner-report", file_name="report.json", seeds=(REPORT,)),
    Target(name="scanner-database", kind="scanner-database", file_name="metadata.json", seeds=(b'{"Version": 2, "UpdatedAt": "2026-11-30T00:00:00Z", "NextUpdate": "2026-12-01T00:00:00Z", "DownloadedAt": "0001-01-01T00:00:00Z"}',)),
    Target(name="scan-settings", kind="scan-settings", file_name="scan.toml", seeds=(b"[scan]\nage-days = 3\n",)),
    Target(name="night-settings", kind="night-settings", file_name="nightly.toml", seeds=(NIGHTLY,)),
    Target(name="journal", kind="journal", file_name="journal.jsonl", seeds=(b"".join(LINES),)),
    Target(name="journal-line", kind="journal-line", file_name="line", seeds=tuple(LINES[:40])),
    Target(name="night-report", kind="night-report", file_name="report.json", seeds=(dump_json(summary_to_dict(summarise(NIGHT))),)),
    Target(name="append", kind="append", file_name="append.json", seeds=(msgspec.json.encode(APPEND),)),
    Target(name="entries", kind="entries", file_name="entries.json", seeds=(msgspec.json.encode(Entries(entries=['{"actor":{"method":"local","name":"u"},"data":{},"documents":[],"key":"k","kind":"x","number":0,"previous":"sha256:' + "0" * 64 + '","time":"2026-11-30T07:23:11Z"}'])),)),
    Target(name="tokens", kind="tokens", file_name="tokens.toml", seeds=(f'[tokens.ci]\nsha256 = "{hash_token("a")}"\nmay = ["read"]\nexpires = 2027-03-31\n'.encode(),)),
)  # fmt: skip
