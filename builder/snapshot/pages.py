"""Reads what an index says of a project, and writes it in one canonical form.

Upstream pages are untrusted: JSON (PEP 691, 700, 714, 792) or HTML (PEP 503, 592, 658). Rules:
- Only links to http and https are followed, to `file:` only from pages of this machine; what cannot be printed is no link.
- Of a project's page only wheels and sdists are kept whose name parses and belongs to the project.
- What a page says badly of a file counts as not said; a time that cannot be read is no time.

Canonical bytes are JSON lines: a header, then a file each, by name; what is not known is left out. Each line names the
file's version without trailing zeros, so that one version's files are found without reading the others.
"""

from __future__ import annotations

import datetime as dt
import functools
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from html.parser import HTMLParser
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

from packaging.utils import canonicalize_name, canonicalize_version
from packaging.version import InvalidVersion, Version

from builder.canonical import dump_json
from builder.errors import InvalidInputError, PackageIndexError
from builder.snapshot.model import OfferedFile, ProjectPage
from builder.store.pages import Page
from builder.store.transport import TransportError, origin, redact, shown

ACCEPT = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
_JSON = "application/vnd.pypi.simple.v1+json"
_FORMAT = 1
_SDIST_SUFFIXES = (".tar.gz", ".zip")
_LONGEST_NAME = 255
_LONGEST_TEXT = 1000
"""Characters of a reason or a specifier; what is longer is no reason and no specifier."""
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")
_STATUS = re.compile(r"[a-z][a-z-]{0,31}\Z")
_WHEEL = re.compile(r"(\w[\w.]*)-([^-]+)(?:-\d[^-]*)?-[\w.]+-[\w.]+-[\w.]+\.whl\Z", re.ASCII)
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+!-]*\Z")
_PLAIN_LINK = re.compile(
    r"(https?://[a-z0-9.-]+(?::\d{1,4})?/[A-Za-z0-9._~/+%!-]*[A-Za-z0-9._~+%!-])(?:#([\w=&-]*))?\Z", re.ASCII
)
"""Links that need no further look: nearly all of them, and pages have thousands."""
_OPTIONAL = ("sha256", "size", "upload_time", "requires_python", "yanked", "metadata_sha256", "changed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """All that a page of an index says, of whatever files."""

    files: tuple[OfferedFile, ...]
    """In the page's order."""
    status: str = "active"
    status_reason: str = ""


def parse_listing(page: Page) -> Listing:
    """Read a page of an index: JSON or HTML, by its content type.

    Raises:
        PackageIndexError: it is neither.
    """
    if page.content_type.partition(";")[0].strip().lower() == _JSON:
        return _parse_json(page)
    return _parse_html(page)


def parse_project_page(page: Page, *, index: str, project: str) -> ProjectPage:
    """Read a project's page.

    Args:
        page: as the index answered.
        index: the index's name.
        project: PEP 503 normalised; files of other projects are left out.

    Raises:
        PackageIndexError: it is neither JSON nor HTML.
    """
    return make_project_page(parse_listing(page), index=index, project=project)


def make_project_page(listing: Listing, *, index: str, project: str) -> ProjectPage:
    """Keep of a listing what belongs to a project; of two files of one name the first."""
    files: dict[str, OfferedFile] = {}
    for file in listing.files:
        if file.name not in files and (found := parse_file_name(file.name)) and found[0] == project:
            files[file.name] = file
    return ProjectPage(
        index=index,
        project=project,
        files=tuple(files[name] for name in sorted(files)),
        status=listing.status,
        status_reason=listing.status_reason,
    )


def group_by_project(listing: Listing) -> Mapping[str, Listing]:
    """Sort files of a `find-links` place by project; what is no wheel and no sdist is left out."""
    groups: dict[str, list[OfferedFile]] = {}
    for file in listing.files:
        if found := parse_file_name(file.name):
            groups.setdefault(found[0], []).append(file)
    return {project: Listing(files=tuple(files)) for project, files in groups.items()}


def merge_pages(pages: Iterable[ProjectPage]) -> ProjectPage:
    """Make one page of several places' pages of one project; index name and status are the last page's.

    Of one file name the first place wins, with what a later place knows besides of the same bytes; where the first does
    not say which bytes it has, the later place that does is taken.
    """
    ordered = tuple(pages)
    files: dict[str, OfferedFile] = {}
    for file in (file for page in ordered for file in page.files):
        files[file.name] = _merge(files[file.name], file) if file.name in files else file
    return replace(ordered[-1], files=tuple(files[name] for name in sorted(files)))


def _merge(first: OfferedFile, later: OfferedFile) -> OfferedFile:
    if first.sha256 is None and later.sha256 is not None:
        return later
    if first.sha256 is None or first.sha256 != later.sha256:
        return first
    # Metadata beside a file is had at its own address only.
    known = ("size", "upload_time", "requires_python", "yanked")
    return replace(first, **{key: getattr(later, key) for key in known if getattr(first, key) is None})


@functools.lru_cache(maxsize=1 << 16)
def parse_file_name(name: str) -> tuple[str, Version] | None:
    """Read project and version from the name of a wheel or sdist; None where it is neither, or no honest name.

    >>> parse_file_name("Demo.Thing-1.0.0-py3-none-any.whl")
    ('demo-thing', <Version('1.0.0')>)
    """
    if len(name) > _LONGEST_NAME or not _PLAIN_NAME.match(name) or name.partition("-")[0].find("__") >= 0:
        return None
    if name.endswith(".whl"):
        match = _WHEEL.match(name)
        project, text = match.groups() if match else ("", "")
    else:
        suffix = next((suffix for suffix in _SDIST_SUFFIXES if name.endswith(suffix)), "")
        project, _, text = name.removesuffix(suffix).rpartition("-") if suffix else ("", "", "")
    version = _parse_version(text) if project else None
    return (canonicalize_name(project), version) if version is not None else None


@functools.lru_cache(maxsize=1 << 16)
def _parse_version(text: str) -> Version | None:
    try:
        return Version(text)
    except InvalidVersion:
        return None


def dump_page(page: ProjectPage) -> bytes:
    """Write a page in canonical form; bytes are stable."""
    header: dict[str, Any] = {"format": _FORMAT, "index": page.index, "project": page.project, "status": page.status}
    if page.status_reason:
        header["status_reason"] = page.status_reason
    rows = [header, *(_file_row(file) for file in sorted(page.files, key=lambda file: file.name))]
    return b"".join(dump_json(row) + b"\n" for row in rows)


def _file_row(file: OfferedFile) -> dict[str, Any]:
    row: dict[str, Any] = {"name": file.name, "url": file.url}
    row |= {key: value for key in _OPTIONAL if (value := getattr(file, key)) is not None}
    if file.has_metadata:
        row["has_metadata"] = True
    if found := parse_file_name(file.name):
        row["version"] = _version_key(found[1])
    return row


@functools.lru_cache(maxsize=1 << 14)
def _version_key(version: Version) -> str:
    return canonicalize_version(version, strip_trailing_zero=True)


def parse_canonical_page(data: bytes) -> ProjectPage:
    """Read what `dump_page` wrote.

    Raises:
        InvalidInputError: it is something else.
    """
    try:
        header, *rows = json.loads(b"[" + b",".join(data.splitlines()) + b"]")
        if header["format"] != _FORMAT:
            raise InvalidInputError(f"is a page of format {header['format']!r}, which this version does not know")
        return ProjectPage(
            index=header["index"],
            project=header["project"],
            status=header["status"],
            status_reason=header.get("status_reason", ""),
            files=tuple(map(_make_file, rows)),
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise InvalidInputError(f"is no page of an index: {error!r}") from error


def iter_version_files(data: bytes, project: str, version: str | Version) -> Iterator[OfferedFile]:
    """Find the files of one version in canonical bytes, wheels and sdists, by name; other lines are not read.

    Versions are equal as PEP 440 has it: 1.0 is 1.0.0.
    """
    wanted = version if isinstance(version, Version) else Version(version)
    # Inside of a JSON string quotes are escaped, so this stands nowhere but at a line's own key.
    mark = b'"version":' + dump_json(_version_key(wanted))
    at = data.find(mark)
    while at >= 0:
        end = data.find(b"\n", at)
        file = _make_file(json.loads(data[data.rfind(b"\n", 0, at) + 1 : end]))
        if parse_file_name(file.name) == (project, wanted):
            yield file
        at = data.find(mark, end)


def _make_file(row: Mapping[str, Any]) -> OfferedFile:
    get = row.get
    return OfferedFile(
        name=row["name"],
        url=row["url"],
        sha256=get("sha256"),
        size=get("size"),
        upload_time=get("upload_time"),
        requires_python=get("requires_python"),
        yanked=get("yanked"),
        metadata_sha256=get("metadata_sha256"),
        has_metadata=get("has_metadata", False),
        changed=get("changed"),
    )


def _parse_json(page: Page) -> Listing:
    try:
        document = json.loads(page.body)
        if not str(document["meta"]["api-version"]).startswith("1."):
            raise PackageIndexError("speaks an unknown version of the simple API", context=shown(page.url))
        files = tuple(file for entry in document["files"] if (file := _json_file(page.url, entry)))
        status = document.get("project-status") or {}
        return Listing(files=files, **_status(status.get("status"), status.get("reason")))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise PackageIndexError(f"its answer is not as PEP 691 says: {error!r}", context=shown(page.url)) from error


def _json_file(base: str, entry: Mapping[str, Any]) -> OfferedFile | None:
    link = _link(base, str(entry["url"]), base)
    name = str(entry["filename"])
    if link is None or not name.isprintable():
        return None
    size, yanked = entry.get("size"), entry.get("yanked")
    beside = next((entry[key] for key in ("core-metadata", "dist-info-metadata") if key in entry), None)
    return OfferedFile(
        name=name,
        url=link[0],
        sha256=_sha256(entry.get("hashes", {}).get("sha256")),
        size=size if isinstance(size, int) and not isinstance(size, bool) and size >= 0 else None,
        upload_time=_utc(entry.get("upload-time")),
        requires_python=_text(entry.get("requires-python")) or None,
        yanked=(_text(yanked) if isinstance(yanked, str) else "") if yanked else None,
        metadata_sha256=_sha256(beside.get("sha256")) if isinstance(beside, dict) else None,
        has_metadata=bool(beside) or isinstance(beside, dict),
    )


def _parse_html(page: Page) -> Listing:
    parser = _Anchors()
    try:
        parser.feed(page.body.decode("utf-8", errors="replace"))
        parser.close()
        base = urljoin(page.url, parser.base) if parser.base else page.url
    except (ValueError, AssertionError) as error:
        # NOTE: before Python 3.14 the standard library's parser answers `<![x[` with an AssertionError.
        raise PackageIndexError(f"its page is not HTML: {error}", context=shown(page.url)) from error
    files = tuple(file for anchor in parser.anchors if (file := _html_file(base, anchor, page.url)))
    return Listing(files=files, **_status(parser.meta.get("status"), parser.meta.get("reason")))


def _html_file(base: str, anchor: Mapping[str, str | None], page: str) -> OfferedFile | None:
    link = _link(base, anchor["href"] or "", page)
    if link is None:
        return None
    url, fragment = link
    algorithm, _, value = fragment.partition("=")
    keys = ("data-core-metadata", "data-dist-info-metadata")
    beside = next((anchor[key] or "" for key in keys if key in anchor), None)
    return OfferedFile(
        name=unquote(urlsplit(url).path.rpartition("/")[2]),
        url=url,
        sha256=_sha256(value.partition("&")[0]) if algorithm == "sha256" else None,
        requires_python=_text(anchor.get("data-requires-python")) or None,
        yanked=_text(anchor["data-yanked"]) if "data-yanked" in anchor else None,
        metadata_sha256=_sha256(beside.removeprefix("sha256=")) if beside else None,
        has_metadata=beside is not None and beside.lower() != "false",
    )


def _link(base: str, href: str, page: str) -> tuple[str, str] | None:
    """Resolve a link: address without credentials and fragment, and the fragment; None where it must not be followed.

    Args:
        base: that it is relative to, as the page says.
        href: as written.
        page: where the page is from, which the page has no say in.
    """
    if plain := _PLAIN_LINK.match(href):
        return plain[1], plain[2] or ""
    try:
        parts = urlsplit(urljoin(base, href.strip()))
        origin(parts.geturl())
    except (ValueError, TransportError):
        return None
    # Lone surrogates, which JSON can bring, can neither be sent nor printed.
    if not parts.path.rpartition("/")[2] or not _may_lead_to(page, parts.scheme) or not parts.geturl().isprintable():
        return None
    return redact(parts._replace(fragment="").geturl()), parts.fragment


def _may_lead_to(page: str, scheme: str) -> bool:
    """Files of this machine are named only by pages of this machine."""
    return scheme in {"http", "https"} or (scheme == "file" and urlsplit(page).scheme == "file")


def _status(status: object, reason: object) -> dict[str, str]:
    found = status.lower() if isinstance(status, str) else ""
    return {"status": found if _STATUS.match(found) else "active", "status_reason": _text(reason)}


def _sha256(value: object) -> str | None:
    found = value.lower() if isinstance(value, str) else ""
    return found if _SHA256.match(found) else None


def _text(value: object) -> str:
    """Take a text in one printable line."""
    return _line(value) if isinstance(value, str) else ""


@functools.lru_cache(maxsize=1 << 12)
def _line(value: str) -> str:
    if len(value) > _LONGEST_TEXT:
        return ""
    line = " ".join(value.split())
    return line if line.isprintable() else ""


def _utc(value: object) -> str | None:
    """Read a time to the second, in UTC; None where it does not say its zone."""
    try:
        moment = dt.datetime.fromisoformat(value) if isinstance(value, str) else None
        if moment is None or moment.tzinfo is None:
            return None
        if isinstance(value, str) and value.endswith("Z") and value[10:20:9] in {"T.", "TZ"}:
            return f"{value[:19]}Z"
        return moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ").rjust(20, "0")
    except (ValueError, OverflowError):
        return None


class _Anchors(HTMLParser):
    """Collects anchors, the page's base, and what it says of the project's status."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.anchors: list[Mapping[str, str | None]] = []
        self.base = ""
        self.meta: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take an anchor with its attributes, the first base, or a project's status."""
        found = dict(attrs)
        if tag == "a" and found.get("href"):
            self.anchors.append(found)
        elif tag == "base" and not self.base:
            self.base = found.get("href") or ""
        elif tag == "meta":
            name, content = found.get("name") or "", found.get("content") or ""
            if name == "pypi:project-status":
                self.meta["status"] = content
            elif name == "pypi:project-status-reason":
                self.meta["reason"] = content
