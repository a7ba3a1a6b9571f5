"""Record: what was done, written into the ledger once it is done.

- What the ledger knows already is not written again: a build that had nothing to do, a push of nothing new.
- Documents come along (locks, index, manifests, configs), each as its difference from the stack's one before, so that an
  image is known without git, registry or store.
- Where recording fails, what was done stands; doing it again is cheap, and records it.
"""

from __future__ import annotations

import tarfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from builder.digest import Digest
from builder.errors import LockInvalidError
from builder.image.layout_reader import FolderLayout
from builder.ledger.entry import Actor, Entry
from builder.ledger.events import Built, Event, Locked, Pushed
from builder.ledger.model import Ledger, LedgerReader, NewDocument, NewEntry
from builder.ledger.parts import BuiltPlatform, Move, Revisions, TagMove
from builder.ledger.queries import event_of
from builder.lock.base import parse_base_lock
from builder.lock.model import BaseLock, StackLock
from builder.lock.pylock import parse_stack_lock
from builder.oci.layout import blob_path
from builder.usecase.build import is_archive, read_lock

OWN_ENGINE: Final = "airflow-kubler"
ReadBlob = Callable[[Digest], bytes]
"""Gives an index, manifest or config of an image by digest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LockFiles:
    """The locks of a stack as bytes, and what they say."""

    stack: StackLock
    stack_bytes: bytes
    base: BaseLock
    base_bytes: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildDone:
    """A build that has just ended."""

    locks: LockFiles
    summary: Mapping[str, Any]
    """What `build` returned."""
    read: ReadBlob
    engine: str
    compression: str
    seconds: float
    revisions: Sequence[tuple[Revisions, bytes]] = ()
    """Database schemas that the image's code expects, each with the document of its history."""


def read_lock_files(folder: Path, stack: str) -> LockFiles:
    """Read the locks of a stack from the folder of locks; raises LockInvalidError where one is missing or damaged."""
    file = f"pylock.{stack}.toml"
    data = read_lock(folder, file, stack)
    lock = parse_stack_lock(data, file=f"locks/{file}")
    base_file = f"base.{lock.base}.toml"
    base = read_lock(folder, base_file, stack)
    return LockFiles(
        stack=lock, stack_bytes=data, base=parse_base_lock(base, file=f"locks/{base_file}"), base_bytes=base
    )


def blob_reader(output: Path) -> ReadBlob:
    """Make what reads documents of an image that was built into a folder, or into one tar file."""
    if not is_archive(output):
        layout = FolderLayout(output)
        return lambda digest: layout.read(blob_path(digest))

    def read(digest: Digest) -> bytes:
        with tarfile.open(output) as archive:
            found = archive.extractfile(blob_path(digest))
            return found.read() if found else b""

    return read


def record_lock(ledger: Ledger, locks: LockFiles, actor: Actor) -> Entry | None:
    """Record a stack's lock; None where it is the one that the ledger knows."""
    before = _latest(ledger, locks.stack.stack)
    digest = str(Digest.of(locks.stack_bytes))
    if before is not None and before.lock == digest:
        return None
    moves, base_moves = _moves(ledger, before, locks)
    event = Locked(
        stack=locks.stack.stack,
        lock=digest,
        base=locks.base.name,
        base_lock=str(Digest.of(locks.base_bytes)),
        before=before.lock if before else "",
        airflow=locks.stack.airflow_version,
        moves=moves,
        base_moves=base_moves,
    )
    return ledger.append([NewEntry(event=event, documents=_lock_documents(ledger, locks))], actor)[0]


def knows_build(ledger: LedgerReader, locks: Path, summary: Mapping[str, Any], engine: str) -> bool:
    """Tell whether a stack's latest build in the ledger gave this image of the lock that lies in a folder."""
    stack = summary["stack"]
    before = _latest_build(ledger, stack)
    return before is not None and (before.digest, before.lock, before.engine) == (
        summary["index_digest"],
        str(Digest.of(read_lock(locks, f"pylock.{stack}.toml", stack))),
        engine,
    )


def record_build(ledger: Ledger, done: BuildDone, actor: Actor) -> Entry:
    """Record a build."""
    from builder.image.formats import format_names

    platforms = tuple(_platform(name, one) for name, one in sorted(done.summary["platforms"].items()))
    event = Built(
        stack=done.locks.stack.stack,
        digest=done.summary["index_digest"],
        lock=str(Digest.of(done.locks.stack_bytes)),
        base=done.locks.base.name,
        base_lock=str(Digest.of(done.locks.base_bytes)),
        platforms=platforms,
        airflow=done.locks.stack.airflow_version,
        engine=done.engine,
        compression=done.compression,
        seconds=round(done.seconds, 3),
        revisions=tuple(revisions for revisions, _ in done.revisions),
        formats=format_names() if done.engine == OWN_ENGINE else (),
    )
    before = _latest_build(ledger, event.stack)
    documents = (
        *_lock_documents(ledger, done.locks),
        *_image_documents(event, before or _latest_build(ledger, *done.locks.stack.parents[:1]), done.read),
        *(NewDocument(data=history) for _, history in done.revisions if history),
    )
    return ledger.append([NewEntry(event=event, documents=documents)], actor)[0]


