"""Asks the configured indexes: simple indexes over HTTP, simple indexes in folders, find-links pages and folders.

- Pages over HTTP are asked for conditionally (ETag) and hold for the max-age that the index gives, 600 s where it gives none.
- Places on this machine are looked at each time: that costs nothing, and what was put there a moment ago is seen.
- A find-links place is read once in a run. A folder of the project is hashed as well: its files change under their names.
- Network indexes are never merged: a project comes from the first that has it. Where the user's settings say so, files of
  local and find-links places are added to that index's page: `MergingUpstream`.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from builder.canonical import dump_json
from builder.digest import Digest
from builder.errors import BuilderError, PackageIndexError
from builder.snapshot.metadata import local_path, read_metadata
from builder.snapshot.model import KnownPage, NamedIndex, OfferedFile, ProjectPage, Upstream
from builder.snapshot.pages import (
    ACCEPT,
    Listing,
    dump_page,
    group_by_project,
    make_project_page,
    merge_pages,
    parse_canonical_page,
    parse_listing,
    parse_project_page,
)
from builder.store.pages import read_page
from builder.store.patience import Patience
from builder.store.transport import Transport, shown

DEFAULT_MAX_AGE_S = 600
_LONGEST_MAX_AGE_S = 86_400
"""No index freezes what we see for longer than this, whatever it says."""
_LONGEST_ETAG = 1024
_BODY = "body "
"""Begins what stands for the entity tag of an answer without one; no server's tag begins so."""
_MAX_AGE = re.compile(r"max-age\s*=\s*\"?(\d{1,9})")


def make_upstream(
    transport: Transport,
    indexes: Sequence[NamedIndex],
    *,
    merge: bool,
    offline: bool,
    patience: Patience | None = None,
) -> Upstream:
    """Make what asks the user's indexes.

    Args:
        transport: asks.
        indexes: in order of priority, the default one last.
        merge: add what local and find-links places have to the page of the project's one index.
        offline: ask nothing over the network; what is known holds, however old.
        patience: how often to ask an index that does not answer.
    """
    upstream: Upstream = TransportUpstream(transport, indexes, patience=patience)
    if offline:
        upstream = OfflineUpstream(upstream)
    return MergingUpstream(upstream) if merge else upstream


