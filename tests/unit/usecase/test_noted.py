"""What is found out while a lock is made belongs to its snapshot, and to no live run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest

from builder.digest import Digest
from builder.lock.model import BuiltWheel, LockedFile
from builder.snapshot.model import Built, OfferedFile
from builder.snapshot.rules import ViewRules
from builder.snapshot.world import World
from builder.usecase.noted import NotedBuilder, NotedProbe
from tests.support.memory_snapshots import MadeUpUpstream, MemoryStore

SDIST = OfferedFile(name="demo-1.0.tar.gz", url="https://i.example/demo-1.0.tar.gz", sha256="ab" * 32, size=7)
WHEEL = OfferedFile(name="demo-1.0-py3-none-any.whl", url="https://i.example/demo.whl", sha256="cd" * 32)


def locked(name: str, size: int = 7) -> LockedFile:
    return LockedFile(name=name, size=size, sha256=Digest.of(name.encode()))


@dataclass
class Fake:
    """A probe and a builder that count, and answer another thing each time."""

    key: str = "python-1"
    calls: list[str] = field(default_factory=list)

    def measure(self, wheels: Sequence[OfferedFile]) -> tuple[LockedFile, ...]:
        self.calls += [wheel.name for wheel in wheels]
        return tuple(locked(wheel.name, size=len(self.calls)) for wheel in wheels)

    def build(self, project: str, version: str, sdist: OfferedFile) -> Built:
        self.calls.append(f"{project} {version}")
        tool = ("maker", str(len(self.calls)), locked("maker.whl"))
        record = BuiltWheel(sdist=LockedFile(name=sdist.name, size=7, sha256=Digest("ab" * 32)), requires=(tool,))
        return Built(wheel=locked("demo.whl"), metadata=b"Name: d\xc3\xa9mo\xff\n", record=record)


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def live(store: MemoryStore) -> World:
    return World(MadeUpUpstream(), store, now=0)


def replaying(world: World, store: MemoryStore) -> World:
    return World(MadeUpUpstream(), store, now=9, replay=world.snapshot())


def test_only_what_an_index_left_out_is_noted(live: World, store: MemoryStore) -> None:
    whole = replace(WHEEL, size=3, name="whole-1.0-py3-none-any.whl", url="https://i.example/whole.whl")
    fake = Fake()
    first = NotedProbe(live, fake).measure([whole, WHEEL])
    again = NotedProbe(replaying(live, store), fake).measure([WHEEL])
    assert again == first[1:]
    assert fake.calls == [whole.name, WHEEL.name]
    assert len(live.snapshot().metadata) == 1


def test_a_live_run_asks_and_builds_whatever_was_noted(live: World) -> None:
    fake = Fake()
    for _ in range(2):
        NotedProbe(live, fake).measure([WHEEL])
        NotedBuilder(live, fake, ViewRules()).build("demo", "1.0", SDIST)
    assert len(fake.calls) == 4


def test_a_replayed_snapshot_gives_the_wheel_that_was_built(live: World, store: MemoryStore) -> None:
    fake = Fake()
    built = NotedBuilder(live, fake, ViewRules()).build("demo", "1.0", SDIST)
    again = replaying(live, store)
    assert NotedBuilder(again, fake, ViewRules()).build("demo", "1.0", SDIST) == built
    assert NotedBuilder(again, fake, ViewRules(), [built.record]).build("demo", "1.0", SDIST) == built
    assert fake.calls == ["demo 1.0"]


def test_a_wheel_built_under_other_terms_is_built_again(live: World, store: MemoryStore) -> None:
    fake = Fake()
    built = NotedBuilder(live, fake, ViewRules()).build("demo", "1.0", SDIST)
    again = replaying(live, store)
    NotedBuilder(again, Fake(key="python-2", calls=fake.calls), ViewRules()).build("demo", "1.0", SDIST)
    NotedBuilder(again, fake, ViewRules(cooldown_days=7)).build("demo", "1.0", SDIST)
    NotedBuilder(again, fake, ViewRules(), [replace(built.record, requires=())]).build("demo", "1.0", SDIST)
    assert len(fake.calls) == 4
