"""What is to be scanned, by whatever people call it: a layout whose blobs lie here, and the locks that it was built from.

- The name of a stack is the image that was built into the project's folder.
- A reference is pulled; a digest, tag or STACK@CHANNEL on record is taken from the project's folder where it lies there, else pulled
  from a repository that it was pushed to.

Locks are found by the hash that the image states: in the project, in the ledger, in the archive beside the image.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from builder.digest import Digest
from builder.errors import BuilderError, IntegrityError, InvalidInputError, LedgerError, ScanError, StackError
from builder.image.contract import LOCK_LABEL, STACK_LABEL
from builder.image.layout_reader import FolderLayout
from builder.ledger.model import LedgerReader
from builder.ledger.queries import places_of
from builder.lock.base import parse_base_lock
from builder.lock.model import BaseLock, StackLock
from builder.lock.pylock import parse_stack_lock
from builder.oci.layout import INDEX_FILE, PlatformImage, parse_layout
from builder.project import Project
from builder.registry.folder import FolderBlobs
from builder.registry.model import Reference, Registry, parse_reference, parse_repository
from builder.registry.pulling import pull
from builder.usecase.recorded import find_digest

_LARGEST_LOCK = 64 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanTarget:
    """An image to scan."""

    name: str
    """As it was asked for."""
    digest: Digest
    """Of its index."""
    stack: str
    layout: Path
    """The folder where its blobs lie."""
    platforms: tuple[PlatformImage, ...]
    lock_digest: Digest
    lock: StackLock
    base: BaseLock
    owners: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Of stacks, as the project has them now."""


class OpenRegistry(Protocol):
    """Opens registries, when one is needed."""

    def __call__(self) -> contextlib.AbstractContextManager[Registry]:
        """Open them for a while."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where images and locks may lie."""

    project: Project | None
    built: Callable[[str], Path] | None
    """The folder that a stack of the project is built into; None without a project."""
    ledger: LedgerReader | None
    registry: OpenRegistry
    room: Path
    """An empty folder, for what is pulled."""


def find_target(text: str, places: Places, *, layout: Path | None = None) -> ScanTarget:
    """Find an image, with the locks that it was built from.

    Args:
        text: the name of a stack; a digest or its beginning, a tag or STACK@CHANNEL on record; a reference.
        places: where to look.
        layout: the folder where it lies, in the place of all that.

    Raises:
        InvalidInputError: nothing is called so.
        ScanError: a lock that the image was built from is nowhere at hand.
        RegistryError: a registry has it not, or fails.
        IntegrityError: it is none of ours, or damaged.
    """
    if layout is not None:
        return _open(text, layout, places, reference=None)
    if places.project is not None and text in places.project.stack_names():
        return _open_built(text, places)
    if "/" in text:
        return _pull(text, parse_reference(text), places)
    if places.ledger is None:
        known = places.project.stack_names() if places.project else ()
        hint = f"name a stack ({', '.join(known)}), or registry/repository:tag; or a digest, where there is a ledger"
        raise InvalidInputError("there is no such stack", context=text[:80], hint=hint)
    return _find_recorded(text, places, places.ledger)


def _open_built(stack: str, places: Places) -> ScanTarget:
    folder = places.built(stack) if places.built else Path()
    if not (folder / INDEX_FILE).is_file():
        raise StackError("is not built", context=str(folder), hint=f"airflow-kubler build {stack}")
    return _open(stack, folder, places, reference=None)


def _find_recorded(text: str, places: Places, ledger: LedgerReader) -> ScanTarget:
    digest = Digest.parse(find_digest(ledger, text))
    for folder in _built_folders(places):
        with contextlib.suppress(BuilderError):
            if parse_layout(FolderLayout(folder)).descriptor.digest == digest:
                return _open(text, folder, places, reference=None)
    pushed = places_of(ledger, str(digest))
    if not pushed:
        raise LedgerError(
            "lies neither in build/ nor in a registry that is on record",
            context=str(digest),
            hint="build it again, or name its layout by --layout",
        )
    return _pull(text, parse_repository(pushed[0].repository).at(digest), places)


def _built_folders(places: Places) -> Iterator[Path]:
    if places.project is not None and places.built is not None:
        yield from map(places.built, places.project.stack_names())


def _pull(text: str, reference: Reference, places: Places) -> ScanTarget:
    folder = places.room / "pulled"
    with places.registry() as registry:
        sink = FolderBlobs(folder)
        pulled = pull(registry, reference, sink)
        root = pulled.shipment.root
        sink.write_index([(root.descriptor, "pulled")])
    return _open(text, folder, places, reference=reference.repository.at(root.digest))


def _open(text: str, folder: Path, places: Places, *, reference: Reference | None) -> ScanTarget:
    image = parse_layout(FolderLayout(folder))
    said = {
        tuple(dict(one.config.run.labels).get(key, "") for key in (STACK_LABEL, LOCK_LABEL)) for one in image.platforms
    }
    if len(said) != 1 or not all(next(iter(said))):
        raise IntegrityError(
            "does not say which lock it was built from", context=text, hint="name an image that airflow-kubler built"
        )
    ((stack, lock_text),) = said
    locks = _Locks(places, reference)
    lock_digest = Digest.parse(lock_text)
    data = locks.read(lock_digest, "its lock", f"pylock.{stack}.toml")
    lock = parse_stack_lock(data, file=f"lock {lock_digest}")
    base = parse_base_lock(
        locks.read(lock.base_lock, "the lock of its base", f"base.{lock.base}.toml"), file=f"lock {lock.base_lock}"
    )
    return ScanTarget(
        name=text,
        digest=image.descriptor.digest,
        stack=stack,
        layout=folder,
        platforms=image.platforms,
        lock_digest=lock_digest,
        lock=lock,
        base=base,
        owners=_owners(places.project),
    )


def _owners(project: Project | None) -> Mapping[str, tuple[str, ...]]:
    return {name: stack.owners for name, stack in project.load_stacks().items()} if project else {}


class _Locks:
    """Finds locks by hash."""

    def __init__(self, places: Places, reference: Reference | None) -> None:
        self._places = places
        self._reference = reference

    def read(self, digest: Digest, what: str, name: str) -> bytes:
        """Find one; raises ScanError where it is nowhere."""
        for look in (self._in_project, self._in_ledger, self._in_archive):
            data = look(digest, name)
            if data is not None and Digest.of(data) == digest:
                return data
        raise ScanError(
            f"{what} {digest} is not at hand, so what the scanner lists could be held against nothing",
            context=name,
            hint="take it from version control, or scan where the ledger is, or push the image's archive",
        )

    def _in_project(self, digest: Digest, name: str) -> bytes | None:
        del digest
        project = self._places.project
        path = project.locks_folder / name if project else None
        # The image says the name: it is one of a file here, and leads nowhere.
        return path.read_bytes() if path is not None and "/" not in name and path.is_file() else None

    def _in_ledger(self, digest: Digest, name: str) -> bytes | None:
        del name
        return self._places.ledger.document(digest) if self._places.ledger else None

    def _in_archive(self, digest: Digest, name: str) -> bytes | None:
        from builder.usecase.found_archive import find_archive, read_document
        from builder.usecase.shipped import read_shipped

        if self._reference is None:
            return None
        with contextlib.suppress(BuilderError), self._places.registry() as registry:
            found = find_archive(registry, read_shipped(registry, self._reference))
            return read_document(registry, found, digest, what=name, most=_LARGEST_LOCK)
        return None
