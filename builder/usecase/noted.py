"""What is found out while a lock is made, kept with the snapshot: so that it answers for itself, on any machine, offline.

An index says what it offers; two things of a lock are found out beside that. Size and hash of files, where the index leaves
them out; and the wheels that are built of sdists. A live run asks and builds as ever, and notes what came of it. A replayed
snapshot gives what was noted; what was not is asked for and built.

A noted wheel is as good as the noted metadata of any other: `fetch` builds it again, and takes none that comes out otherwise.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from builder.canonical import dump_json
from builder.digest import Digest
from builder.lock.model import BuiltWheel, LockedFile
from builder.snapshot.model import Built, OfferedFile, file_key, metadata_key

if TYPE_CHECKING:
    from builder.resolve.model import WheelProbe
    from builder.snapshot.model import WheelBuilder
    from builder.snapshot.rules import ViewRules
    from builder.snapshot.world import World

_FORMAT = 1


class NotedProbe:
    """A WheelProbe whose answers belong to the snapshot.

    Args:
        world: keeps the notes, or replays them.
        inner: asks where files are.
    """

    def __init__(self, world: World, inner: WheelProbe) -> None:
        self._world = world
        self._inner = inner

    def measure(self, wheels: Sequence[OfferedFile]) -> tuple[LockedFile, ...]:
        """Name, size and sha256 of each wheel, in the order given."""
        noted = {wheel.url: file for wheel in wheels if (file := self._noted(wheel))}
        asked = [wheel for wheel in wheels if wheel.url not in noted]
        found = dict(noted)
        for wheel, file in zip(asked, self._inner.measure(asked), strict=True):
            found[wheel.url] = file
            if wheel.size is None or wheel.sha256 is None:
                self._world.note(file_key(wheel), dump_json(_file_to_list(file)), lasting=True)
        return tuple(found[wheel.url] for wheel in wheels)

    def _noted(self, wheel: OfferedFile) -> LockedFile | None:
        if wheel.size is not None and wheel.sha256 is not None:
            return None
        data = self._world.noted(file_key(wheel))
        return _file_from_list(json.loads(data)) if data else None


class NotedBuilder:
    """A WheelBuilder whose wheels belong to the snapshot.

    Args:
        world: keeps the notes, or replays them.
        inner: builds.
        rules: of the stack, which build requirements are under too.
        known: wheels of the locks before, whose requirements are kept.
    """

    def __init__(self, world: World, inner: WheelBuilder, rules: ViewRules, known: Sequence[BuiltWheel] = ()) -> None:
        self._world = world
        self._inner = inner
        self._scope = _scope(inner.key, rules)
        self._known = {record.sdist.sha256: record for record in known}

    @property
    def key(self) -> str:
        """Name what decides about a wheel besides its sdist and requirements."""
        return self._inner.key

    def build(self, project: str, version: str, sdist: OfferedFile) -> Built:
        """Give the wheel that the snapshot knows, else build it."""
        key = f"built:{metadata_key(sdist)}:{self._scope}"
        data = self._world.noted(key)
        noted = _built_from_dict(json.loads(data)) if data else None
        if noted and self._known.get(noted.record.sdist.sha256, noted.record) == noted.record:
            return noted
        built = self._inner.build(project, version, sdist)
        self._world.note(key, dump_json(_built_to_dict(built)))
        return built


def _scope(builder_key: str, rules: ViewRules) -> str:
    """Name what a stack states that decides which build requirements are chosen."""
    value = [
        _FORMAT,
        builder_key,
        rules.as_of.isoformat() if rules.as_of else "",
        rules.cooldown_days,
        sorted(rules.index_cooldowns.items()),
        sorted(rules.exceptions),
        list(rules.reserved),
    ]
    return Digest.of(dump_json(value)).hex[:16]


def _file_to_list(file: LockedFile) -> list[str | int]:
    return [file.name, file.size, file.sha256.hex]


def _file_from_list(value: Sequence[Any]) -> LockedFile:
    name, size, sha256 = value
    return LockedFile(name=name, size=size, sha256=Digest(sha256))


def _built_to_dict(built: Built) -> dict[str, Any]:
    return {
        "wheel": _file_to_list(built.wheel),
        "metadata": built.metadata.decode("latin-1"),
        "sdist": _file_to_list(built.record.sdist),
        "requires": [[project, version, _file_to_list(file)] for project, version, file in built.record.requires],
        **({"compilers": built.record.compilers.hex} if built.record.compilers else {}),
    }


def _built_from_dict(value: Mapping[str, Any]) -> Built:
    requires = tuple((project, version, _file_from_list(file)) for project, version, file in value["requires"])
    return Built(
        wheel=_file_from_list(value["wheel"]),
        metadata=value["metadata"].encode("latin-1"),
        record=BuiltWheel(
            sdist=_file_from_list(value["sdist"]),
            requires=requires,
            compilers=Digest(value["compilers"]) if "compilers" in value else None,
        ),
    )
