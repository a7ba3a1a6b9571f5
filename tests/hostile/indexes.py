"""Hostile answers of package indexes (JSON and HTML) and of Debian mirrors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from builder.canonical import dump_json
from tests.hostile.model import Material
from tests.support.packages import paragraphs

EVIL = "demo-99.0-py3-none-any.whl"
_URL = f"https://files.example/evil/{EVIL}"
_SHA = "0" * 64


def _file(**changes: Any) -> dict[str, Any]:
    return {"filename": EVIL, "url": _URL, "hashes": {"sha256": _SHA}, "size": 3, **changes}


def _page(*files: Any, **top: Any) -> Callable[[], bytes]:
    return lambda: dump_json({"meta": {"api-version": "1.4"}, "name": "demo", "files": list(files), **top})


def good_page() -> bytes:
    """Write a page with nothing wrong with it."""
    return _page(_file())()


def _html(anchor: str, head: str = "") -> Callable[[], bytes]:
    return f"<!DOCTYPE html><html><head>{head}</head><body>{anchor}</body></html>".encode


def _flood() -> bytes:
    row = dump_json({"filename": "x", "url": "x"})
    return b'{"meta":{"api-version":"1.4"},"name":"demo","files":[' + b",".join([row] * 100_000) + b"]}"


PAGES: tuple[Material, ...] = tuple(
    Material(threat=threat, kind="page", name=name, make=make, refused=refused, file_name=file_name)
    for threat, name, refused, make, file_name in (
        ("B1", "a file of another project, under this one's name", "", _page(_file(filename="evil-1.0-py3-none-any.whl")), ""),
        ("B1", "a file of another project, in HTML", "", _html('<a href="evil-1.0-py3-none-any.whl">demo-1.0</a>'), "simple.html"),
        ("B1", "a link to a file of this machine", "", _page(_file(url="file:///etc/evil")), ""),
        ("B1", "a link to this machine's metadata service by ftp", "", _page(_file(url="ftp://169.254.169.254/evil")), ""),
        ("B1", "a base that leads to a file of this machine", "", _html(f'<a href="{EVIL}">x</a>', '<base href="file:///etc/evil/">'), "simple.html"),
        ("B1", "a base that is no address", "its page is not HTML", _html(f'<a href="{EVIL}">x</a>', '<base href="http://[">'), "simple.html"),
        ("B1", "a name that climbs", "", _page(_file(filename=f"../../evil/{EVIL}")), ""),
        ("B1", "a name that reads backwards", "", _page(_file(filename="demo-99.0-py3-none-any.whl\u202e")), ""),
        ("B1", "a link that is no address", "", _page(_file(url=f"http://evil:99999/{EVIL}")), ""),
        ("B2", "no hash that can be read", "", _page(_file(filename="demo-1.0.tar.bz2", hashes={"md5": "evil"})), ""),
        ("B2", "hashes that are no table", "not as PEP 691 says", _page(_file(hashes=None)), ""),
        ("B2", "a half character in an address", "", lambda: _page(_file())().replace(b"/evil/", b"/evil/\\ud800/"), ""),
        ("B2", "nested 200,000 deep", "not as PEP 691 says", lambda: b"[" * 200_000, ""),
        ("B2", "a number of 5000 digits", "not as PEP 691 says", lambda: b'{"meta":' + b"9" * 5000 + b"}", ""),
        ("B2", "an unknown version of the API", "unknown version", _page(meta={"api-version": "2.0"}), ""),
        ("B2", "a declaration that no parser ends", "its page is not HTML", _html("<![x["), "simple.html"),
        ("B2", "100,000 files of no project", "", _flood, ""),
        ("B3", "a project in quarantine", "", _page(_file(), **{"project-status": {"status": "quarantined", "reason": "evil"}}), ""),
        ("B3", "a project in quarantine, in HTML", "", _html(f'<a href="{_URL}">x</a>', '<meta name="pypi:project-status" content="quarantined">'), "simple.html"),
        ("B3", "a yanked file", "", _page(_file(yanked="evil")), ""),
        ("B3", "a yanked file without a reason", "", _page(_file(yanked=True)), ""),
        ("B3", "a yanked file, in HTML", "", _html(f'<a href="{_URL}" data-yanked="">x</a>'), "simple.html"),
        ("B4", "a project whose name looks like this one's", "", _page(_file(filename="d\u0435mo-99.0-py3-none-any.whl")), ""),
        ("B4", "a project whose name is this one's with one letter less", "", _page(_file(filename="dem-99.0-py3-none-any.whl")), ""),
        ("B5", "a release of the future's Python", "", _page(_file(**{"requires-python": "<3"})), ""),
    )
)  # fmt: skip


def _paragraph(line: str) -> Callable[[], bytes]:
    return lambda: paragraphs(line).encode()


PACKAGES: tuple[Material, ...] = tuple(
    Material(threat=threat, kind="packages", name=name, make=make, refused=refused)
    for threat, name, refused, make in (
        ("A1", "a path that climbs", "unsound field: Filename", _paragraph("a 1 | Filename: pool/../../evil.deb")),
        ("A1", "an absolute path", "unsound field: Filename", _paragraph("a 1 | Filename: /etc/evil.deb")),
        ("A1", "an address as a path", "unsound field: Filename", _paragraph("a 1 | Filename: http://evil.example/x.deb")),
        ("A1", "a query in a path", "unsound field: Filename", _paragraph("a 1 | Filename: pool/x.deb?evil=.deb")),
        ("A1", "a package that climbs", "unsound field", _paragraph("../evil 1")),
        ("A3", "a hash that is none", "not a sha256", _paragraph("a 1 | SHA256: 00")),
        ("A3", "a size below nothing", "unsound field: Size", _paragraph("a 1 | Size: -1")),
        ("A3", "a size of 100 GB", "unsound field: Size", _paragraph("a 1 | Size: 99999999999")),
        ("A3", "a relation that is none", "unsound field: relation", _paragraph("a 1 | Depends: b (>> )")),
        ("A7", "a version with a colon and no epoch", "unsound field: Version", _paragraph("a e:1 | Filename: pool/a.deb")),
        ("A7", "a version of 6000 digits", "unsound field: Version", _paragraph(f"a {'9' * 6000} | Filename: pool/a.deb")),
        ("A7", "a version that is none", "unsound field: Version", _paragraph("a 1_2 | Filename: pool/a.deb")),
        ("B2", "a page of something else", "does not begin with Package", lambda: b"<html>\n"),
        ("B2", "names that are no text", "not UTF-8", lambda: b"Package: \xff\n"),
    )
)  # fmt: skip

_RELEASE = f"""\
Suite: stable
Codename: trixie
Date: Sat, 21 Nov 2026 00:53:03 UTC
SHA256:
 {_SHA} 20 main/binary-amd64/Packages.xz
"""


def _release(old: str, new: str) -> Callable[[], bytes]:
    return lambda: _RELEASE.replace(old, new, 1).encode()


RELEASES: tuple[Material, ...] = tuple(
    Material(threat=threat, kind="release", name=name, make=make, refused=refused)
    for threat, name, refused, make in (
        ("A1", "an index that climbs", "cannot be read: index line", _release("main/binary", "../evil")),
        ("A1", "an index with an absolute path", "cannot be read: index line", _release("main/binary", "/evil")),
        ("A3", "a weak hash alone", "has no field sha256", _release("SHA256:", "MD5Sum:")),
        ("B5", "no date", "has no field date", _release("Date:", "Datum:")),
        ("B5", "a date that is none", "cannot be read", _release("Sat, 21 Nov 2026 00:53:03 UTC", "evil")),
        ("B5", "a date beyond all calendars", "cannot be read", _release("2026", "999999999999")),
    )
)  # fmt: skip
