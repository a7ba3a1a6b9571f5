from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from builder.digest import Digest
from builder.errors import PackageIndexError
from builder.snapshot.model import KnownPage, NamedIndex, OfferedFile, ProjectPage, Upstream
from builder.snapshot.pages import parse_canonical_page
from builder.snapshot.upstream import (
    MergingUpstream,
    OfflineUpstream,
    TransportUpstream,
    hash_files,
    make_upstream,
    max_age_of,
)
from builder.store.patience import Patience
from builder.store.transport import HttpTransport
from tests.support.fault_server import Answer, FaultServer

PATIENCE = Patience(sleep=lambda _: None, tries=2)
JSON = {"content-type": "application/vnd.pypi.simple.v1+json"}


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as server:
        yield server


@pytest.fixture
def transport() -> Iterator[HttpTransport]:
    with HttpTransport(timeout_s=5) as transport:
        yield transport


def page(*names: str, **headers: str) -> Answer:
    files = [{"filename": name, "url": f"/files/{name}", "hashes": {}} for name in names]
    body = json.dumps({"meta": {"api-version": "1.1"}, "name": "demo", "files": files}).encode()
    return Answer(body=body, headers=JSON | {name.replace("_", "-"): value for name, value in headers.items()})


def remote(server: FaultServer, name: str = "default") -> NamedIndex:
    return NamedIndex(name=name, url=server.url(f"/{name}"))


def local(folder: Path, *names: str, find_links: bool = False, project: str = "demo") -> NamedIndex:
    if find_links:
        folder.mkdir(exist_ok=True)
        for name in names:
            (folder / name).write_bytes(b"x")
        return NamedIndex(name="find-links", url=folder.as_uri(), find_links=True)
    (folder / project).mkdir(parents=True, exist_ok=True)
    text = "".join(f'<a href="{name}">{name}</a>' for name in names)
    (folder / project / "index.html").write_text(text, encoding="utf-8")
    return NamedIndex(name="extra-1", url=folder.as_uri())


def names(answer: tuple[KnownPage, bytes | None]) -> list[str]:
    assert answer[1] is not None
    return [file.name for file in parse_canonical_page(answer[1]).files]


def test_page_is_asked_for_conditionally_once_it_is_known(server: FaultServer, transport: HttpTransport) -> None:
    fresh = page("demo-1.tar.gz", etag='"a"', cache_control="max-age=60")
    server.on("/default/demo/", fresh, Answer(status=304, headers={"cache-control": "max-age=5"}))
    index = remote(server)
    upstream = TransportUpstream(transport, [index], patience=PATIENCE, now=lambda: 100)
    known, data = upstream.page(index, "demo", None)
    assert (known.etag, known.checked_at, known.max_age_s) == ('"a"', 100, 60)
    assert names((known, data)) == ["demo-1.tar.gz"]
    again, nothing = upstream.page(index, "demo", known)
    assert nothing is None
    assert (again.digest, again.max_age_s) == (known.digest, 5)
    assert server.requests[1].headers["if-none-match"] == '"a"'


def test_same_body_without_an_entity_tag_is_not_read_again(server: FaultServer, transport: HttpTransport) -> None:
    server.on("/default/demo/", page("demo-1.tar.gz"))
    index = remote(server)
    upstream = TransportUpstream(transport, [index], patience=PATIENCE)
    known, _ = upstream.page(index, "demo", None)
    assert upstream.page(index, "demo", known)[1] is None
    assert "if-none-match" not in server.requests[1].headers


def test_project_that_an_index_does_not_have_is_remembered_as_absent(
    server: FaultServer, transport: HttpTransport
) -> None:
    index = remote(server)
    known, data = TransportUpstream(transport, [index], patience=PATIENCE).page(index, "demo", None)
    assert (known.digest, data, known.max_age_s) == (None, None, 600)


def test_index_that_fails_is_no_index_without_the_project(server: FaultServer, transport: HttpTransport) -> None:
    server.on("/default/demo/", Answer(status=503))
    index = NamedIndex(name="default", url=server.url("/default", user="me:secret"))
    with pytest.raises(PackageIndexError) as caught:
        TransportUpstream(transport, [index], patience=PATIENCE).page(index, "demo", None)
    assert "secret" not in str(caught.value)


