"""Locks of a night between workers that share no folder: each brings what its task stands on, and hands on what it made.

- The first line of the journal says what lock files there were, by digest; a step that locks says what it left.
- Files go by way of the ledger's service: documents of the ledger, or files of the night, named by their digest.
- A worker's own `stacks/` must be those that the night began with. Its `locks/` may be older, or newer: they are made to fit.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec.structs import replace

from builder.archive.segments import parse_record
from builder.atomic import replacing
from builder.digest import Digest
from builder.errors import DigestMismatchError, InvalidInputError, MissingBlobError
from builder.ledger.events import Built, Locked
from builder.ledger.queries import event_of
from builder.nightly.model import Result, Step, StepDone
from builder.service.wire import kept_as
from builder.usecase.night import NightWork
from builder.usecase.segments import RECORD, record_set
from builder.wiring.nightly import OUTPUT, parents_of

if TYPE_CHECKING:
    from builder.ledger.model import LedgerReader
    from builder.nightly.model import Begun, Night
    from builder.project import Project
    from builder.usecase.nightly import NightShelf

_LOCKS: Final = frozenset({Step.REFRESH, Step.LOCK})
_LOCK: Final = re.compile(
    r"(?:(?:pylock|base)\.[A-Za-z0-9._-]+\.toml|constraints\.[A-Za-z0-9._-]+\.txt|segments\.toml)"
)
"""A file of the folder of locks."""
_CONSTRAINTS: Final = "constraints."
_MOST_PASSED: Final = 50
"""Nights that a checkout may be behind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HandedLocks:
    """The locks of one worker, and those of the others."""

    project: Project
    shelf: NightShelf
    ledger: LedgerReader

    def beginning(self, make: Callable[[str], Begun]) -> Callable[[str], Begun]:
        """Make what makes a night's first line: with the locks of the night before where nobody has changed them since."""

        def make_here(name: str) -> Begun:
            passed = self._adopt(self._digests(self._files()))
            self._adopt_pins()
            stood = digest_of_folder(self.project.stacks_folder)
            return replace(make(name), stacks=stood, locks=self._digests(self._files()), passed=passed)

        return make_here

    def offer(self, night: Night) -> None:
        """Hand on what a night begins with and the ledger does not have; again where the one who began it was killed."""
        begun = night.begun
        known = set(newest_locks(self.ledger, begun.before).values())
        for name, digest in begun.locks.items():
            path = self.project.locks_folder / name
            if digest not in known and self._digest(path) == digest:
                self.shelf.keep(begun.night, kept_as(digest), path.read_bytes())

    def prepare(self, night: Night, node: str) -> None:
        """Make this worker ready for a task: its stacks are the night's, and it has the locks that the task stands on."""
        self.check(night.begun)
        self.bring(night, nodes_below(night.begun, node))

    def check(self, begun: Begun) -> None:
        """Refuse a worker whose stacks are others; raises InvalidInputError."""
        if begun.stacks != digest_of_folder(self.project.stacks_folder):
            raise InvalidInputError(
                f"are not those that night {begun.night} began with",
                context=str(self.project.stacks_folder),
                hint="give all workers the same commit, and begin the next night after they have it",
            )

    def bring(self, night: Night, nodes: Iterable[str]) -> None:
        """Make the lock files of nodes what the night has by now: of stacks and bases, and all constraints."""
        wanted = locks_of(night)
        names = {_file_of(node) for node in nodes}
        for name, digest in wanted.items():
            if name in names or _is_shared(name):
                self._bring(night.begun.night, name, digest)

    def restore(self, night: Night) -> None:
        """Make all lock files what they were when the night began."""
        for name, digest in night.begun.locks.items():
            self._bring(night.begun.night, name, digest)
        for path in self._files():
            if path.name not in night.begun.locks:
                path.unlink()

    def _adopt(self, found: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
        """Take the locks that the last night left, which may be in nobody's git yet; says which digests nights went by.

        A lock that is none of those was made by a person since, by a commit or a revert: it stays.
        """
        names = self.shelf.names()
        if not names:
            return {}
        last, handed = self.shelf.read(names[-1]), self._handed()
        nodes = (
            *(f"stack:{name}" for name in self.project.stack_names()),
            *(f"base:{name}" for name in self.project.base_names()),
        )
        known, passed = {_file_of(node) for node in nodes}, {}
        for name, digest in locks_of(last).items():
            here = found.get(name, "")
            by = (*last.begun.passed.get(name, ()), last.begun.locks.get(name, ""))
            is_handed = bool(here) and handed.get(name) == here
            if name not in known and not name.startswith(_CONSTRAINTS):
                continue
            if is_handed or (here != digest and here in by):
                self._bring(last.begun.night, name, digest)
                passed[name] = tuple(dict.fromkeys(by))[-_MOST_PASSED:]
        return passed

    def keep_pins(self, night: str) -> None:
        """Keep what segments are pinned by when a night is over, for the next."""
        path = self.project.locks_folder / RECORD
        if path.is_file():
            self.shelf.keep(night, RECORD, path.read_bytes())

    def _adopt_pins(self) -> None:
        """Pin the segments that the last night pinned, which may be in nobody's git yet."""
        for name in self.shelf.names()[-1:]:
            if (data := self.shelf.file(name, RECORD)) is not None:
                for stack, digest in parse_record(data, file=f"{self.shelf.place(name)}: {RECORD}").items():
                    record_set(self.project.locks_folder, stack, digest)

    def hand_on(self, night: str, done: StepDone, before: Mapping[str, str]) -> StepDone:
        """Hand on what a step locked, and say so in its line."""
        mine = self._digests([self.project.locks_folder / _file_of(done.node), *self._constraints()])
        for name, digest in mine.items():
            if before.get(name) != digest:
                self.shelf.keep(night, kept_as(digest), (self.project.locks_folder / name).read_bytes())
        self._note(mine)
        return replace(done, facts={**done.facts, "files": mine})

    def _bring(self, night: str, name: str, digest: str) -> None:
        if not _LOCK.fullmatch(name):
            raise InvalidInputError(f"{name[:80]!r} is no lock", context=f"night {night}")
        path = self.project.locks_folder / name
        if self._digest(path) == digest:
            return
        data = self.shelf.file(night, kept_as(digest)) if night else None
        if data is None:
            data = self.ledger.document(Digest.parse(digest))
        if data is None:
            raise MissingBlobError(
                f"{digest} is nowhere: neither in the ledger nor among the files of the night",
                context=f"locks/{name}",
                hint="run what began the night again, where it ran: it hands on what it began with",
            )
        if str(Digest.of(data)) != digest:
            raise DigestMismatchError(f"came as {Digest.of(data)}, not {digest}", context=f"locks/{name}")
        self._note({name: digest})
        self.project.save_lock(path, data)

    def _handed(self) -> Mapping[str, str]:
        """Read which lock files this worker has from others, or made for a night: they are nobody's own."""
        try:
            return msgspec.json.decode(self._handed_path.read_bytes(), type=dict[str, str])
        except (FileNotFoundError, msgspec.MsgspecError):
            return {}

    def _note(self, digests: Mapping[str, str]) -> None:
        self._handed_path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(self._handed_path, mode=0o644) as stream:
            stream.write(msgspec.json.encode({**self._handed(), **digests}))

    @property
    def _handed_path(self) -> Path:
        return self.project.root / OUTPUT / "locks-handed.json"

    def _files(self) -> list[Path]:
        folder = self.project.locks_folder
        return sorted(path for path in folder.glob("*") if path.is_file() and _LOCK.fullmatch(path.name))

    def _constraints(self) -> list[Path]:
        return [path for path in self._files() if path.name.startswith(_CONSTRAINTS)]

    def _digests(self, paths: Iterable[Path]) -> dict[str, str]:
        found = ((path.name, self._digest(path)) for path in paths)
        return {name: digest for name, digest in found if digest}

    @staticmethod
    def _digest(path: Path) -> str:
        return str(Digest.of(path.read_bytes())) if path.is_file() else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HandingWork:
    """A NightWork that hands on what it locks."""

    work: NightWork
    handed: HandedLocks
    night: Night

    def do(self, node: str, step: Step) -> StepDone:
        """Do a step."""
        done = self.work.do(node, step)
        if step not in _LOCKS or done.result not in {Result.DONE, Result.UNCHANGED}:
            return done
        return self.handed.hand_on(self.night.begun.night, done, self.night.begun.locks)

    def stands(self, done: StepDone) -> bool:
        """Tell whether what a step made is there as it was."""
        return self.work.stands(done)


def newest_locks(ledger: LedgerReader, stacks: Iterable[str]) -> dict[str, str]:
    """Map lock files of stacks and their bases to the digests that a ledger knows last."""
    locks: dict[str, str] = {}
    bases: dict[str, tuple[int, str]] = {}
    for stack in stacks:
        for entry in ledger.find("stack", stack, kinds=(Locked.kind, Built.kind), limit=1):
            event = event_of(entry, Locked) if entry.kind == Locked.kind else event_of(entry, Built)
            locks[_file_of(f"stack:{stack}")] = event.lock
            file = _file_of(f"base:{event.base}")
            bases[file] = max(bases.get(file, (-1, "")), (entry.number, event.base_lock))
    return locks | {file: digest for file, (_, digest) in bases.items()}


def locks_of(night: Night) -> dict[str, str]:
    """Map lock files to digests, as the night has them by now."""
    found = dict(night.begun.locks)
    for done in night.steps:
        if done.step in _LOCKS:
            found |= done.facts.get("files", {})
    return found


def nodes_below(begun: Begun, node: str) -> tuple[str, ...]:
    """List a node and what its locks stand on: parents, and the bases of all of them."""
    kind, _, name = node.partition(":")
    if kind == "base":
        return (node,)
    stacks = (name, *parents_of(begun.parents, name))
    bases = {begun.bases[one] for one in stacks if one in begun.bases}
    return (*(f"stack:{one}" for one in stacks), *(f"base:{base}" for base in sorted(bases)))


def digest_of_folder(folder: Path) -> str:
    """Hash the names and bytes of a folder's files, whatever their modes and times."""
    from builder.canonical import dump_json

    rows = {
        path.relative_to(folder).as_posix(): str(Digest.of(path.read_bytes()))
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    return str(Digest.of(dump_json(rows)))


def _file_of(node: str) -> str:
    kind, _, name = node.partition(":")
    return f"base.{name}.toml" if kind == "base" else f"pylock.{name}.toml"


def _is_shared(name: str) -> bool:
    """Tell whether a file is of no one node: constraints, and what segments are pinned by."""
    return name.startswith(_CONSTRAINTS) or name == RECORD
