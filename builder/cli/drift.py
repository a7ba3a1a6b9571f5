"""`airflow-kubler drift`: what runs, against what the ledger says."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import click

from builder.cli.drift_options import cluster_options, read_documents, read_targets, severity_option
from builder.cli.options import json_option
from builder.cli.output import note, show_json, show_text
from builder.cli.root import Context, Verb
from builder.cli.subverbs import VerbWithSubverbs


class _Drift(VerbWithSubverbs):
    subverbs: ClassVar[Mapping[str, Verb]] = {
        "script": Verb("builder.cli.drift_freeze:script", "Print what lists the distributions inside a container."),
        "freeze": Verb("builder.cli.drift_freeze:freeze", "Compare such a list, or pip's, with an image's lock."),
    }


@click.command(cls=_Drift)
@click.argument(
    "files", nargs=-1, metavar="[FILE]...", type=click.Path(path_type=Path, dir_okay=False, allow_dash=True)
)
@cluster_options
@click.option("--grace", type=click.IntRange(min=0), default=30, metavar="MIN", help="A rollout may take. Default: 30.")
@click.option("--registry", "tags", is_flag=True, help="Ask registries what the tags stand for now.")
@click.option("--exec", "inside", is_flag=True, help="List what is installed inside each running container.")
@click.option("--record/--no-record", default=True, help="Record in the ledger what was seen. Default: record.")
@severity_option
@json_option
@click.pass_obj
def command(context: Context, /, files: tuple[Path, ...], **given: Any) -> int:
    """Hold what runs against what the ledger says: by the Kubernetes API, or by what kubectl printed.

    kubectl get pods -A -o json | airflow-kubler drift -

    Which pods should run what channel stands in stacks/deploy.toml as [[targets]], or is said by --stack and --channel.
    Exit status 1 where there is drift, 4 where the cluster does not tell what runs.
    """
    from builder.cli.drift_view import report_json, report_text
    from builder.errors import LedgerUnavailableError
    from builder.usecase.drift import DriftWish, look_for_drift, record_drift
    from builder.usecase.drift_tags import read_tag
    from builder.wiring.clusters import make_cluster
    from builder.wiring.ledgers import clock, open_ledger, this_actor
    from builder.wiring.registries import make_registry

    targets, namespaces, address = read_targets(context, given, printed=bool(files))
    wish = DriftWish(targets=targets, namespaces=namespaces, grace_s=given["grace"] * 60, inside=given["inside"])
    cluster = make_cluster(address, read_documents(files))
    path, now = context.ledger_place(), clock()
    with ExitStack() as later:
        ledger = later.enter_context(open_ledger(path))
        ask = partial(read_tag, later.enter_context(make_registry())) if given["tags"] else None
        report = look_for_drift(cluster, ledger, wish, now=now, read_tag=ask)
    recorded: Exception | int = 0
    if given["record"]:
        try:
            with open_ledger(path, write=True) as ledger:
                recorded = len(record_drift(ledger, report, this_actor(), now=now))
        except LedgerUnavailableError as error:
            recorded = error
    if given["as_json"]:
        show_json(report_json(report))
    else:
        show_text(report_text(report))
    if isinstance(recorded, Exception):
        # What was seen is told all the same; who counts on the record must know that there is none.
        raise recorded
    alike = "seen alike within a day: nothing to record"
    note("not recorded" if not given["record"] else "recorded" if recorded else alike)
    worst = report.worst()
    return 1 if worst is not None and worst >= given["fail_on"] else 0