def test_local_index_is_looked_at_each_time(tmp_path: Path, transport: HttpTransport) -> None:
    index = local(tmp_path, "demo-1.tar.gz")
    upstream = TransportUpstream(transport, [index])
    known, data = upstream.page(index, "demo", None)
    assert (names((known, data)), known.max_age_s) == (["demo-1.tar.gz"], 0)
    assert upstream.page(index, "demo", known)[1] is None
    local(tmp_path, "demo-1.tar.gz", "demo-2.tar.gz")
    assert names(upstream.page(index, "demo", known)) == ["demo-1.tar.gz", "demo-2.tar.gz"]
    assert upstream.page(index, "absent", None)[0].digest is None


def test_find_links_page_is_read_once(server: FaultServer, transport: HttpTransport) -> None:
    server.on("/links.html", Answer(body=b'<a href="demo-1.tar.gz"><a href="b_c-1.zip">'))
    index = NamedIndex(name="find-links", url=server.url("/links.html"), find_links=True)
    upstream = TransportUpstream(transport, [index], patience=PATIENCE)
    assert names(upstream.page(index, "demo", None)) == ["demo-1.tar.gz"]
    assert names(upstream.page(index, "b-c", None)) == ["b_c-1.zip"]
    assert upstream.page(index, "other", None)[1] is None
    assert len(server.requests) == 1


def test_find_links_place_that_is_not_there_is_an_error(tmp_path: Path, transport: HttpTransport) -> None:
    index = NamedIndex(name="find-links", url=(tmp_path / "none").as_uri(), find_links=True)
    with pytest.raises(PackageIndexError, match="find-links place is not there"):
        TransportUpstream(transport, [index], patience=PATIENCE).page(index, "demo", None)


def merging(transport: HttpTransport, *indexes: NamedIndex, clock: list[float]) -> Upstream:
    inner = TransportUpstream(transport, indexes, patience=PATIENCE, now=lambda: clock[0])
    return MergingUpstream(inner, now=lambda: clock[0])


def test_local_places_add_to_the_page_of_one_index(
    tmp_path: Path, server: FaultServer, transport: HttpTransport
) -> None:
    server.on("/private/demo/", page("demo-1.tar.gz"))
    server.on("/default/demo/", page("demo-9.tar.gz"))
    folder = local(tmp_path / "w", "demo-2.tar.gz", "mine-1.zip", find_links=True)
    private, default = remote(server, "private"), remote(server)
    upstream = merging(transport, folder, private, default, clock=[100])
    assert [index.name for index in upstream.indexes()] == ["private", "default"]
    assert names(upstream.page(private, "demo", None)) == ["demo-1.tar.gz", "demo-2.tar.gz"]
    # What only local places have comes from the last index: from no other, or that one would hide the rest.
    assert upstream.page(private, "mine", None)[0].digest is None
    assert names(upstream.page(default, "mine", None)) == ["mine-1.zip"]


def test_merged_page_holds_while_neither_part_changes(
    tmp_path: Path, server: FaultServer, transport: HttpTransport
) -> None:
    fresh = page("demo-1.tar.gz", etag='"a"', cache_control="max-age=60")
    server.on("/default/demo/", fresh, Answer(status=304), fresh)
    extra, default, clock = local(tmp_path, "demo-2.tar.gz"), remote(server), [100.0]
    upstream = merging(transport, extra, default, clock=clock)
    known, _ = upstream.page(default, "demo", None)
    clock[0] = 150
    again, nothing = upstream.page(default, "demo", known)
    assert (again.digest, nothing, len(server.requests)) == (known.digest, None, 1)
    clock[0] = 200
    again, nothing = upstream.page(default, "demo", again)
    assert (again.digest, nothing, len(server.requests)) == (known.digest, None, 2)
    local(tmp_path, "demo-2.tar.gz", "demo-3.tar.gz")
    assert names(upstream.page(default, "demo", again)) == ["demo-1.tar.gz", "demo-2.tar.gz", "demo-3.tar.gz"]


