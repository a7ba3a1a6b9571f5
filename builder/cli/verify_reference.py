"""`airflow-kubler verify REFERENCE --rebuild`: an image in a registry made again from its archive alone."""

from __future__ import annotations

import getpass
import platform
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from builder import __version__
from builder.archive.attestation import Rebuild, dump_statement
from builder.atomic import replacing
from builder.cli.output import note, progress, render_size, show_json, show_text
from builder.registry.model import parse_reference
from builder.usecase.rebuild import RebuildReport, rebuild
from builder.usecase.shipped import read_shipped
from builder.wiring.images import make_rebuild_room
from builder.wiring.recording import open_recorder
from builder.wiring.registries import make_registry

if TYPE_CHECKING:
    from builder.service.address import LedgerPlace


def verify_reference(
    text: str,
    jobs: int,
    *,
    attest: Path | None,
    rebuilder: str | None,
    wheels: bool,
    recording: LedgerPlace | None,
    as_json: bool,
) -> int:
    """Rebuild an image, record it in a ledger, and say what came out; returns the exit status, 1 where anything differs."""
    reference = parse_reference(text)
    started = int(time.time())
    with (
        open_recorder(recording) as recorder,
        make_registry() as registry,
        make_rebuild_room(jobs, lambda total: progress("rebuild", total), wheels=wheels) as room,
    ):
        image = read_shipped(registry, reference)
        report = rebuild(registry, image, room, told=note)
        statement = _statement(report, rebuilder or f"{_user()}@{platform.node()}", started, int(time.time()))
        if recorder is not None:
            recorder.rebuilt(statement)
    if attest is not None:
        with replacing(attest, mode=0o644) as stream:
            stream.write(dump_statement(statement))
    if as_json:
        show_json(_as_json(report))
    elif report.differences:
        show_text("\n".join(f"differs: {difference}" for difference in report.differences))
    else:
        for name in report.wheels:
            show_text(f"{name} was built again to the same bytes")
        show_text(f"{image.reference} was rebuilt to the same digest")
        show_text(f"from {report.inputs} inputs, {render_size(report.input_bytes)}, of {report.archive.digest}")
    return 1 if report.differences else 0


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


def _statement(report: RebuildReport, rebuilder: str, started: int, finished: int) -> Rebuild:
    same = report.index_digest == report.image.root.digest
    return Rebuild(
        name=str(report.image.repository),
        digest=report.image.root.digest,
        stack=report.image.stack,
        lock=report.image.lock,
        archive=report.archive.digest,
        rebuilder=rebuilder,
        version=__version__,
        started=started,
        finished=finished,
        rebuilt=report.index_digest,
        first_difference="" if same or not report.differences else str(report.differences[0]),
    )


def _as_json(report: RebuildReport) -> dict[str, Any]:
    return {
        "stack": report.image.stack,
        "reference": str(report.image.reference),
        "reproduced": not report.differences,
        "index_digest": str(report.index_digest),
        "found_digest": str(report.image.root.digest),
        "lock": str(report.image.lock),
        "archive": str(report.archive.digest),
        "inputs": report.inputs,
        "input_bytes": report.input_bytes,
        "wheels": list(report.wheels),
        "differences": [
            {"where": difference.where, "path": difference.path, "what": difference.what}
            for difference in report.differences
        ],
    }
