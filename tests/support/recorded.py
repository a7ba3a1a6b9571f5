"""Ledgers of images that were really built, from made-up debs and wheels: all their documents are there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from builder.digest import Digest
from builder.image.assemble import Assembly, BuiltImage, assemble
from builder.image.compress import Compressor
from builder.image.layout_folder import write_layout
from builder.image.output import image_blobs
from builder.ledger.database import SqliteLedger, create_ledger
from builder.ledger.entry import Entry
from builder.ledger.events import Built, Event, Locked
from builder.ledger.model import NewDocument, NewEntry
from builder.ledger.parts import BuiltPlatform, Move
from builder.lock.base import dump_base_lock
from builder.lock.model import LockedCandidate, LockedFile, PlannedLayer, StackLock
from builder.lock.pylock_writer import dump_stack_lock
from builder.platform import Platform
from builder.stack.inputs import base_inputs_digest
from builder.wheel.bytecode import Source, bytecode_entries
from tests.support.ledgers import ALICE, ORIGIN, Ticking
from tests.support.made_up import World, make_deb

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
        python: str = "",
        compressor: Compressor | None = None,
    ) -> Recorded:
        """Lock, build and record the stack of a world; into a layout too, where one is named.

        Another `python` compiles to other bytecode; another `compressor` than the lock's makes other bytes of equal tars.
        """
        base = dump_base_lock(replace(world.base, inputs=base_inputs_digest(world.base.base)))
        stack = replace(world.stack, base_lock=Digest.of(base))
        lock = dump_stack_lock(stack)
        image = assemble(
            stack,
            world.base,
            lock_digest=Digest.of(lock),
            platforms=tuple(platforms) or stack.platforms,
            assembly=_assembly(world, python, compressor),
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


def change_deb(world: World, package: str, version: str, *, content: bytes = b"new") -> World:
    """Give the base another version of a deb, on all platforms."""
    debs = []
    for deb in world.base.debs:
        if deb.package == package:
            data = make_deb(package, {f"usr/lib/{package}": content}, architecture=deb.architecture, version=version)
            name = f"{package}_{version}_{deb.architecture}.deb"
            file = LockedFile(name=name, size=len(data), sha256=world.files.add(data))
            changed = replace(deb, version=version, pool_path=f"pool/main/{name}", file=file)
        debs.append(changed if deb.package == package else deb)
    return replace(world, base=replace(world.base, debs=tuple(debs)))


def change_stack(world: World, **changes: Any) -> World:
    """Change what the stack's lock says."""
    return replace(world, stack=replace(world.stack, **changes))


def change_base(world: World, **changes: Any) -> World:
    """Change what the base file says."""
    return replace(world, base=replace(world.base, base=replace(world.base.base, **changes)))


def add_candidates(world: World, *candidates: LockedCandidate, layer: str = "tiny-new") -> World:
    """Lock more distributions, in a layer of their own."""
    new = PlannedLayer(name=layer, stack="tiny", projects=tuple(sorted(one.project for one in candidates)))
    rows = sorted((*world.stack.candidates, *candidates), key=lambda one: (one.project, one.version))
    return change_stack(world, candidates=tuple(rows), plan=(*world.stack.plan, new))


def _assembly(world: World, python: str, compressor: Compressor | None) -> Assembly:
    assembly = world.assembly()
    intake = assembly.intake
    if python:
        compiler = _OtherCompiler(python)
        intake = replace(
            intake, interpreter=python, bytecode=lambda entries: bytecode_entries(entries, compiler, "3.13")
        )
    if compressor is not None:
        intake = replace(intake, compressor=compressor.name)
        assembly = replace(assembly, compressor=compressor)
    return replace(assembly, intake=intake)


class _OtherCompiler:
    """Gives other bytecode for each version."""

    def __init__(self, version: str) -> None:
        self._version = version.encode()

    def compile(self, sources: Sequence[Source]) -> Sequence[bytes | None]:
        return [self._version + source.data for source in sources]


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
