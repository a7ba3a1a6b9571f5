"""How `verify` says what came out."""

from __future__ import annotations

from builder.cli.output import show_json, show_text
from builder.usecase.verify import VerifyReport


def show_report(report: VerifyReport, *, as_json: bool) -> None:
    """Print a report."""
    if as_json:
        differences = [{"where": one.where, "path": one.path, "what": one.what} for one in report.differences]
        show_json(
            {
                "stack": report.stack,
                "reproduced": not report.differences,
                "compared": "files" if report.by_files else "digests",
                "index_digest": str(report.index_digest),
                "found_digest": str(report.found_digest),
                "differences": differences,
            }
        )
    elif report.differences:
        show_text("\n".join(f"differs: {difference}" for difference in report.differences))
    elif report.by_files:
        show_text(f"{report.found_digest} has the files that the lock of {report.stack} gives, and runs as they do")
        show_text(f"its layers were not compared: {report.index_digest} is what the lock gives")
    else:
        show_text(f"{report.index_digest} is what the lock of {report.stack} gives")
