"""A project in a folder, and everything that `lock` needs from outside, made up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from builder.digest import Digest
from builder.lock.base import dump_base_lock
from builder.lock.model import BaseLock, LockedDeb, LockedFile, ReleaseRecord
from builder.lock.pylock import parse_stack_lock
from builder.platform import AMD64, ARM64
from builder.project import Project, open_project, shipped_bases
from builder.resolve.model import IndexAddress, Resolution, ResolutionRequest, ResolvedCandidate
from builder.snapshot.model import OfferedFile
from builder.snapshot.world import World as SnapshotWorld
from builder.stack.inputs import base_inputs_digest
from builder.store.files import DirectoryFileStore
from builder.usecase.constraints import load_constraints
from builder.usecase.lock_model import LockTools
from tests.support.memory_snapshots import MadeUpUpstream, MemoryStore

AIRFLOW_STACK = """\
description = "For tests"
[airflow]
version = "3.3.2"
constraints = "none"
[base]
name = "trixie"
[plugins]
requirements = ["alpha"]
"""
CHILD_STACK = """\
description = "For tests"
extends = "core"
[plugins]
requirements = ["beta"]
"""


@dataclass(slots=True)
class World:
    """A resolver and a probe over a table of what there is; requests are kept."""

    offers: dict[str, str] = field(default_factory=lambda: {"apache-airflow": "3.3.2", "alpha": "1.0", "beta": "1.0"})
    """Project to its newest version."""
    older: set[tuple[str, str]] = field(default_factory=set)
    """Projects and versions that are offered too."""
    requires: dict[str, tuple[str, ...]] = field(default_factory=dict)
    times: dict[str, str] = field(default_factory=dict)
    requests: list[ResolutionRequest] = field(default_factory=list)
    remembered: dict[Digest, Sequence[str]] = field(default_factory=dict)
    bases_locked: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    release_date: int = 1_700_000_000
    name: str = "fake 1"
    snapshots: MemoryStore = field(default_factory=MemoryStore)

    def resolve(self, request: ResolutionRequest) -> Resolution:
        """Follow requirements through the table; pins win over preferences, these over what is newest."""
        self.requests.append(request)
        pins, found = dict(request.preferences) | dict(request.pins), dict[str, ResolvedCandidate]()
        todo: list[str] = [canonicalize_name(Requirement(text).name) for text in request.requirements]
        while todo:
            project = todo.pop()
            if project in found:
                continue
            needs = self.requires.get(project, ())
            todo += needs
            version = pins.get(project, self.offers[project])
            found[project] = ResolvedCandidate(project=project, version=version, dependencies=needs)
        return Resolution(platform=request.platform, candidates=tuple(found[name] for name in sorted(found)))

    def upstream(self) -> MadeUpUpstream:
        """Offer a wheel of each version that anything names."""
        made = MadeUpUpstream()
        versions = {(project, version) for project, version in self.offers.items()} | self.older
        for project, version in sorted(versions):
            made.offer(project, version, upload_time=self.times.get(project, "2023-11-01T00:00:00Z"))
        return made

    def measure(self, wheels: Sequence[OfferedFile]) -> tuple[LockedFile, ...]:
        """Make up size and hash from the name."""
        return tuple(
            LockedFile(name=wheel.name, size=len(wheel.name), sha256=Digest.of(wheel.name.encode())) for wheel in wheels
        )

    def remember(self, urls: Mapping[Digest, Sequence[str]]) -> None:
        """Keep where files were seen."""
        self.remembered.update(urls)

    def tools(self, project: Project) -> LockTools:
        """Bundle what `lock` needs."""

        def lock_base(name: str) -> bytes:
            self.bases_locked.append(name)
            return dump_base_lock(self.base_lock(project, name))

        return LockTools(
            world=SnapshotWorld(self.upstream(), self.snapshots, now=0, refresh=True),
            serve=lambda _: IndexAddress(url="http://index.invalid/simple", proxy="http://127.0.0.1:1"),
            resolver=lambda _: self,
            wheel_builder=lambda *_: None,
            constraints=lambda project, stack, _: load_constraints(project, stack),
            probe=self,
            remember=self.remember,
            files=DirectoryFileStore(project.root / "cache"),
            snapshots=self.snapshots,
            lock_base=lock_base,
            say=self.said.append,
            now=0,
        )

    def base_lock(self, project: Project, name: str) -> BaseLock:
        """Make the lock of a base, with one deb."""
        base = project.load_base(name)
        deb = LockedDeb(
            package="bash",
            version="5",
            architecture="all",
            source="bash",
            suite=base.suites[0],
            pool_path="pool/main/b/bash/bash_5_all.deb",
            file=LockedFile(name="bash_5_all.deb", size=1, sha256=Digest.of(b"bash")),
            platforms=(AMD64, ARM64),
        )
        return BaseLock(
            name=name,
            inputs=base_inputs_digest(base),
            release=base.release,
            python_version=f"{base.python}.5",
            glibc="2.41",
            created=self.release_date,
            releases=(ReleaseRecord(suite=base.suites[0], date=self.release_date, sha256=Digest.of(b"release")),),
            debs=(deb,),
            base=base,
        )


def make_project(root: Path, **stacks: str) -> Project:
    """Write stacks and the base trixie into a folder."""
    for name, text in (stacks or {"core": AIRFLOW_STACK}).items():
        path = root / "stacks" / name / "stack.toml"
        path.parent.mkdir(parents=True)
        path.write_text(text, encoding="utf-8")
    (root / "stacks/bases").mkdir()
    (root / "stacks/bases/trixie.toml").write_bytes(shipped_bases()["trixie"])
    return open_project(root)


def read_versions(project: Project, stack: str) -> dict[str, str]:
    """Read a lock's projects and versions."""
    data = project.stack_lock_path(stack).read_bytes()
    return {candidate.project: candidate.version for candidate in parse_stack_lock(data, file=stack).candidates}
