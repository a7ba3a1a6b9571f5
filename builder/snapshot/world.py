"""One run's state of the world: pages and metadata, each asked for once, from upstream or from a snapshot.

The first thread that wants a page or a wheel's metadata gets it; others wait for that one. Whatever was handed out
belongs to the run's snapshot. A replayed snapshot answers for itself alone: what it does not hold is an error.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import threading
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from builder.digest import Digest
from builder.errors import PackageIndexError
from builder.snapshot.model import (
    KnownPage,
    NamedIndex,
    OfferedFile,
    Snapshot,
    SnapshotStore,
    Upstream,
    metadata_key,
)

_T = TypeVar("_T")
PARALLEL = 32
"""Questions to upstream at a time."""
_PAGES_AT_HAND = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldPage:
    """A page as the world has it: its canonical bytes are read only when wanted."""

    index: str
    project: str
    digest: Digest


class World:
    """Asks upstream once for each thing, and keeps what it was told.

    Args:
        upstream: the configured indexes; only their names matter where a snapshot is replayed.
        store: what is remembered from run to run.
        now: seconds since the epoch.
        refresh: ask for each page again, however fresh it is.
        offline: take what is remembered, however old it is.
        replay: answer from this snapshot alone.
        watch: told what was had from upstream, a word for each: `pages`, `wheels`.
    """

    def __init__(
        self,
        upstream: Upstream,
        store: SnapshotStore,
        *,
        now: int,
        refresh: bool = False,
        offline: bool = False,
        replay: Snapshot | None = None,
        watch: Callable[[str], object] = lambda _: None,
    ) -> None:
        self._upstream = upstream
        self._store = store
        self._now = now
        self._refresh = refresh
        self._offline = offline
        self._replay = replay
        self._watch = watch
        self.replayed = replay is not None
        self.day = replay.day if replay else dt.datetime.fromtimestamp(now, dt.UTC).date().isoformat()
        self.indexes = (
            tuple(NamedIndex(name=name, url="") for name in replay.indexes) if replay else tuple(upstream.indexes())
        )
        self._known: dict[str, Mapping[str, KnownPage]] = {}
        self._known_metadata: Mapping[str, Digest] | None = None
        self._lock = threading.Lock()
        self._asked: dict[Hashable, Future[Any]] = {}
        self._pages: dict[tuple[str, str], Digest | None] = {}
        self._metadata: dict[str, Digest] = {}
        self._read = functools.lru_cache(maxsize=_PAGES_AT_HAND)(self._read_page)
        self._ahead = ThreadPoolExecutor(PARALLEL, thread_name_prefix="ahead")

    def keys(self) -> list[str]:
        """Name the indexes, with where they are, in order."""
        return [index_key(index) for index in self.indexes]

    def close(self) -> None:
        """Give up what was asked for ahead of time and has not begun."""
        self._ahead.shutdown(wait=False, cancel_futures=True)

    def page(self, project: str, places: Sequence[NamedIndex]) -> WorldPage | None:
        """Find a project's page on the first of the places that has it; None where none has.

        Raises:
            PackageIndexError: an index did not answer: a later one must not take its place.
        """
        for index in places:
            digest = self._ask(index, project)
            if digest is not None:
                return WorldPage(index=index.name, project=project, digest=digest)
        return None

    def answers(self, project: str, places: Sequence[NamedIndex]) -> Iterator[tuple[str, Digest | None]]:
        """Tell what places said of a project in this run, by index, as far as they were asked."""
        for index in places:
            key = index.name, project
            with self._lock:
                if key not in self._pages:
                    return
                digest = self._pages[key]
            yield index.name, digest
            if digest is not None:
                return

    def still_says(self, pages: Mapping[str, Mapping[str, Digest | None]]) -> bool:
        """Tell whether indexes say of projects what they said before; those not at hand are asked side by side."""
        indexes = {index.name: index for index in self.indexes}
        if not pages.keys() <= indexes.keys():
            return False
        self.prefetch_pages(pages)
        try:
            return all(
                self._ask(indexes[name], project) == digest
                for name, rows in pages.items()
                for project, digest in rows.items()
            )
        except PackageIndexError:
            return False

    def moved(self, pages: Mapping[str, Mapping[str, Digest | None]]) -> tuple[str, ...]:
        """List the projects of which indexes say something else than before, sorted; all of an index that is gone.

        Raises:
            PackageIndexError: an index did not answer.
        """
        indexes = {index.name: index for index in self.indexes}
        self.prefetch_pages(pages)
        return tuple(
            sorted(
                project
                for name, rows in pages.items()
                for project, digest in rows.items()
                if name not in indexes or self._ask(indexes[name], project) != digest
            )
        )

    def prefetch_pages(self, pages: Mapping[str, Iterable[str]]) -> None:
        """Ask for projects' pages by the name of their index, side by side; an index that is gone is passed over."""
        for index in self.indexes:
            self.prefetch(pages.get(index.name, ()), lambda _, index=index: (index,))  # type: ignore[misc]

    def _ask(self, index: NamedIndex, project: str) -> Digest | None:
        return self._once(("page", index.name, project), partial(self._digest, index, project))

    def read(self, page: WorldPage) -> bytes:
        """Read a page's canonical bytes; those of late are at hand."""
        return self._read(page)

    def _read_page(self, page: WorldPage) -> bytes:
        data = self._store.get(page.digest)
        if data is None:
            raise PackageIndexError(
                f"the page of {page.project} is not in the store any more",
                context=page.index,
                hint="take a new snapshot: leave out --snapshot, or add --refresh",
            )
        return data

    def metadata(self, file: OfferedFile) -> bytes:
        """Read a wheel's METADATA, from upstream where no run before has."""
        return self._once(("metadata", metadata_key(file)), lambda: self._read_metadata(file))

    def note(self, key: str, data: bytes, *, lasting: bool = False) -> None:
        """Keep with the run's snapshot what was found out beside it; what lasts is kept for later snapshots, too."""
        digest = self._store.put(data)
        if lasting:
            self._store.keep_metadata(key, digest)
        with self._lock:
            self._metadata[key] = digest

    def noted(self, key: str) -> bytes | None:
        """Read what was noted with the replayed snapshot; None for nothing, and where none is replayed."""
        if self._replay is None:
            return None
        digest = self._replay.metadata.get(key) or self._store.metadata_digests().get(key)
        return self._store.get(digest) if digest else None

    def expect(self, file: OfferedFile) -> None:
        """Read a wheel's METADATA ahead of time: a resolver will likely ask. Failures show when it does."""
        with self._lock:
            if ("metadata", metadata_key(file)) in self._asked or self._replay is not None:
                return
        with contextlib.suppress(RuntimeError):  # closed meanwhile
            self._ahead.submit(self.metadata, file)

    def prefetch(self, projects: Iterable[str], places_for: Callable[[str], Sequence[NamedIndex]]) -> None:
        """Ask for pages side by side, before a resolver asks for one after another; failures show when it does."""
        wanted = [project for project in projects if not self._is_at_hand(project, places_for(project))]
        if not wanted:
            return
        with ThreadPoolExecutor(PARALLEL, thread_name_prefix="index") as pool:
            for future in [pool.submit(self.page, project, places_for(project)) for project in wanted]:
                future.exception()

    def snapshot(self) -> Snapshot:
        """Freeze what was handed out so far."""
        if self._replay is not None:
            return self._replay
        with self._lock:
            pages: dict[str, dict[str, Digest | None]] = {}
            for (index, project), digest in sorted(self._pages.items()):
                pages.setdefault(index, {})[project] = digest
            names = tuple(index.name for index in self.indexes)
            metadata = dict(sorted(self._metadata.items()))
            return Snapshot(day=self.day, indexes=names, pages=pages, metadata=metadata)

    def _digest(self, index: NamedIndex, project: str) -> Digest | None:
        digest = self._replayed(index, project) if self._replay else self._current(index, project)
        with self._lock:
            self._pages[index.name, project] = digest
        return digest

    def _replayed(self, index: NamedIndex, project: str) -> Digest | None:
        assert self._replay is not None  # noqa: S101 - the caller knows
        pages = self._replay.pages.get(index.name, {})
        if project not in pages:
            raise PackageIndexError(
                f"the snapshot does not say whether index {index.name!r} has {project}",
                context=project,
                hint="what is asked for changed since it was taken: leave out --snapshot",
            )
        return pages[project]

    def _current(self, index: NamedIndex, project: str) -> Digest | None:
        known = self._known_pages(index).get(project)
        if known is not None and self._holds(known):
            return known.digest
        answer, data = self._upstream.page(index, project, known)
        self._watch("pages")
        if data is not None:
            self._store.put(data)
        self._store.keep_page(index_key(index), project, answer)
        return answer.digest

    def _holds(self, known: KnownPage) -> bool:
        return self._offline or (not self._refresh and self._now < known.checked_at + known.max_age_s)

    def _known_pages(self, index: NamedIndex) -> Mapping[str, KnownPage]:
        with self._lock:
            if index.name not in self._known:
                self._known[index.name] = self._store.known_pages(index_key(index))
            return self._known[index.name]

    def _is_at_hand(self, project: str, places: Sequence[NamedIndex]) -> bool:
        if self._replay is not None:
            return True
        for index in places:
            key = index.name, project
            if key in self._pages:  # asked in this run
                if self._pages[key] is not None:
                    return True
                continue
            known = self._known_pages(index).get(project)
            if known is None or not self._holds(known):
                return False
            if known.digest is not None:
                return True
        return True

    def _read_metadata(self, file: OfferedFile) -> bytes:
        key = metadata_key(file)
        with self._lock:
            if self._known_metadata is None:
                self._known_metadata = self._store.metadata_digests()
        # What the snapshot says is first; of other wheels the store knows the same, since a hash has one metadata.
        digest = (self._replay.metadata.get(key) if self._replay else None) or self._known_metadata.get(key)
        data = self._store.get(digest) if digest else None
        if data is None:
            if self._replay is not None:
                raise PackageIndexError(
                    "the snapshot does not hold its metadata",
                    context=file.name,
                    hint="what is asked for changed since it was taken: leave out --snapshot",
                )
            data = self._upstream.metadata(file)
            self._watch("wheels")
            digest = self._store.put(data)
            self._store.keep_metadata(key, digest)
        assert digest is not None  # noqa: S101 - data came with it
        with self._lock:
            self._metadata[key] = digest
        return data

    def _once(self, key: Hashable, make: Callable[[], _T]) -> _T:
        """Make a thing once; whoever comes meanwhile waits, and gets the same value or error."""
        with self._lock:
            future = self._asked.get(key)
            mine = future is None
            if future is None:
                future = self._asked[key] = Future()
        if mine:
            try:
                future.set_result(make())
            except BaseException as error:  # noqa: BLE001 - handed to everyone who waits, this caller too
                future.set_exception(error)
        result: _T = future.result()
        return result


def index_key(index: NamedIndex) -> str:
    """Name an index in the store, without its credentials; its pages say its name, so another name is another index."""
    from builder.store.transport import redact

    return Digest.of(f"{index.name}|{index.find_links}|{redact(index.url).rstrip('/')}".encode()).hex[:24]
