"""Finds where locked files may be downloaded: on simple indexes, find-links pages and folders, by sha256 or file name.

A place found here is a guess that costs nothing if wrong: what is downloaded is checked against the lock. So a page that
gives no hashes is good enough, and so are places remembered from when the lock was made. Pages are read by snapshot/pages.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain

from builder.canonical import dump_json
from builder.digest import Digest
from builder.errors import PackageIndexError
from builder.lock.model import LockedFile
from builder.resolve.settings import IndexSettings, is_local, masked
from builder.resolve.uv_process import built_in_index
from builder.snapshot.metadata import local_path
from builder.snapshot.model import OfferedFile
from builder.snapshot.pages import ACCEPT, parse_listing
from builder.snapshot.upstream import list_folder
from builder.store.model import ArtefactStore
from builder.store.pages import read_page
from builder.store.patience import Patience
from builder.store.transport import Transport, redact

_HINTS = "url-hints"


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where files may be had."""

    urls: Mapping[Digest, tuple[str, ...]]
    """In the order of the settings; files that were found nowhere are absent."""
    issues: tuple[str, ...]
    """Indexes that did not answer as they should, without credentials."""


def find_file_urls(
    settings: IndexSettings,
    wanted: Mapping[str, Sequence[LockedFile]],
    transport: Transport,
    *,
    workers: int = 8,
    patience: Patience | None = None,
) -> Places:
    """Look for files on every configured place until each is found.

    Args:
        settings: the user's indexes and find-links.
        wanted: by project, PEP 503 normalised.
        transport: asks the indexes.
        workers: projects looked for at a time.
        patience: how often to ask an index that does not answer.
    """
    if not wanted:
        return Places(urls={}, issues=())
    bases = (*settings.indexes(), *_built_in(settings))
    finder = _Finder(tuple(base for base in bases if is_local(base) or not settings.offline), transport, patience)
    flat = (*(url for _, url in settings.folders), *settings.find_links)
    shared = tuple(finder.flat_links(url) for url in flat if is_local(url) or not settings.offline)
    with ThreadPoolExecutor(max_workers=min(workers, len(wanted)), thread_name_prefix="index") as pool:
        found = list(pool.map(lambda item: finder.find(item[0], item[1], shared), sorted(wanted.items())))
    urls = {digest: places for part in found for digest, places in part.items()}
    return Places(urls=urls, issues=tuple(sorted(set(finder.issues))))


def remember_urls(artefacts: ArtefactStore, settings: IndexSettings, urls: Mapping[Digest, Sequence[str]]) -> None:
    """Keep where files were seen, for a later fetch with the same settings; credentials are left out."""
    for digest, places in urls.items():
        key = _hint_key(settings, digest)
        if artefacts.get(_HINTS, key) is None:
            artefacts.put(_HINTS, key, ("\n".join(redact(url) for url in places).encode(),))


def recall_urls(artefacts: ArtefactStore, settings: IndexSettings, digest: Digest) -> tuple[str, ...]:
    """Tell where a file was seen under the same settings; empty where nothing is known."""
    path = artefacts.get(_HINTS, _hint_key(settings, digest))
    try:
        return tuple(path.read_text(encoding="utf-8").split()) if path else ()
    except (OSError, UnicodeDecodeError):
        return ()


def _hint_key(settings: IndexSettings, digest: Digest) -> str:
    """Bind a hint to the places configured: who moves to another mirror is not sent back to the old one."""
    places = [masked(url) for url in (*settings.indexes(), *settings.find_links)]
    return f"{digest.hex}-{Digest.of(dump_json(places)).hex[:12]}"


def _built_in(settings: IndexSettings) -> tuple[str, ...]:
    if settings.no_index or settings.default_index or settings.offline:
        return ()
    return (built_in_index(),)


class _Finder:
    """Asks indexes; a page is asked for once."""

    def __init__(self, indexes: Sequence[str], transport: Transport, patience: Patience | None) -> None:
        self._indexes = indexes
        self._transport = transport
        self._patience = patience
        self.issues: list[str] = []

    def find(
        self, project: str, files: Sequence[LockedFile], shared: Sequence[Sequence[OfferedFile]]
    ) -> dict[Digest, tuple[str, ...]]:
        """Find the files of one project."""
        found: dict[Digest, list[str]] = {file.sha256: [] for file in files}
        for links in chain(shared, self._pages(project)):
            _match(files, links, found)
            if all(found.values()):
                break
        return {digest: tuple(dict.fromkeys(urls)) for digest, urls in found.items() if urls}

    def flat_links(self, url: str) -> tuple[OfferedFile, ...]:
        """Read a find-links place: a folder, or a page."""
        if is_local(url) and (folder := local_path(url)).is_dir():
            return list_folder(folder).files
        return self._links(url)

    def _pages(self, project: str) -> Iterator[tuple[OfferedFile, ...]]:
        for index in self._indexes:
            url = f"{index.rstrip('/')}/{project}/"
            yield self._links(f"{url}index.html" if is_local(url) else url)

    def _links(self, url: str) -> tuple[OfferedFile, ...]:
        try:
            page = read_page(url, self._transport, headers={"accept": ACCEPT}, patience=self._patience)
            return parse_listing(page).files if page else ()
        except PackageIndexError as error:
            self.issues.append(str(error))
            return ()


def _match(files: Iterable[LockedFile], links: Iterable[OfferedFile], found: dict[Digest, list[str]]) -> None:
    by_name: dict[str, list[OfferedFile]] = {}
    by_digest: dict[str, list[OfferedFile]] = {}
    for link in links:
        if link.sha256:
            by_digest.setdefault(link.sha256, []).append(link)
        else:
            by_name.setdefault(link.name, []).append(link)
    for file in files:
        for link in (*by_digest.get(file.sha256.hex, ()), *by_name.get(file.name, ())):
            found[file.sha256].append(link.url)