class TransportUpstream:
    """An Upstream over a Transport. Safe in several threads.

    Args:
        transport: asks.
        indexes: in order of priority, the default one last.
        patience: how often to ask an index that does not answer.
        now: seconds since the epoch.
    """

    def __init__(
        self,
        transport: Transport,
        indexes: Sequence[NamedIndex],
        *,
        patience: Patience | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._transport = transport
        self._indexes = tuple(indexes)
        self._patience = patience
        self._now = now
        self._lock = threading.Lock()
        self._listings: dict[str, _Once] = {}

    def indexes(self) -> Sequence[NamedIndex]:
        """List the places to ask, in order of priority."""
        return self._indexes

    def page(self, index: NamedIndex, project: str, known: KnownPage | None) -> tuple[KnownPage, bytes | None]:
        """Ask an index for a project, conditionally where something is known."""
        if index.find_links:
            listing = self._listing(index).get(project)
            page = make_project_page(listing, index=index.name, project=project) if listing else None
            return self._answer(hash_files(page) if page and index.alone else page)
        if is_local(index):
            return self._local_page(index, project, known)
        return self._remote_page(index, project, known)

    def metadata(self, file: OfferedFile) -> bytes:
        """Read a wheel's METADATA."""
        return read_metadata(file, self._transport, self._patience)

    def _remote_page(self, index: NamedIndex, project: str, known: KnownPage | None) -> tuple[KnownPage, bytes | None]:
        headers = {"accept": ACCEPT}
        if known and known.etag and known.digest and not known.etag.startswith(_BODY):
            headers["if-none-match"] = known.etag
        accepted = (200, 304) if "if-none-match" in headers else (200,)
        page = read_page(
            f"{index.url.rstrip('/')}/{project}/",
            self._transport,
            headers=headers,
            patience=self._patience,
            accepted=accepted,
        )
        if page is None:
            return self._answer(None, max_age_s=DEFAULT_MAX_AGE_S)
        max_age = max_age_of(page.headers)
        if known and page.status == 304:
            return replace(known, checked_at=int(self._now()), max_age_s=max_age), None
        etag = page.headers.get("etag", "").strip()
        if not etag or len(etag) > _LONGEST_ETAG:
            # An index without entity tags sends the same body again: reading it costs more than hashing it.
            etag = f"{_BODY}{Digest.of(page.body).hex}"
            if known and known.digest and known.etag == etag:
                return replace(known, checked_at=int(self._now()), max_age_s=max_age), None
        parsed = parse_project_page(page, index=index.name, project=project)
        return self._answer(parsed, etag=etag, max_age_s=max_age)

    def _local_page(self, index: NamedIndex, project: str, known: KnownPage | None) -> tuple[KnownPage, bytes | None]:
        url = f"{index.url.rstrip('/')}/{project}/index.html"
        try:
            status = local_path(url).stat()
        except (FileNotFoundError, NotADirectoryError):
            return self._answer(None)
        except OSError as error:
            raise PackageIndexError(error.strerror or str(error), context=url) from error
        stamp = f"{status.st_mtime_ns}-{status.st_size}"
        if known and known.digest and known.etag == stamp:
            return replace(known, checked_at=int(self._now()), max_age_s=0), None
        page = read_page(url, self._transport, patience=self._patience)
        parsed = parse_project_page(page, index=index.name, project=project) if page else None
        return self._answer(parsed, etag=stamp)

    def _answer(
        self, page: ProjectPage | None, *, etag: str = "", max_age_s: int = 0
    ) -> tuple[KnownPage, bytes | None]:
        data = dump_page(page) if page else None
        digest = Digest.of(data) if data is not None else None
        known = KnownPage(digest=digest, etag=etag if page else "", checked_at=int(self._now()), max_age_s=max_age_s)
        return known, data

    def _listing(self, index: NamedIndex) -> Mapping[str, Listing]:
        with self._lock:
            once = self._listings.setdefault(index.name, _Once(lambda: self._read_listing(index)))
        return once.get()

    def _read_listing(self, index: NamedIndex) -> Mapping[str, Listing]:
        url = index.url
        if urlsplit(url).scheme == "file" and (folder := local_path(url)).is_dir():
            return group_by_project(list_folder(folder))
        page = read_page(url, self._transport, headers={"accept": ACCEPT}, patience=self._patience)
        if page is None:
            named = "stacks/indexes.toml" if index.alone else "the settings"
            what = f"the folder of index {index.name!r}" if index.alone else "a find-links place"
            hint = f"take it out of {named}, or make the folder"
            raise PackageIndexError(f"{what} is not there", context=shown(url), hint=hint)
        return group_by_project(parse_listing(page))


class OfflineUpstream:
    """An Upstream that asks nothing over the network: what is known holds, however old; local places are read.

    Args:
        inner: asks the local ones.
    """

    def __init__(self, inner: Upstream) -> None:
        self._inner = inner

    def indexes(self) -> Sequence[NamedIndex]:
        """List the places to ask, in order of priority."""
        return self._inner.indexes()

    def page(self, index: NamedIndex, project: str, known: KnownPage | None) -> tuple[KnownPage, bytes | None]:
        """Take what is known; ask places on this machine."""
        if is_local(index):
            return self._inner.page(index, project, known)
        if known is None:
            raise _offline(f"the page of {project} is not in the store", index.name)
        return known, None

    def metadata(self, file: OfferedFile) -> bytes:
        """Read the METADATA of a wheel on this machine."""
        if urlsplit(file.url).scheme != "file":
            raise _offline("its metadata is not in the store", file.name)
        return self._inner.metadata(file)


class MergingUpstream:
    """An Upstream whose index pages hold the files of local and find-links places, too.

    A project still comes from one network index, the first that has it; a project that only local places have comes from
    the last one. So pages are the union of the local places and one index, and no two network indexes ever mix.

    Args:
        inner: asks both.
        now: seconds since the epoch.
    """

    def __init__(self, inner: Upstream, *, now: Callable[[], float] = time.time) -> None:
        self._inner = inner
        self._now = now
        indexes = tuple(inner.indexes())
        self._places = tuple(
            index for index in indexes[:-1] if (is_local(index) or index.find_links) and not index.alone
        )
        self._indexes = tuple(index for index in indexes if index not in self._places)

    def indexes(self) -> Sequence[NamedIndex]:
        """List the folders of the project, the network indexes, and the last one whatever it is."""
        return self._indexes

    def page(self, index: NamedIndex, project: str, known: KnownPage | None) -> tuple[KnownPage, bytes | None]:
        """Ask an index and the local places; a folder of the project for itself."""
        if index.alone:
            return self._inner.page(index, project, known)
        before = _Merged.parse(known)
        local = self._local_pages(project)
        stamp = Digest.of(b"".join(map(dump_page, local))).hex if local else ""
        own, data = self._own_page(index, project, before if before and before.stamp == stamp else None)
        after = _Merged(own=own, stamp=stamp)
        if data is None and own.digest is not None and known:
            return after.known(known.digest, int(self._now())), None
        if data is None and not (local and index == self._indexes[-1]):
            return after.known(None, int(self._now())), None
        if local:
            base = ProjectPage(index=index.name, project=project, files=())
            data = dump_page(merge_pages([*local, parse_canonical_page(data) if data is not None else base]))
        assert data is not None  # noqa: S101 - one of them has the project
        return after.known(Digest.of(data), int(self._now())), data

    def metadata(self, file: OfferedFile) -> bytes:
        """Read a wheel's METADATA."""
        return self._inner.metadata(file)

    def _own_page(self, index: NamedIndex, project: str, before: _Merged | None) -> tuple[KnownPage, bytes | None]:
        own = before.own if before else None
        if own and self._now() < own.checked_at + own.max_age_s:
            return own, None
        return self._inner.page(index, project, own)

    def _local_pages(self, project: str) -> list[ProjectPage]:
        pages = (self._inner.page(place, project, None)[1] for place in self._places)
        return [parse_canonical_page(data) for data in pages if data is not None]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Merged:
    """What is remembered of a merged page: the index's own part, and what the local places said; kept as an etag."""

    own: KnownPage
    stamp: str

    def known(self, digest: Digest | None, now: int) -> KnownPage:
        """Make what is remembered; it never holds by itself, since local places are looked at each time."""
        own = self.own
        value = [own.digest.hex if own.digest else None, own.etag, own.checked_at, own.max_age_s, self.stamp]
        return KnownPage(digest=digest, etag=dump_json(value).decode(), checked_at=now, max_age_s=0)

    @classmethod
    def parse(cls, known: KnownPage | None) -> _Merged | None:
        if known is None:
            return None
        try:
            text, etag, checked_at, max_age_s, stamp = json.loads(known.etag)
            own = KnownPage(
                digest=Digest(text) if text else None, etag=etag, checked_at=checked_at, max_age_s=max_age_s
            )
        except (ValueError, TypeError, BuilderError):
            return None
        return cls(own=own, stamp=stamp)


class _Once:
    """A value made when first wanted, for all threads; an error is raised to each of them."""

    def __init__(self, make: Callable[[], Mapping[str, Listing]]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._value: Mapping[str, Listing] | None = None

    def get(self) -> Mapping[str, Listing]:
        with self._lock:
            if self._value is None:
                self._value = self._make()
            return self._value


def is_local(index: NamedIndex) -> bool:
    """Tell whether a place lies on this machine."""
    return urlsplit(index.url).scheme == "file"


def max_age_of(headers: Mapping[str, str]) -> int:
    """Tell how long an answer holds by its Cache-Control, in seconds.

    Source: RFC 9111, 5.2.2.
    """
    control = headers.get("cache-control", "").lower()
    if "no-store" in control or "no-cache" in control:
        return 0
    match = _MAX_AGE.search(control)
    if match is None:
        return DEFAULT_MAX_AGE_S
    age = headers.get("age", "").strip()
    spent = int(age) if age.isascii() and age.isdigit() and len(age) < 10 else 0
    return max(0, min(int(match[1]), _LONGEST_MAX_AGE_S) - spent)


def list_folder(folder: Path) -> Listing:
    """List a find-links folder, by name.

    Raises:
        PackageIndexError: it cannot be read.
    """
    try:
        found = [(path, path.stat()) for path in sorted(folder.iterdir()) if path.is_file()]
        files = [
            OfferedFile(name=path.name, url=path.as_uri(), size=status.st_size, changed=str(status.st_mtime_ns))
            for path, status in found
        ]
    except OSError as error:
        raise PackageIndexError(error.strerror or str(error), context=str(folder)) from error
    return Listing(files=tuple(files))


def hash_files(page: ProjectPage) -> ProjectPage:
    """Add the sha256 of files that lie on this machine.

    Raises:
        PackageIndexError: one cannot be read.
    """

    def hashed(file: OfferedFile) -> OfferedFile:
        try:
            with local_path(file.url).open("rb") as stream:
                return replace(file, sha256=hashlib.file_digest(stream, "sha256").hexdigest(), changed=None)
        except OSError as error:
            raise PackageIndexError(error.strerror or str(error), context=shown(file.url)) from error

    return replace(page, files=tuple(map(hashed, page.files)))


def _offline(message: str, context: str) -> PackageIndexError:
    hint = "lock once with the network, or answer from a snapshot: lock --snapshot ID"
    return PackageIndexError(f"{message}, and the settings say offline", context=context, hint=hint)
