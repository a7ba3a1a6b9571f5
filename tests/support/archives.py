"""An archive beside an image of a made-up stack, in a small registry."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from builder.digest import Digest
from builder.oci import media
from builder.platform import AMD64
from builder.registry.client import HttpRegistry
from builder.registry.model import parse_repository
from builder.sdist.cell import CellAnswer, CellTask
from builder.store.artefacts import DirectoryArtefactStore
from builder.store.files import DirectoryFileStore
from builder.usecase.archive import plan_archive, push_archive
from builder.usecase.build import BuildRequest, BuildTools, build
from builder.usecase.build_sdist import BuildRoom
from builder.usecase.found_archive import FoundArchive, find_archive
from builder.usecase.rebuild import RebuildReport, RebuildRoom, rebuild
from builder.usecase.ship import ShipRequest, plan_ship, read_image, ship
from builder.usecase.shipped import ShippedImage, read_shipped
from tests.support.made_up import FakeCompilers, World, write_locks
from tests.support.registries import SmallRegistry
from tests.support.registry_images import client
from tests.support.wheels import WheelParts


@dataclass
class Setting:
    """A registry that holds the image of a made-up stack."""

    small: SmallRegistry
    world: World
    rooms: int = 0

    @property
    def registry(self) -> HttpRegistry:
        return client()

    def push(self, world: World | None = None) -> ShippedImage:
        """Build and push; returns the image."""
        world = world or self.world
        locks, output = world.root / "locks", world.root / "out"
        write_locks(world, locks)
        tools = BuildTools(files=world.files, artefacts=world.artefacts, compilers=world.compilers, jobs=2)
        build(BuildRequest(stack="tiny", locks=locks, output=output), tools)
        request = ShipRequest(
            layout=output, repository=parse_repository(f"{self.small.host}/team/airflow"), day="20261124"
        )
        done = ship(self.registry, request, plan_ship(self.registry, request, read_image(output)))
        return read_shipped(self.registry, request.repository.at(done.report.descriptor.digest))

    def archive(self, image: ShippedImage) -> FoundArchive:
        plan = plan_archive(self.registry, image, self.world.root / "locks", self.world.files)
        push_archive(self.registry, plan, self.world.files)
        return find_archive(self.registry, image)

    def rebuild(self, image: ShippedImage, *, built_as: str = "") -> RebuildReport:
        """Rebuild with an empty store and cache; with a text, wheels from sdists too, by a backend that writes it."""
        self.rooms += 1
        room = self.world.root / f"room{self.rooms}"
        files = DirectoryFileStore(room)
        tools = BuildTools(
            files=files, artefacts=DirectoryArtefactStore(room, durable=False), compilers=FakeCompilers(), jobs=2
        )
        wheels = wheel_room(files, room / "wheels", built_as) if built_as else None
        return rebuild(
            self.registry, image, RebuildRoom(folder=room, store=files, tools=tools, host=AMD64, wheels=wheels)
        )

    def push_manifest(self, data: bytes) -> Digest:
        """Push a made-up archive."""
        return self.registry.push_manifest(
            parse_repository(f"{self.small.host}/team/airflow"), data, media.MANIFEST
        ).digest

    def forget(self, digest: Digest) -> None:
        """Delete what refers to an image."""
        self.registry.delete(parse_repository(f"{self.small.host}/team/airflow").at(digest))


@dataclass
class FakeBackend:
    """A build backend that answers at once with a wheel of this content."""

    text: str

    def run(self, task: CellTask) -> CellAnswer:
        if task.request["hook"] == "requires":
            return CellAnswer(status=0, timed_out=False, output="", result=b'{"requires": []}\n')
        answer = json.dumps({"name": "demo-1.0-py3-none-any.whl"}).encode()
        wheel = WheelParts(files={"demo.py": self.text.encode()}).pack()
        return CellAnswer(status=0, timed_out=False, output="", result=answer + b"\n" + wheel)


def wheel_room(files: DirectoryFileStore, folder: Path, text: str) -> BuildRoom:
    return BuildRoom(
        files=files,
        artefacts=DirectoryArtefactStore(folder, durable=False),
        runner=FakeBackend(text),
        platform=AMD64,
        obtain=lambda _files, _debs: None,
    )
