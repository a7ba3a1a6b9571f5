"""Finds where locked files may be downloaded: on simple indexes, find-links pages and folders, by sha256 or file name.

A place found here is a guess that costs nothing if wrong: what is downloaded is checked against the lock. So a page that
gives no hashes is good enough, and so are places remembered from when the lock was made.

Source: PEP 503, PEP 691, PEP 629; Simple repository API on packaging.python.org.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from html.parser import HTMLParser
from itertools import chain
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

from builder.canonical import dump_json
from builder.digest import Digest
from builder.errors import PackageIndexError
from builder.lock.model import LockedFile
from builder.resolve.settings import IndexSettings, is_local, masked
from builder.resolve.uv_process import built_in_index
from builder.store.download import Patience
from builder.store.model import ArtefactStore
from builder.store.pages import Page, read_page
from builder.store.transport import Transport, TransportError, origin, redact

ACCEPT = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
_JSON = "application/vnd.pypi.simple.v1+json"
_HINTS = "url-hints"


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A file on a page of an index."""

    name: str
    url: str
    sha256: str | None
    """Hexadecimal; None where the page gives no sha256."""


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
    shared = tuple(finder.flat_links(url) for url in settings.find_links if is_local(url) or not settings.offline)
    with ThreadPoolExecutor(max_workers=min(workers, len(wanted)), thread_name_prefix="index") as pool:
        found = list(pool.map(lambda item: finder.find(item[0], item[1], shared), sorted(wanted.items())))
    urls = {digest: places for part in found for digest, places in part.items()}
    return Places(urls=urls, issues=tuple(sorted(set(finder.issues))))


def remember_urls(artefacts: ArtefactStore, settings: IndexSettings, urls: Mapping[Digest, Sequence[str]]) -> None:
    """Keep where files were seen, for a later fetch with the same settings; credentials are left out."""
    for digest, places in urls.items():
        text = "\n".join(redact(url) for url in places)
        artefacts.put(_HINTS, _hint_key(settings, digest), (text.encode(),))


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
        self, project: str, files: Sequence[LockedFile], shared: Sequence[Sequence[Link]]
    ) -> dict[Digest, tuple[str, ...]]:
        """Find the files of one project."""
        found: dict[Digest, list[str]] = {file.sha256: [] for file in files}
        for links in chain(shared, self._pages(project)):
            _match(files, links, found)
            if all(found.values()):
                break
        return {digest: tuple(dict.fromkeys(urls)) for digest, urls in found.items() if urls}

    def flat_links(self, url: str) -> tuple[Link, ...]:
        """Read a find-links place: a folder, or a page."""
        if is_local(url) and (folder := local_path(url)).is_dir():
            names = sorted(path.name for path in folder.iterdir())
            return tuple(Link(name=name, url=(folder / name).as_uri(), sha256=None) for name in names)
        return self._links(url)

    def _pages(self, project: str) -> Iterator[tuple[Link, ...]]:
        for index in self._indexes:
            url = f"{index.rstrip('/')}/{project}/"
            yield self._links(f"{url}index.html" if is_local(url) else url)

    def _links(self, url: str) -> tuple[Link, ...]:
        try:
            page = read_page(url, self._transport, headers={"accept": ACCEPT}, patience=self._patience)
            return parse_page(page) if page else ()
        except PackageIndexError as error:
            self.issues.append(str(error))
            return ()


def local_path(url: str) -> Path:
    """Turn a file: address into a path."""
    return Path(unquote(urlsplit(url).path))


def _match(files: Iterable[LockedFile], links: Iterable[Link], found: dict[Digest, list[str]]) -> None:
    by_name: dict[str, list[Link]] = {}
    by_digest: dict[str, list[Link]] = {}
    for link in links:
        if link.sha256:
            by_digest.setdefault(link.sha256, []).append(link)
        else:
            by_name.setdefault(link.name, []).append(link)
    for file in files:
        for link in (*by_digest.get(file.sha256.hex, ()), *by_name.get(file.name, ())):
            found[file.sha256].append(link.url)


def parse_page(page: Page) -> tuple[Link, ...]:
    """Read a page of an index: JSON or HTML, by its content type.

    Raises:
        PackageIndexError: it is neither.
    """
    if page.content_type.partition(";")[0].strip().lower() == _JSON:
        return _parse_json(page)
    return _parse_html(page)


def _parse_html(page: Page) -> tuple[Link, ...]:
    parser = _Anchors()
    try:
        parser.feed(page.body.decode("utf-8", errors="replace"))
        parser.close()
        base = urljoin(page.url, parser.base) if parser.base else page.url
    except (ValueError, AssertionError) as error:
        # NOTE: before Python 3.14 the standard library's parser answers `<![x[` with an AssertionError.
        raise PackageIndexError(f"its page is not HTML: {error}", context=page.url) from error
    return tuple(link for href in parser.hrefs if (link := _link(base, href)))


def _link(base: str, href: str) -> Link | None:
    try:
        parts = urlsplit(urljoin(base, href.strip()))
        origin(parts.geturl())
    except (ValueError, TransportError):
        return None
    name = unquote(parts.path.rpartition("/")[2])
    # Lone surrogates, which JSON can bring, can neither be sent nor printed.
    if not name or not _may_lead_to(base, parts.scheme) or not parts.geturl().isprintable():
        return None
    algorithm, _, value = parts.fragment.partition("=")
    sha256 = value.partition("&")[0].lower() if algorithm == "sha256" else None
    return Link(name=name, url=parts._replace(fragment="").geturl(), sha256=sha256)


def _may_lead_to(base: str, scheme: str) -> bool:
    """Files of this machine are named only by pages of this machine."""
    return scheme in {"http", "https"} or (scheme == "file" and is_local(base))


def _parse_json(page: Page) -> tuple[Link, ...]:
    try:
        document = json.loads(page.body)
        if not str(document["meta"]["api-version"]).startswith("1."):
            raise PackageIndexError("speaks an unknown version of the simple API", context=page.url)
        links = []
        for entry in document["files"]:
            sha256 = entry.get("hashes", {}).get("sha256")
            link = _link(page.url, str(entry["url"]))
            if link:
                digest = str(sha256).lower() if sha256 else None
                links.append(Link(name=str(entry["filename"]), url=link.url, sha256=digest))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise PackageIndexError(f"its answer is not as PEP 691 says: {error!r}", context=page.url) from error
    return tuple(links)


class _Anchors(HTMLParser):
    """Collects what anchors lead to, and the page's base."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.hrefs: list[str] = []
        self.base = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take the href of an anchor, or of the first base."""
        href = dict(attrs).get("href")
        if not href:
            return
        if tag == "a":
            self.hrefs.append(href)
        elif tag == "base" and not self.base:
            self.base = href
