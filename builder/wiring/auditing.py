"""What writes audit exports: into a folder that appears whole, or not at all."""

from __future__ import annotations

import contextlib
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Final

from builder.atomic import TEMPORARY_PREFIX
from builder.audit.joined import join_verifier
from builder.audit.model import Evidence
from builder.digest import Digest
from builder.errors import InvalidInputError, LedgerError
from builder.ledger.note import SigningKey, sign_text
from builder.usecase.audit import AuditRequest, export_audit

if TYPE_CHECKING:
    from builder.ledger.database import SqliteLedger
    from builder.usecase.audit_change import Elsewhere
    from builder.usecase.audit_sources import Tell

_MANIFEST: Final = "MANIFEST.sha256"
_PROGRAM: Final = "verify.py"


class _Folder:
    """Files of an export, with their hashes."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.digests: dict[str, Digest] = {}

    def write(self, file: str, data: bytes) -> None:
        path = self.root / file
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        path.write_bytes(data)
        path.chmod(0o755 if file == _PROGRAM else 0o644)
        self.digests[file] = Digest.of(data)

    def read_in(self, folder: str, file: str) -> bytes:
        return (self.root / folder / file).read_bytes()

    def manifest(self) -> bytes:
        return "".join(f"{self.digests[file].hex}  {file}\n" for file in sorted(self.digests)).encode()


def write_export(ledger: SqliteLedger, request: AuditRequest, output: Path, *, fetch: Tell | None = None) -> Evidence:
    """Write an export.

    Args:
        ledger: open for reading; it is checked first.
        request: what is wanted.
        output: the folder; nothing is there yet.
        fetch: ask the store and registries for what the ledger does not hold, and tell by this what could not be asked.

    Raises:
        LedgerError: the ledger is damaged.
        InvalidInputError: something is there, or it cannot be written.
    """
    _check_ledger(ledger.path)
    with _whole(output) as root, _elsewhere(ledger, fetch) as elsewhere:
        folder = _Folder(root)
        evidence = export_audit(ledger, replace(request, elsewhere=elsewhere), folder.write)
        _write_pages(folder, evidence)
        folder.write("README.txt", files("builder.audit").joinpath("README.txt").read_bytes())
        folder.write(_PROGRAM, join_verifier())
        manifest = folder.manifest()
        folder.write(_MANIFEST, manifest)
        if request.key:
            folder.write("MANIFEST.note", _sign(manifest, evidence, request.key))
    return evidence


def _write_pages(folder: _Folder, evidence: Evidence) -> None:
    from builder.picture.audit_page import render_audit_page, render_change_page

    for change in evidence.changes:
        page = render_change_page(change, evidence, partial(folder.read_in, change.folder))
        folder.write(f"{change.folder}/index.html", page.encode())
    folder.write("index.html", render_audit_page(evidence).encode())


def _sign(manifest: bytes, evidence: Evidence, key: SigningKey) -> bytes:
    """Sign a manifest, with what it is of: nobody can take the text for a checkpoint."""
    begin, end = evidence.period.told
    text = f"airflow-kubler audit export\n{evidence.head.origin}\n{begin} {end}\n{Digest.of(manifest)}\n"
    return sign_text(text, key)


def _check_ledger(path: Path) -> None:
    """Refuse to tell of a damaged ledger."""
    from builder.ledger.check import check_ledger

    verdict = check_ledger(path)
    if verdict.problems:
        hint = "airflow-kubler ledger verify says all; go on from the last good copy"
        raise LedgerError(f"is damaged: {verdict.problems[0]}", context=str(path), hint=hint)


@contextmanager
def _whole(output: Path) -> Iterator[Path]:
    """Give a folder that gets its name when the block ends; where it fails nothing is left."""
    if output.exists() or output.is_symlink():
        raise InvalidInputError("is there already", context=str(output), hint="name a folder that is not")
    temporary = output.with_name(f"{TEMPORARY_PREFIX}{secrets.token_hex(8)}-{output.name}")
    try:
        temporary.mkdir(mode=0o755)
    except OSError as error:
        hint = "name a folder below one that is there"
        raise InvalidInputError(f"cannot be written: {error.strerror}", context=str(output), hint=hint) from error
    try:
        yield temporary
        temporary.rename(output)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def _elsewhere(ledger: SqliteLedger, tell: Tell | None) -> Iterator[Elsewhere]:
    from builder.usecase.audit_change import nowhere

    if tell is None:
        yield nowhere
        return
    from builder.usecase.audit_sources import make_elsewhere
    from builder.wiring.registries import make_registry
    from builder.wiring.stores import make_file_store

    store = make_file_store()

    def read_stored(digest: Digest) -> bytes | None:
        with contextlib.suppress(OSError):
            return store.path(digest).read_bytes()
        return None

    with make_registry() as registry:
        yield make_elsewhere(ledger, read_stored, registry, tell)
