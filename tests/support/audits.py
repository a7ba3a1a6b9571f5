"""Audit exports for tests: written, checked as an auditor does, and forged."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from builder.audit.model import Evidence, Period
from builder.audit.verifier.export import Export
from builder.audit.verifier.notes import read_key
from builder.ledger.database import SqliteLedger
from builder.ledger.note import SigningKey, sign_text
from builder.usecase.audit import AuditRequest
from builder.wiring.auditing import write_export
from tests.support.audited_month import KEY, MONTH

FORGER = SigningKey(name=KEY.name, seed=b"f" * 32)
"""Has the name of the ledger's key."""
_TRUSTED = [read_key(str(KEY.verifying))]


def export_month(
    folder: Path, output: Path, *, period: Period = MONTH, key: SigningKey | None = KEY, **more: Any
) -> Evidence:
    """Export from a ledger of `write_month`, with two heads that were kept."""
    heads = [(name, (folder / name).read_bytes()) for name in ("october.txt", "mid.txt")]
    request = AuditRequest(period=period, key=key, heads=heads, **more)
    with SqliteLedger(folder / "ledger.db", lambda: 0, write=False) as ledger:
        return write_export(ledger, request, output)


def run_verifier(program: Path, folder: Path, *words: str | Path) -> tuple[int, str]:
    """Run the program as an auditor does, in an environment that has nothing."""
    words = words or ("--key", str(KEY.verifying))
    done = subprocess.run(
        [sys.executable, "-I", "-S", program, *words, folder],
        env={"PATH": os.environ["PATH"]},
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in {0, 1}, done.stderr
    return done.returncode, done.stdout


def problems_of(folder: Path, *, keys: bool = True) -> list[str]:
    """Check by the same code in this process: the parts are what the program is joined of."""
    found = Export(folder, _TRUSTED if keys else [], [])
    assert found.check() is not bool(found.problems)
    return found.problems


def seal(folder: Path, key: SigningKey | None = None) -> None:
    """Write the manifest again, as a forger does who has no key; or has one of his own."""
    files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    files = [file for file in files if file not in {"MANIFEST.sha256", "MANIFEST.note"}]
    manifest = "".join(f"{hashlib.sha256((folder / file).read_bytes()).hexdigest()}  {file}\n" for file in files)
    (folder / "MANIFEST.sha256").write_text(manifest)
    (folder / "MANIFEST.note").unlink(missing_ok=True)
    if key:
        digest = hashlib.sha256(manifest.encode()).hexdigest()
        text = f"airflow-kubler audit export\n{KEY.name}\n2026-11-01 2026-12-01\nsha256:{digest}\n"
        (folder / "MANIFEST.note").write_bytes(sign_text(text, key))


def flip(path: Path, place: int, bit: int = 0) -> None:
    """Turn one bit of a file."""
    data = bytearray(path.read_bytes())
    data[place % len(data)] ^= 1 << bit
    path.write_bytes(data)
