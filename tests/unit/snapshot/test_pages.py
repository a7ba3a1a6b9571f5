from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.errors import InvalidInputError, PackageIndexError
from builder.snapshot.model import OfferedFile, ProjectPage
from builder.snapshot.pages import (
    dump_page,
    group_by_project,
    iter_version_files,
    merge_pages,
    parse_canonical_page,
    parse_file_name,
    parse_listing,
    parse_project_page,
)
from builder.store.pages import Page

NAME = "demo-1.0-py3-none-any.whl"
HASH = "a" * 64
JSON = "application/vnd.pypi.simple.v1+json"
BASE = "https://index.example/simple/demo/"


def html(*parts: str) -> Page:
    return Page(url=BASE, content_type="text/html; charset=utf-8", body="".join(parts).encode())


def listed(*files: object, **more: object) -> Page:
    body = json.dumps({"meta": {"api-version": "1.1"}, "name": "demo", "files": files, **more}).encode()
    return Page(url=BASE, content_type=JSON, body=body)


def entry(**more: Any) -> dict[str, Any]:
    return {"filename": NAME, "url": f"/files/{NAME}", "hashes": {}} | more


def only(page: Page) -> OfferedFile:
    (file,) = parse_project_page(page, index="default", project="demo").files
    return file


def page_of(*files: OfferedFile, index: str = "default", status: str = "active") -> ProjectPage:
    return ProjectPage(index=index, project="demo", files=files, status=status)


def offer(name: str = NAME, **more: Any) -> OfferedFile:
    return OfferedFile(name=name, url=f"https://a.example/{name}", **more)


def test_json_says_all_of_a_file() -> None:
    page = listed(
        entry(
            hashes={"sha256": HASH.upper(), "md5": "x"},
            size=7,
            **{"upload-time": "2026-05-01T10:00:00.999999Z", "requires-python": ">=3.9"},
            yanked="bad\n build",
            **{"core-metadata": {"sha256": HASH}},
        )
    )
    assert only(page) == OfferedFile(
        name=NAME,
        url=f"https://index.example/files/{NAME}",
        sha256=HASH,
        size=7,
        upload_time="2026-05-01T10:00:00Z",
        requires_python=">=3.9",
        yanked="bad build",
        metadata_sha256=HASH,
        has_metadata=True,
    )


def test_html_says_what_it_can() -> None:
    page = html(
        '<meta name="pypi:project-status" content="Quarantined"><meta name="pypi:project-status-reason" content="evil">',
        f'<a href="../../files/{NAME}#sha256={HASH}" data-requires-python="&gt;=3.9" data-yanked'
        f' data-core-metadata="sha256={HASH}">{NAME}</a>',
    )
    parsed = parse_project_page(page, index="default", project="demo")
    assert (parsed.status, parsed.status_reason) == ("quarantined", "evil")
    assert parsed.files == (
        OfferedFile(
            name=NAME,
            url=f"https://index.example/files/{NAME}",
            sha256=HASH,
            requires_python=">=3.9",
            yanked="",
            metadata_sha256=HASH,
            has_metadata=True,
        ),
    )


@pytest.mark.parametrize(
    ("given_time", "read"),
    [
        ("2026-05-01T10:00:00Z", "2026-05-01T10:00:00Z"),
        ("2026-05-01T12:00:00.5+02:00", "2026-05-01T10:00:00Z"),
        ("2026-05-01T10:00:00", None),
        ("2026-05-01", None),
        ("yesterday", None),
        (5, None),
    ],
)
def test_upload_time_is_utc_to_the_second_or_unknown(given_time: object, read: str | None) -> None:
    assert only(listed(entry(**{"upload-time": given_time}))).upload_time == read


@pytest.mark.parametrize(("said", "yanked"), [(True, ""), ("why", "why"), (False, None), (None, None), ("", None)])
def test_yanks_of_json(said: object, yanked: str | None) -> None:
    assert only(listed(entry(yanked=said))).yanked == yanked


@pytest.mark.parametrize("key", ["core-metadata", "dist-info-metadata"])
@pytest.mark.parametrize(("said", "has"), [(True, True), ({}, True), ({"sha256": HASH}, True), (False, False)])
def test_metadata_beside_a_file_goes_by_both_names(key: str, said: object, has: bool) -> None:  # noqa: FBT001
    assert only(listed(entry(**{key: said}))).has_metadata is has


def test_status_of_a_project_is_read() -> None:
    page = listed(**{"project-status": {"status": "archived", "reason": "done"}})
    parsed = parse_project_page(page, index="default", project="demo")
    assert (parsed.status, parsed.status_reason) == ("archived", "done")


@pytest.mark.parametrize(
    "name",
    [
        "other-1.0-py3-none-any.whl",
        "demo-1.0-py3-none.whl",
        "demo-x.y-py3-none-any.whl",
        "demo-1.0.tar.bz2",
        "demo-1.0.exe",
        "../demo-1.0.tar.gz",
        "demo-1.0 .tar.gz",
        "demo__x-1.0-py3-none-any.whl",
        "demo-1.0.tar.gz\u202e",
        f"demo-1.0+{'a' * 300}.tar.gz",
    ],
)
def test_names_that_are_no_wheel_or_sdist_of_the_project_are_dropped(name: str) -> None:
    page = listed(entry(filename=name, url="/files/demo-1.0.tar.gz"))
    assert parse_project_page(page, index="default", project="demo").files == ()


