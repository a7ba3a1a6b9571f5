"""The forms of bills of materials, and their maker."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from builder.digest import Digest
from builder.lock.model import BaseLock, StackLock
from builder.platform import Platform
from builder.sbom.facts import Facts
from builder.sbom.inventory import make_inventory
from builder.sbom.model import ImageIdentity, Inventory


class Form(StrEnum):
    """A form that a bill is written in."""

    CYCLONEDX = "cyclonedx"
    SPDX = "spdx"


MEDIA_TYPES: Final = {Form.CYCLONEDX: "application/vnd.cyclonedx+json", Form.SPDX: "application/spdx+json"}
"""Of documents, and of the referrers that hold them."""
SUFFIXES: Final = {Form.CYCLONEDX: ".cdx.json", Form.SPDX: ".spdx.json"}


def make_sbom(
    stack: StackLock,
    base: BaseLock,
    *,
    lock: Digest,
    platform: Platform,
    facts: Facts,
    form: Form = Form.CYCLONEDX,
    image: ImageIdentity | None = None,
) -> bytes:
    """Make the bill of materials of one platform's image.

    Args:
        stack: its lock.
        base: the lock of its base.
        lock: digest of the stack lock's bytes.
        platform: one of the lock's.
        facts: of every file that the locks name for the platform; gather.py reads them.
        form: what it is written in.
        image: where it is built already.

    Returns:
        The document; bytes are a function of the arguments and of this program.

    Raises:
        MissingBlobError: facts lack a file of the locks.
        BuildError: the image has other layers than the locks give.
    """
    inventory = make_inventory(stack, base, lock=lock, platform=platform, facts=facts, image=image)
    return dump_inventory(inventory, form)


def dump_inventory(inventory: Inventory, form: Form) -> bytes:
    """Write a bill in one of the forms."""
    # The libraries take a fifth of a second each to import, so only who wants one pays.
    if form is Form.SPDX:
        from builder.sbom.spdx import dump_spdx

        return dump_spdx(inventory)
    from builder.sbom.cyclonedx import dump_cyclonedx

    return dump_cyclonedx(inventory)
