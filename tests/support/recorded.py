"""Ledgers of images that were really built, from made-up debs and wheels: all their documents are there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from builder.digest import Digest
from builder.image.assemble import BuiltImage, assemble
from builder.image.output import image_blobs
from builder.image.layout_folder import write_layout
from builder.ledger.database import SqliteLedger, create_ledger
from builder.ledger.entry import Entry
from builder.ledger.events import Built, BuiltPlatform, Event, Locked, Move
from builder.ledger.model import NewDocument, NewEntry
from builder.lock.base import dump_base_lock
from builder.lock.model import StackLock
from builder.lock.pylock_writer import dump_stack_lock
from builder.platform import Platform
from builder.stack.inputs import base_inputs_digest
from tests.support.ledgers import ALICE, ORIGIN, Ticking
from tests.support.made_up import World

FORMATS = ("segment 1", "layer 1", "zstd 1.5.7", "zlib-ng 2.2.4")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """An image on record."""

    image: BuiltImage
    entry: Entry
    lock: bytes
    base: bytes

    @property
    def digest(self) -> str:
        return str(self.image.descriptor.digest)


class History:
    """A ledger that images are built and recorded into.

    Args:
        path: of the ledger; it is made.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.clock = Ticking()
        create_ledger(path, ORIGIN, ALICE, self.clock)

    def append(self, *events: Event, documents: Sequence[bytes] = ()) -> tuple[Entry, ...]:
        """Append events, the documents with the first."""
        new = [NewEntry(event=event) for event in events]
        if documents:
            new[0] = NewEntry(event=events[0], documents=[NewDocument(data=data) for data in documents])
        with SqliteLedger(self.path, self.clock, write=True) as ledger:
            return ledger.append(new, ALICE)

    def build(
        self,
        world: World,
        *,
        platforms: Sequence[Platform] = (),
        formats: Sequence[str] = FORMATS,
        layout: Path | None = None,
        moves: Sequence[Move] = (),
        engine: str = "airflow-kubler",
    ) -> Recorded:
        """Lock, build and record the stack of a world; into a layout too, where one is named."""
        base = dump_base_lock(replace(world.base, inputs=base_inputs_digest(world.base.base)))
        stack = replace(world.stack, base_lock=Digest.of(base))
        lock = dump_stack_lock(stack)
        image = assemble(
            stack,
            world.base,
            lock_digest=Digest.of(lock),
            platforms=tuple(platforms) or stack.platforms,
            assembly=world.assembly(),
        )
        if layout is not None:
            write_layout(layout, image_blobs(image))
        locked = Locked(
            stack=stack.stack,
            lock=str(Digest.of(lock)),
            base=stack.base,
            base_lock=str(stack.base_lock),
            airflow=stack.airflow_version,
            moves=tuple(moves),
        )
        documents = [image.index, *(data for one in image.platforms for data in (one.manifest, one.config))]
        built = _built(stack, image, lock, formats, engine)
        self.append(locked, documents=(lock, base))
        (entry,) = self.append(built, documents=documents)
        return Recorded(image=image, entry=entry, lock=lock, base=base)


def _built(stack: StackLock, image: BuiltImage, lock: bytes, formats: Sequence[str], engine: str) -> Built:
    return Built(
        stack=stack.stack,
        digest=str(image.descriptor.digest),
        lock=str(Digest.of(lock)),
        base=stack.base,
        base_lock=str(stack.base_lock),
        platforms=tuple(
            BuiltPlatform(
                platform=one.platform.name,
                manifest=str(one.descriptor.digest),
                config=str(Digest.of(one.config)),
                layers=len(one.layers),
                size_bytes=sum(layer.layer.size for layer in one.layers),
            )
            for one in image.platforms
        ),
        engine=engine,
        compression=stack.compression,
        seconds=2.5,
        formats=tuple(formats),
    )
