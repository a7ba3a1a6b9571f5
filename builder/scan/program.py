"""Which program scans: found, never one that is known to be bad, and trusted only where stacks/scan.toml pins it."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Final

from builder.digest import Digest
from builder.errors import ScanError, ToolError
from builder.scan.settings import FILE, ScannerPin, pin_lines
from builder.scan.trivy import NAME, Identity
from builder.stack.table import parse_table

_WAYS: Final = (
    "name it by --trivy, or as trivy under [scan] in airflow-kubler/config.toml, put it on PATH, or name an image "
    f"that holds it in {FILE}"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Denied:
    """Releases that are never run."""

    name: str
    versions: frozenset[str]
    reason: str


@cache
def denied_releases() -> tuple[Denied, ...]:
    """Read the list that comes with this program."""
    name = "denied.toml"
    top = parse_table((files("builder.scan") / name).read_bytes(), file=name)
    found = []
    for row in top.tables("denied"):
        program, versions, reason = row.text("name"), row.texts("versions"), row.text("reason")
        row.close()
        found.append(Denied(name=program or "", versions=frozenset(versions or ()), reason=reason or ""))
    top.close()
    top.issues.raise_any()
    return tuple(found)


def find_program(named: Path | None, configured: str, path: str) -> Path:
    """Find the program: the one that is named, else the one of the user's configuration, else the first on a path.

    Raises:
        ToolError: there is none, or the one that is named is no program.
    """
    chosen = named or (Path(configured).expanduser() if configured else None)
    if chosen is None:
        found = shutil.which(NAME, path=path)
        if found is None:
            raise ToolError("trivy is not there", hint=_WAYS)
        chosen = Path(found)
    if not chosen.is_file() or not os.access(chosen, os.X_OK):
        raise ToolError("is no program", argv=[str(chosen)], hint=_WAYS)
    return chosen.resolve()


def check_release(name: str, version: str, *, context: str = "") -> None:
    """Refuse a release that is known to be bad: nothing waives that.

    Raises:
        ScanError: it is on the list.
    """
    for row in denied_releases():
        if row.name == name and version.removeprefix("v") in row.versions:
            raise ScanError(
                f"{name} {version} is never run: {row.reason}",
                context=context,
                hint="take a release from before or after, and check it by its checksum",
            )


def check_hash(pin: ScannerPin | None, sha256: Digest) -> None:
    """Refuse a program that is not the pinned one, before anything of it is run.

    Raises:
        ScanError: another one is pinned.
    """
    if pin is not None and sha256.hex not in pin.sha256:
        raise ScanError(
            f"the scanner is {sha256}, which is not pinned: it was not run",
            context=FILE,
            hint=f"take the pinned one, {pin.version}; or after looking at it, name its hash in the pin",
        )


def check_shut_in(pin: ScannerPin | None, *, isolated: bool) -> None:
    """Refuse to run what nobody vouches for as the user: what it is it could only be asked.

    Raises:
        ScanError: nothing is pinned, and this machine cannot shut it in.
    """
    if pin is None and not isolated:
        raise ScanError(
            "nothing vouches for the scanner, and this machine cannot shut it in: it was not run",
            context=FILE,
            hint="compare its checksum with the publisher's, then pin it: version and sha256 under [trivy]",
        )


def check_pin(pin: ScannerPin | None, identity: Identity) -> bool:
    """Hold a program against its pin, once it has said its version; tells whether it is pinned.

    Raises:
        ScanError: another one is pinned, or it is known to be bad.
    """
    check_release(identity.name, identity.version)
    if pin is None:
        return False
    check_hash(pin, identity.sha256)
    if identity.version != pin.version:
        raise ScanError(
            f"the scanner says that it is {identity.version}, and {pin.version} is pinned with its hash", context=FILE
        )
    return True


def tell_unpinned(identity: Identity) -> str:
    """Say loudly that a scanner is trusted by nobody, and what would pin it."""
    return (
        f"WARNING: nothing vouches for this {identity.name} {identity.version}: {FILE} does not pin it. What it finds is\n"
        "recorded as such, and opens no channel. Compare its checksum with the publisher's, then write there:\n"
        f"{pin_lines(identity.version, identity.sha256)}"
    )
