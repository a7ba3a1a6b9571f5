"""A project with one made-up stack, its locks, its store and a ledger with a build of it: all that bills and licences need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from click.testing import CliRunner, Result

from builder.cli.root import root
from builder.digest import Digest
from builder.ledger.events import Promoted
from builder.lock.base import dump_base_lock
from builder.lock.model import LockedCandidate, LockedFile, PlannedLayer
from builder.lock.pylock import dump_stack_lock
from builder.oci.layout import LayoutImage
from builder.platform import PLATFORMS
from builder.registry.model import parse_repository
from builder.stack.inputs import base_inputs_digest
from builder.store.artefacts import DirectoryArtefactStore
from builder.usecase.sbom import FactTools
from builder.usecase.ship import ShipRequest, plan_ship, read_image, ship
from tests.support.ledgers import digest_of
from tests.support.made_up import World, make_world
from tests.support.recorded import History, Recorded
from tests.support.registry_images import client
from tests.support.wheels import WheelParts

_STACK = 'description = "x"\nowners = ["team:x"]\n[airflow]\nversion = "3.3.2"\n[base]\nname = "tiny"\n'


@dataclass(frozen=True, slots=True, kw_only=True)
class BillProject:
    """The project."""

    folder: Path
    world: World
    history: History
    recorded: Recorded
    layout: Path

    def run(self, *words: str, cache: Path | None = None) -> Result:
        """Run the command line there."""
        env = {"AIRFLOW_KUBLER_CACHE": str(cache or self.world.files.root)}
        return CliRunner().invoke(root, ["--project", str(self.folder), *words], env=env)

    def tools(self) -> FactTools:
        """Make what reads facts."""
        return FactTools(files=self.world.files, artefacts=self.world.artefacts)

    def push(self, repository: str) -> LayoutImage:
        """Push the image under the tag `dev`."""
        image = read_image(self.layout)
        request = ShipRequest(
            layout=self.layout, repository=parse_repository(repository), day="20261130", tags=("dev",)
        )
        ship(client(), request, plan_ship(client(), request, image))
        return image


def make_bill_project(folder: Path, licences: Mapping[str, str] | None = None) -> BillProject:
    """Make the project of a stack `core` whose distributions state these licences, MIT where nothing is given."""
    world = make_world(folder)
    stated = {"alpha": "MIT", "beta": "MIT", "gamma": "MIT", **(licences or {})}
    candidates = tuple(_lock(world, project, text) for project, text in stated.items())
    plan = (
        PlannedLayer(name="core-alpha", stack="core", projects=("alpha",)),
        PlannedLayer(name="core-rest", stack="core", projects=("beta", "gamma")),
    )
    stack = replace(world.stack, stack="core", candidates=candidates, plan=plan)
    world = replace(world, stack=stack, artefacts=DirectoryArtefactStore(world.files.root, durable=False))
    for name in ("core", "analytics"):
        (folder / "stacks" / name).mkdir(parents=True)
        (folder / "stacks" / name / "stack.toml").write_text(_STACK)
    base = dump_base_lock(replace(world.base, inputs=base_inputs_digest(world.base.base)))
    (folder / "locks").mkdir()
    (folder / "locks/base.tiny.toml").write_bytes(base)
    lock = dump_stack_lock(replace(stack, base_lock=Digest.of(base)))
    (folder / "locks/pylock.core.toml").write_bytes(lock)
    history = History(folder / "ledger.db")
    recorded = history.build(world, layout=folder / "image")
    assert recorded.lock == lock
    return BillProject(folder=folder, world=world, history=history, recorded=recorded, layout=folder / "image")


def promote(project: BillProject, channel: str) -> None:
    """Let a channel stand for the image."""
    event = Promoted(stack="core", channel=channel, digest=project.recorded.digest, rules=digest_of("rules"))
    project.history.append(event)


def _lock(world: World, project: str, licence: str) -> LockedCandidate:
    says = f"Metadata-Version: 2.4\nName: {project}\nVersion: 1.0\n{licence_line(licence)}\n"
    parts = WheelParts(name=project, metadata=says.encode(), files={f"{project}/__init__.py": b"x = 1\n"})
    data = parts.pack()
    file = LockedFile(name=parts.file_name, size=len(data), sha256=world.files.add(data))
    return LockedCandidate(
        project=project,
        version="1.0",
        wheels={platform.name: file for platform in PLATFORMS.values()},
        dependencies=(),
        wanted_by=("stack:core",) if project == "alpha" else ("alpha",),
        upload_time=None,
    )


def licence_line(licence: str) -> str:
    """Write the header: a field for what is no expression."""
    return f"License: {licence[1:]}" if licence.startswith("=") else f"License-Expression: {licence}"