@pytest.mark.parametrize(
    "name",
    ["Demo-1.0-1build-py2.py3-none-any.whl", "DEMO-1.0.tar.gz", "demo-1.0.zip", "demo-1!1.0+local-py3-none-any.whl"],
)
def test_names_are_of_the_project_however_spelled(name: str) -> None:
    assert only(listed(entry(filename=name))).name == name


def test_of_two_files_of_one_name_the_first_is_kept() -> None:
    assert only(listed(entry(size=1), entry(size=2))).size == 1


def test_credentials_in_links_are_dropped() -> None:
    assert only(html(f'<a href="https://u:p@files.example/{NAME}">x</a>')).url == f"https://files.example/{NAME}"


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b'{"meta":{"api-version":"2.0"},"files":[]}',
        b'{"meta":{"api-version":"1.0"},"files":[1]}',
        b'{"meta":{"api-version":"1.0"},"files":[],"project-status":"x"}',
        b"[" * 200_000,
    ],
    ids=["no JSON", "no object", "version 2", "no file", "status", "nested"],
)
def test_page_that_is_not_as_pep_691_says_is_refused(body: bytes) -> None:
    with pytest.raises(PackageIndexError):
        parse_listing(Page(url=BASE, content_type=JSON, body=body))


def test_html_with_a_base_that_is_no_address_is_refused() -> None:
    with pytest.raises(PackageIndexError, match="its page is not HTML"):
        parse_listing(html('<base href="http://["><a href="x.whl">'))


@pytest.mark.parametrize("url", ["http://[x/a.whl", "http://h:99999/a.whl", "http://h/\ud800.whl", "file:///a.whl"])
def test_links_that_must_not_be_followed_are_passed_over(url: str) -> None:
    assert parse_listing(listed(entry(url=url))).files == ()


@given(st.text())
def test_any_html_gives_links_or_none(text: str) -> None:
    listing = parse_listing(html(f'<a href="{text}">'))
    assert all(file.url.startswith(("http:", "https:")) for file in listing.files)


def test_find_links_are_sorted_by_project() -> None:
    groups = group_by_project(parse_listing(html(f'<a href="{NAME}">', '<a href="b_c-2.tar.gz">', '<a href="x.txt">')))
    assert {project: [file.name for file in listing.files] for project, listing in groups.items()} == {
        "demo": [NAME],
        "b-c": ["b_c-2.tar.gz"],
    }


def test_version_is_found_however_it_is_spelled() -> None:
    names = ["demo-1.0-py3-none-any.whl", "demo-1.0.0.tar.gz", "demo-1.0.1.tar.gz", "demo-11.0.tar.gz", "demo-1.tar.gz"]
    data = dump_page(page_of(*(offer(name) for name in names)))
    found = [file.name for file in iter_version_files(data, "demo", "1.0")]
    assert found == sorted(names[:2] + names[4:])
    assert not list(iter_version_files(data, "demo", "1.0.post1"))


def test_text_of_an_index_is_not_taken_for_a_version() -> None:
    data = dump_page(page_of(offer("demo-2.tar.gz", yanked='"version":"1"')))
    assert not list(iter_version_files(data, "demo", "1"))


def test_merged_page_takes_the_first_place_and_what_later_ones_know_of_the_same_bytes() -> None:
    local = offer(sha256=HASH)
    remote = OfferedFile(name=NAME, url="https://b.example/x", sha256=HASH, size=5, upload_time="2026-05-01T10:00:00Z")
    (merged,) = merge_pages([page_of(local, index="find-links"), page_of(remote, status="archived")]).files
    assert (merged.url, merged.size, merged.upload_time) == (local.url, 5, "2026-05-01T10:00:00Z")


def test_merged_page_keeps_name_and_status_of_the_last() -> None:
    merged = merge_pages([page_of(offer(), index="find-links"), page_of(offer("demo-2.tar.gz"), status="archived")])
    assert (merged.index, merged.status) == ("default", "archived")
    assert [file.name for file in merged.files] == [NAME, "demo-2.tar.gz"]


def test_merged_page_takes_who_says_which_bytes_and_else_the_first() -> None:
    silent, knowing, other = offer(), offer(sha256=HASH, size=1), offer(sha256="b" * 64)
    assert merge_pages([page_of(silent), page_of(knowing)]).files == (knowing,)
    assert merge_pages([page_of(knowing), page_of(other)]).files == (knowing,)


@pytest.mark.parametrize("data", [b"", b"{}\n", b"[]\n", b'{"format":2}\n', b"\xff", b'{"format":1}\n{"name":1}\n'])
def test_bytes_that_are_no_canonical_page_are_refused(data: bytes) -> None:
    with pytest.raises(InvalidInputError):
        parse_canonical_page(data)


def test_file_names_are_read_as_packaging_reads_them() -> None:
    found = parse_file_name("Demo.Thing-1.0.0-py3-none-any.whl")
    assert found is not None
    assert (found[0], str(found[1])) == ("demo-thing", "1.0.0")