def record_push(ledger: Ledger, event: Pushed, actor: Actor) -> Entry | None:
    """Record a push or a move of tags; None where nothing was sent and no tag moved, and the image was known there."""
    known = any(
        event_of(entry, Pushed).repository == event.repository
        for entry in ledger.find("digest", event.digest, kinds=(Pushed.kind,))
    )
    if known and not event.sent_bytes and not event.tags:
        return None
    return ledger.append([NewEntry(event=event)], actor)[0]


def tag_moves(tags: Iterable[str], before: Mapping[str, Digest | None], digest: Digest) -> tuple[TagMove, ...]:
    """List the tags that stand for another digest than before."""
    moved = ((tag, before.get(tag)) for tag in tags)
    return tuple(TagMove(tag=tag, before=str(was) if was else "") for tag, was in moved if was != digest)


def record_event(ledger: Ledger, event: Event, report: bytes | None, actor: Actor) -> Entry:
    """Record what another system found out, with its report."""
    documents = [] if report is None else [NewDocument(data=report)]
    return ledger.append([NewEntry(event=event, documents=documents)], actor)[0]


def _latest(ledger: LedgerReader, stack: str) -> Locked | Built | None:
    """Find what the ledger knows last of a stack's lock."""
    for entry in ledger.find("stack", stack, kinds=(Locked.kind, Built.kind), limit=1):
        return event_of(entry, Locked) if entry.kind == Locked.kind else event_of(entry, Built)
    return None


def _latest_build(ledger: LedgerReader, stack: str = "") -> Built | None:
    for entry in ledger.find("stack", stack, kinds=(Built.kind,), limit=1) if stack else ():
        return event_of(entry, Built)
    return None


def _lock_documents(ledger: LedgerReader, locks: LockFiles) -> tuple[NewDocument, ...]:
    """Put both locks beside those that they are much like: the stack's before, else its parent's."""
    like = _latest(ledger, locks.stack.stack)
    for parent in locks.stack.parents[:1]:
        like = like or _latest(ledger, parent)
    below = like.base_lock if like is not None and like.base == locks.base.name else ""
    return (
        NewDocument(data=locks.base_bytes, like=_parse(below)),
        NewDocument(data=locks.stack_bytes, like=_parse(like.lock if like else "")),
    )


def _image_documents(event: Built, before: Built | None, read: ReadBlob) -> Iterable[NewDocument]:
    old = {one.platform: one for one in before.platforms} if before else {}
    yield NewDocument(data=read(Digest.parse(event.digest)), like=_parse(before.digest if before else ""))
    for one in event.platforms:
        like = old.get(one.platform)
        yield NewDocument(data=read(Digest.parse(one.manifest)), like=_parse(like.manifest if like else ""))
        yield NewDocument(data=read(Digest.parse(one.config)), like=_parse(like.config if like else ""))


def _parse(digest: str) -> Digest | None:
    return Digest.parse(digest) if digest else None


def _platform(name: str, found: Mapping[str, Any]) -> BuiltPlatform:
    layers = found["layers"]
    return BuiltPlatform(
        platform=name,
        manifest=found["manifest_digest"],
        config=found["config_digest"],
        layers=len(layers),
        size_bytes=sum(layer["size_bytes"] for layer in layers),
    )


def _moves(
    ledger: LedgerReader, before: Locked | Built | None, locks: LockFiles
) -> tuple[tuple[Move, ...], tuple[Move, ...]]:
    """Compare locks with those that the ledger knows last: distributions, and Debian packages."""
    from builder.lock.diff import diff_locks

    if before is None:
        return (), ()
    try:
        stack = parse_stack_lock(_document(ledger, before.lock), file=f"document {before.lock}")
        base = parse_base_lock(_document(ledger, before.base_lock), file=f"document {before.base_lock}")
    except LockInvalidError:
        # Of a program long ago, in a form that is read no more: then it is not said what moved.
        return (), ()
    found = diff_locks(stack, locks.stack, bases=(base, locks.base))
    return (
        tuple(Move(name=one.project, before=one.before, after=one.after) for one in found.candidates),
        tuple(Move(name=one.package, before=one.before, after=one.after) for one in found.debs),
    )


def _document(ledger: LedgerReader, digest: str) -> bytes:
    return ledger.document(Digest.parse(digest)) or b""
