"""An image by its locks: those of a stack in this project, or those that the ledger keeps of a build."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Final

from builder.digest import Digest
from builder.errors import InvalidInputError, LedgerError, StackError
from builder.history.image import ImageRecord
from builder.ledger.model import LedgerReader
from builder.oci.layout import PlatformImage
from builder.platform import Platform
from builder.project import Project
from builder.sbom.model import ImageIdentity
from builder.stack.names import nearest
from builder.usecase.build import Locks, load_locks
from builder.usecase.record import OWN_ENGINE
from builder.usecase.recorded import find_recorded, open_record

OpenLedger = Callable[[], AbstractContextManager[LedgerReader]]
_NAME: Final = re.compile(r"[a-z0-9-]+\Z")
_HEX: Final = frozenset("0123456789abcdef")


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedImageOf:
    """Locks, and what is known of the image that was built from them."""

    locks: Locks
    digest: str = ""
    """Of the image's index; empty where it is not built yet, or not asked about."""
    images: Mapping[Platform, ImageIdentity] = field(default_factory=dict)

    @property
    def stack(self) -> str:
        """Its name."""
        return self.locks.stack.stack

    def all_platforms(self) -> tuple[Platform, ...]:
        """List the platforms of the image, else of the lock."""
        return tuple(sorted(self.images)) or self.locks.stack.platforms

    def platforms(self, wanted: tuple[Platform, ...], host: Platform | None) -> tuple[Platform, ...]:
        """Choose platforms: those wanted, else this machine's, else the first.

        Raises:
            InvalidInputError: the image is not for one that is wanted.
        """
        held = self.all_platforms()
        for platform in wanted:
            if platform not in held:
                known = ", ".join(one.name for one in held)
                raise InvalidInputError(f"is not for {platform}", context=self.stack, hint=f"it is for {known}")
        return wanted or ((host,) if host in held else held[:1])


def open_locked(name: str, project: Project | None, open_ledger: OpenLedger | None) -> LockedImageOf:
    """Open what a name says: a stack of this project by its lock, else an image that the ledger knows.

    Args:
        name: of a stack; or a digest or its beginning, a reference, a tag, or STACK@CHANNEL.
        project: None where there is none.
        open_ledger: opens the ledger, for what is no stack; None where there is none.

    Raises:
        StackError: it is neither.
        LedgerError: the ledger does not hold its locks.
        LockStaleError: the stack's lock and that of its base do not belong together.
    """
    stacks = project.stack_names() if project is not None else ()
    if project is not None and name in stacks:
        return LockedImageOf(locks=load_locks(project.locks_folder, name))
    if open_ledger is None:
        hint = nearest(name, stacks, "stack") if stacks else "name a stack, or the ledger by --ledger"
        raise StackError(f"no stack {name[:80]!r}, and no ledger to look for an image in", context="stacks", hint=hint)
    with open_ledger() as ledger:
        try:
            return of_record(open_record(ledger, find_recorded(ledger, name)))
        except LedgerError as error:
            if not _NAME.match(name) or not set(name) - _HEX or not stacks:
                raise
            message = f"no stack {name[:80]!r}, and no image in the ledger"
            raise StackError(message, context="stacks", hint=nearest(name, stacks, "stack")) from error


def of_record(record: ImageRecord) -> LockedImageOf:
    """Take what the ledger keeps of a build; raises LedgerError where its locks are not there."""
    if record.lock is None or record.base is None:
        raise LedgerError(
            "the ledger does not hold what it was built from",
            context=record.name,
            hint="; ".join(record.missing) or "name another image",
        )
    own = record.built is None or record.built.engine == OWN_ENGINE
    locks = Locks(stack=record.lock, stack_digest=Digest.parse(record.lock_digest), base=record.base)
    index = Digest.parse(record.digest)
    images = {one.platform: identity_of(one, index=index, own=own) for one in record.platforms}
    return LockedImageOf(locks=locks, digest=record.digest, images=images)


def identity_of(image: PlatformImage, *, index: Digest | None, own: bool = True) -> ImageIdentity:
    """Name a platform's image; its layers are those of the lock only where this program's own engine made them."""
    digests = (layer.digest for layer in image.manifest.layers)
    return ImageIdentity(
        manifest=image.descriptor.digest,
        config=image.manifest.config.digest,
        index=index,
        layers=tuple(zip(digests, image.config.diff_ids, strict=True)) if own else (),
    )