def test_offline_takes_what_is_known_and_names_the_way_out(tmp_path: Path, transport: HttpTransport) -> None:
    default = NamedIndex(name="default", url="https://index.invalid/simple")
    places = [local(tmp_path, "demo-1.tar.gz"), default]
    upstream = make_upstream(transport, places, merge=False, offline=True, patience=PATIENCE)
    assert isinstance(upstream, OfflineUpstream)
    known = KnownPage(digest=None, etag="", checked_at=0, max_age_s=0)
    assert upstream.page(default, "demo", known) == (known, None)
    assert names(upstream.page(places[0], "demo", None)) == ["demo-1.tar.gz"]
    with pytest.raises(PackageIndexError, match="lock once with the network"):
        upstream.page(default, "demo", None)
    with pytest.raises(PackageIndexError, match="the settings say offline"):
        upstream.metadata(OfferedFile(name="demo-1-py3-none-any.whl", url="https://x.invalid/demo-1-py3-none-any.whl"))


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 600),
        ({"cache-control": "public, max-age=30"}, 30),
        ({"cache-control": "max-age=30", "age": "20"}, 10),
        ({"cache-control": "no-cache, max-age=30"}, 0),
        ({"cache-control": "max-age=999999999"}, 86_400),
        ({"cache-control": "max-age=soon"}, 600),
    ],
)
def test_pages_hold_as_long_as_the_index_says(headers: dict[str, str], seconds: int) -> None:
    assert max_age_of(headers) == seconds


def own_folder(folder: Path) -> NamedIndex:
    folder.mkdir(exist_ok=True)
    return NamedIndex(name="here", url=folder.as_uri(), find_links=True, alone=True)


def test_file_that_is_replaced_in_a_folder_of_the_project_is_another_page(
    tmp_path: Path, transport: HttpTransport
) -> None:
    index, path = own_folder(tmp_path / "dists"), tmp_path / "dists/demo-1.tar.gz"
    pages = []
    for content in (b"a", b"b"):
        path.write_bytes(content)
        known, data = TransportUpstream(transport, [index]).page(index, "demo", None)
        assert data is not None
        [file] = parse_canonical_page(data).files
        assert (file.sha256, file.size) == (Digest.of(content).hex, 1)
        pages.append(known.digest)
    assert pages[0] != pages[1]


def test_folder_of_the_project_is_never_added_to_an_index(
    tmp_path: Path, server: FaultServer, transport: HttpTransport
) -> None:
    server.on("/default/demo/", page("demo-9.tar.gz"))
    places = [own_folder(tmp_path / "dists"), local(tmp_path / "w", "demo-2.tar.gz", find_links=True), remote(server)]
    (tmp_path / "dists/demo-1.tar.gz").write_bytes(b"x")
    upstream = merging(transport, *places, clock=[0.0])
    assert [index.name for index in upstream.indexes()] == ["here", "default"]
    assert names(upstream.page(places[0], "demo", None)) == ["demo-1.tar.gz"]
    assert names(upstream.page(places[2], "demo", None)) == ["demo-2.tar.gz", "demo-9.tar.gz"]


def test_folder_of_the_project_that_is_not_there_is_told_with_the_file_that_names_it(
    tmp_path: Path, transport: HttpTransport
) -> None:
    index = NamedIndex(name="here", url=(tmp_path / "dists").as_uri(), find_links=True, alone=True)
    with pytest.raises(PackageIndexError) as caught:
        TransportUpstream(transport, [index]).page(index, "demo", None)
    assert "the folder of index 'here' is not there" in str(caught.value)
    assert caught.value.hint == "take it out of stacks/indexes.toml, or make the folder"


def test_file_of_the_project_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    gone = OfferedFile(name="demo-1.tar.gz", url=(tmp_path / "demo-1.tar.gz").as_uri())
    with pytest.raises(PackageIndexError, match="No such file"):
        hash_files(ProjectPage(index="here", project="demo", files=(gone,)))
