"""What a night says of locks and images: what moved, how large they are, and what nodes would pull."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from builder.digest import Digest
from builder.ledger.events import Built, Locked, Scanned
from builder.ledger.queries import event_of
from builder.nightly.model import BaseBefore, Before

if TYPE_CHECKING:
    from builder.ledger.model import LedgerReader
    from builder.lock.model import BaseLock
    from builder.project import Project
    from builder.usecase.lock_model import StackChange


def find_before(project: Project, ledger: LedgerReader | None, stacks: Iterable[str]) -> dict[str, Before]:
    """Find where stacks stand: their locks on disk, their newest images by the ledger."""
    return {name: _before(project, ledger, name) for name in stacks}


def lock_facts(change: StackChange) -> dict[str, Any]:
    """Say what locking brought: versions that moved, and what stays behind its newest release."""
    return {
        "moves": [{"name": one.project, "before": one.before or "", "after": one.after or ""} for one in change.moves],
        "candidates": change.candidates,
        "behind": [
            {"name": one.project, "chosen": one.chosen, "newest": one.newest, "blocker": one.blocker or ""}
            for one in change.behind
        ],
    }


def find_base_before(project: Project, bases: Iterable[str]) -> dict[str, BaseBefore]:
    """Find where bases stand."""
    from builder.lock.base import parse_base_lock

    found = {}
    for name in bases:
        path = project.base_lock_path(name)
        data = path.read_bytes() if path.is_file() else b""
        lock = parse_base_lock(data, file=f"locks/{path.name}") if data else None
        found[name] = BaseBefore(lock=str(Digest.of(data)), debs=_debs(lock)) if lock else BaseBefore()
    return found


def base_facts(before: BaseBefore, after: BaseLock) -> dict[str, Any]:
    """Say which Debian packages moved."""
    old, new = before.debs, _debs(after)
    return {
        "moves": [
            {"name": name, "before": old.get(name, ""), "after": new.get(name, "")}
            for name in sorted(old.keys() | new.keys())
            if old.get(name) != new.get(name)
        ]
    }


def recorded_moves(ledger: LedgerReader, stack: str, lock: str) -> list[dict[str, str]]:
    """Say which versions moved when a lock was put on record."""
    for entry in ledger.find("lock", lock, kinds=(Locked.kind,)):
        event = event_of(entry, Locked)
        if event.stack == stack:
            return [{"name": one.name, "before": one.before, "after": one.after} for one in event.moves]
    return []


def image_facts(summary: Mapping[str, Any], before: Before) -> dict[str, Any]:
    """Say what a build gave: digest, layers and size of the largest platform, bytes that its nodes do not hold yet.

    Args:
        summary: what `build` returned.
        before: the image that nodes hold.
    """
    sizes = {
        name: {layer["digest"]: layer["size_bytes"] for layer in image["layers"]}
        for name, image in summary["platforms"].items()
    }
    largest = max(sizes, key=lambda name: (sum(sizes[name].values()), name))
    layers = sizes[largest]
    return {
        "digest": summary["index_digest"],
        "platform": largest,
        "size_bytes": sum(layers.values()),
        "pull_bytes": sum(size for digest, size in layers.items() if digest not in before.layers),
        "layers": len(layers),
    }


def layout_digest(folder: Path) -> str:
    """Read which image a layout holds; empty where it is none."""
    from builder.errors import BuilderError
    from builder.image.layout_reader import FolderLayout
    from builder.oci.layout import parse_layout

    try:
        return str(parse_layout(FolderLayout(folder)).descriptor.digest)
    except (BuilderError, OSError):
        return ""


def _before(project: Project, ledger: LedgerReader | None, name: str) -> Before:
    path = project.stack_lock_path(name)
    lock = str(Digest.of(path.read_bytes())) if path.is_file() else ""
    found = ledger.find("stack", name, kinds=(Built.kind,), limit=1) if ledger is not None else ()
    if ledger is None or not found:
        return Before(lock=lock, digest=layout_digest(project.root / "build" / name) if ledger is None else "")
    built = event_of(found[0], Built)
    layers = _layers(ledger, built)
    return Before(
        lock=lock,
        digest=built.digest,
        size_bytes=max((one.size_bytes for one in built.platforms), default=0),
        layers=layers,
        scan=_scan(ledger, built.digest),
    )


def _layers(ledger: LedgerReader, built: Built) -> dict[str, int]:
    from builder.history.image import read_platforms

    _, platforms, _ = read_platforms(built, ledger.document)
    rows = [{str(layer.digest): layer.size for layer in one.manifest.layers} for one in platforms]
    return max(rows, key=lambda row: sum(row.values()), default={})


def _scan(ledger: LedgerReader, digest: str) -> Mapping[str, int]:
    found = ledger.find("digest", digest, kinds=(Scanned.kind,), limit=1)
    return event_of(found[0], Scanned).counts if found else {}


def _debs(lock: BaseLock) -> dict[str, str]:
    found = {deb.package: deb.version for deb in lock.debs}
    for image in lock.images:
        found |= {name: version for name, _, version in (row.partition("=") for row in image.packages)}
    return found
