"""Looks at made-up pods of a cluster, held against a made-up ledger."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from builder.cluster.documents import Document, PrintedCluster
from builder.drift.model import Finding, Report, Target
from builder.ledger.database import SqliteLedger
from builder.usecase.drift import DriftWish, look_for_drift
from tests.support.ledgers import Ticking
from tests.support.pods import NOW, listed

PROD = Target(stack="core", channel="prod", namespaces=("airflow",))


def report_of(path: Path, *items: object, now: int = NOW, name: str = "production", **wish: Any) -> Report:
    read_tag = wish.pop("read_tag", None)
    cluster = PrintedCluster(name, [Document(data=json.dumps(listed(*items)).encode(), file="pods.json")])
    given = DriftWish(targets=wish.pop("targets", (PROD,)), **wish)
    with SqliteLedger(path, Ticking(), write=False) as ledger:
        return look_for_drift(cluster, ledger, given, now=now, read_tag=read_tag)


def findings(path: Path, *items: object, **wish: Any) -> list[Finding]:
    return [group.finding for look in report_of(path, *items, **wish).looks for group in look.findings]


def told(path: Path, *items: object, **wish: Any) -> list[tuple[str, str]]:
    return [(found.kind, found.severity.word) for found in findings(path, *items, **wish)]
