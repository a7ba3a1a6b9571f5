"""A made-up image with what a scanner looks for: Debian's files and packages, distributions, some of them weak."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from builder.digest import Digest
from builder.image.layout_reader import FolderLayout
from builder.ledger.entry import Actor
from builder.lock.base import dump_base_lock, parse_base_lock
from builder.lock.model import LockedDeb, LockedFile, PlannedLayer
from builder.lock.pylock import parse_stack_lock
from builder.lock.pylock_writer import dump_stack_lock
from builder.oci.layout import parse_layout
from builder.project import Project, open_project
from builder.registry.model import Registry
from builder.scan.canary import make_canary, shipped_canaries
from builder.scan.database import Database
from builder.scan.trivy import Scanner
from builder.stack.inputs import base_inputs_digest
from builder.stack.model import BaseFile
from builder.usecase.scan import ScanTools
from builder.usecase.scan_target import Places, ScanTarget
from tests.support.advisories import CANARY, UPDATED, Advisories, Advisory
from tests.support.made_up import PLATFORMS, World, make_candidate, make_deb, make_world
from tests.support.recorded import History, Recorded

NOW = UPDATED + 3600
PLANTED = Advisories(
    debian=(*CANARY.debian, Advisory(id="CVE-2099-0002", name="openssl", severity="LOW")),
    pip=(
        *CANARY.pip,
        Advisory(id="CVE-2099-0003", name="beta", below="<2.1", fixed=("2.1", "3.0.1"), severity="MEDIUM"),
    ),
)
"""The canaries' own are in the image too: openssl and requests."""
_STACK = """\
description = "Made up"
owners = ["team:tiny"]
[airflow]
version = "3.3.2"
constraints = "none"
[base]
name = "tiny"
[plugins]
requirements = ["requests"]
[image]
platforms = ["linux/amd64", "linux/arm64"]
"""


def make_scan_world(folder: Path, *, system: bool = True) -> World:
    """Make a world like made_up's, with openssl in its base and requests in its stack.

    Args:
        folder: for its store.
        system: whether the files are there that tell which system it is.
    """
    world = make_world(folder)
    debs = [_openssl(world, platform.architecture) for platform in PLATFORMS]
    told = (
        BaseFile(path="etc/debian_version", content="13.8\n"),
        BaseFile(path="usr/lib/os-release", content='ID=debian\nVERSION_ID="13"\n'),
    )
    base = replace(
        world.base,
        debs=tuple(sorted((*world.base.debs, *debs), key=lambda deb: (deb.package, deb.architecture))),
        base=replace(world.base.base, files=(*world.base.base.files, *(told if system else ()))),
    )
    requests = replace(
        make_candidate(world.files, "requests", "2.19.0", {"requests/__init__.py": b"r = 1\n"}), wanted_by=("alpha",)
    )
    asked = tuple(
        replace(one, wanted_by=("stack:tiny",)) if one.project == "alpha" else one for one in world.stack.candidates
    )
    stack = replace(
        world.stack,
        candidates=(*asked, requests),
        plan=(*world.stack.plan, PlannedLayer(name="tiny-requests", stack="tiny", projects=("requests",))),
    )
    return replace(world, base=base, stack=stack)


def mend_openssl(world: World) -> World:
    """Give the base an openssl that mends what is mended."""
    debs = [deb for deb in world.base.debs if deb.package != "libssl3t64"]
    debs += [_openssl(world, platform.architecture, "3.5.9-1") for platform in PLATFORMS]
    ordered = tuple(sorted(debs, key=lambda deb: (deb.package, deb.architecture)))
    return replace(world, base=replace(world.base, debs=ordered))


def _openssl(world: World, architecture: str, version: str = "3.5.1-1") -> LockedDeb:
    data = make_deb(
        "libssl3t64", {"usr/lib/libssl.so.3": b"ssl"}, architecture=architecture, version=version, source="openssl"
    )
    name = f"libssl3t64_{version}_{architecture}.deb"
    return LockedDeb(
        package="libssl3t64",
        version=version,
        architecture=architecture,
        source="openssl",
        suite="trixie",
        pool_path=f"pool/main/{name}",
        file=LockedFile(name=name, size=len(data), sha256=world.files.add(data)),
        platforms=tuple(platform for platform in PLATFORMS if platform.architecture == architecture),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanProject:
    """A project with the stack `tiny`, built and on record."""

    project: Project
    world: World
    history: History
    recorded: Recorded

    @property
    def layout(self) -> Path:
        """Where it was built."""
        return self.project.root / "build/tiny"

    @property
    def ledger(self) -> Path:
        """Of the project."""
        return self.project.root / "ledger.db"

    def target(self) -> ScanTarget:
        """The image, found."""
        return target_of(self.world, self.layout)


def make_scan_project(folder: Path, world: World | None = None) -> ScanProject:
    """Write a project: stack, locks, image and ledger."""
    world = world or make_scan_world(folder / "world")
    root = folder / "project"
    (root / "stacks/tiny").mkdir(parents=True)
    (root / "stacks/tiny/stack.toml").write_text(_STACK)
    (root / "locks").mkdir()
    history = History(root / "ledger.db")
    recorded = history.build(world, layout=root / "build/tiny")
    (root / "locks/pylock.tiny.toml").write_bytes(recorded.lock)
    (root / "locks/base.tiny.toml").write_bytes(recorded.base)
    return ScanProject(project=open_project(root), world=world, history=history, recorded=recorded)


def target_of(world: World, layout: Path, *, owners: Sequence[str] = ("team:tiny",)) -> ScanTarget:
    """Make a target of an image that lies in a folder, with the locks of its world."""
    base = dump_base_lock(replace(world.base, inputs=base_inputs_digest(world.base.base)))
    lock = dump_stack_lock(replace(world.stack, base_lock=Digest.of(base)))
    image = parse_layout(FolderLayout(layout))
    return ScanTarget(
        name="tiny",
        digest=image.descriptor.digest,
        stack="tiny",
        layout=layout,
        platforms=image.platforms,
        lock_digest=Digest.of(lock),
        lock=parse_stack_lock(lock, file="lock"),
        base=parse_base_lock(base, file="base"),
        owners={"tiny": tuple(owners)},
    )


def tools_of(scanner: Scanner, *, pinned: bool = True, now: int = NOW) -> ScanTools:
    """Make what scans, of a scanner."""
    database = Database(
        folder=Path("nowhere"), sha256=Digest.of(b"database"), size=1, updated=UPDATED, artifact=Digest.of(b"artifact")
    )
    canary = make_canary(shipped_canaries())
    return ScanTools(scanner=scanner, database=database, canary=canary, pinned=pinned, now=now)


def places_of(project: ScanProject, room: Path, registry: Registry | None = None) -> Places:
    """Make the places where images of a project lie, without its ledger."""

    @contextmanager
    def open_registry() -> Iterator[Registry]:
        assert registry is not None, "no registry was to be asked"
        yield registry

    room.mkdir(parents=True, exist_ok=True)
    root = project.project.root
    return Places(
        project=project.project,
        built=lambda stack: root / "build" / stack,
        ledger=None,
        registry=open_registry,
        room=room,
    )


SOMEBODY = Actor(name="nightly", method="local", host="builder-1")
