from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from builder.digest import Digest
from builder.lock.model import LockedFile
from builder.resolve.settings import IndexSettings
from builder.resolve.simple import Places, find_file_urls, recall_urls, remember_urls
from builder.store.artefacts import DirectoryArtefactStore
from builder.store.patience import Patience
from builder.store.transport import HttpTransport
from tests.support.fault_server import Answer, FaultServer

NAME = "demo-1-py3-none-any.whl"
FILE = LockedFile(name=NAME, size=4, sha256=Digest.of(b"demo"))
HASH = FILE.sha256.hex
JSON_TYPE = {"content-type": "application/vnd.pypi.simple.v1+json"}
PATIENCE = Patience(sleep=lambda _: None, tries=2)


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as server:
        yield server


def html(*anchors: str) -> Answer:
    return Answer(body="".join(anchors).encode(), headers={"content-type": "text/html"})


def json_page(*files: object) -> Answer:
    body = json.dumps({"meta": {"api-version": "1.1"}, "name": "demo", "files": files})
    return Answer(body=body.encode(), headers=JSON_TYPE)


def find(*indexes: str, find_links: tuple[str, ...] = (), offline: bool = False) -> Places:
    settings = IndexSettings(
        source="uv",
        default_index=indexes[-1] if indexes else None,
        extra_indexes=indexes[:-1],
        no_index=not indexes,
        find_links=find_links,
        offline=offline,
    )
    with HttpTransport(timeout_s=5) as transport:
        return find_file_urls(settings, {"demo": [FILE]}, transport, patience=PATIENCE)


def urls(places: Places) -> tuple[str, ...]:
    return places.urls.get(FILE.sha256, ())


@pytest.mark.parametrize(
    "answer",
    [
        html(f'<a href="../../files/{NAME}#sha256={HASH}">x</a>'),
        html(f'<a href="../../files/{NAME}">no hash: the name decides</a>'),
        html(f'<base href="/files/"><a href="{NAME}#sha256={HASH}">x</a>'),
        html(f'<a HREF="/files/{NAME}?token=a&amp;b#sha256={HASH}" data-yanked>x</a>'),
        json_page({"filename": NAME, "url": f"../../files/{NAME}", "hashes": {"sha256": HASH}}),
        json_page({"filename": NAME, "url": f"/files/{NAME}", "hashes": {}}),
    ],
    ids=["relative", "no hash", "base", "query", "JSON", "JSON without hash"],
)
def test_file_is_found_on_an_index(server: FaultServer, answer: Answer) -> None:
    server.on("/simple/demo/", answer)
    found = urls(find(server.url("/simple")))
    assert [url.partition("?")[0] for url in found] == [server.url(f"/files/{NAME}")]
    assert "json" in server.requests[0].headers["accept"]


def test_same_name_with_another_hash_is_another_file(server: FaultServer) -> None:
    server.on("/simple/demo/", html(f'<a href="/{NAME}#sha256={"0" * 64}">x</a>'))
    assert not urls(find(server.url("/simple")))


def test_indexes_are_asked_in_order_until_found(server: FaultServer) -> None:
    server.on("/b/demo/", html(f'<a href="/{NAME}#sha256={HASH}">x</a>'))
    assert urls(find(server.url("/a"), server.url("/b/"), server.url("/c"))) == (server.url(f"/{NAME}"),)
    assert [request.path for request in server.requests] == ["/a/demo/", "/b/demo/"]


def test_index_that_fails_is_named_without_its_password(server: FaultServer) -> None:
    server.on("/simple/demo/", Answer(status=503))
    places = find(server.url("/simple", user="me:secret"))
    assert places.issues == (f"{server.url('/simple/demo/')}: HTTP 503",)
    assert len(server.requests) == 2


def test_page_of_a_server_does_not_lead_to_local_files(server: FaultServer) -> None:
    server.on("/simple/demo/", html(f'<a href="file:///tmp/{NAME}#sha256={HASH}">x</a>'))
    assert not urls(find(server.url("/simple")))


def test_local_index_and_folder_are_read(tmp_path: Path) -> None:
    (tmp_path / "simple/demo").mkdir(parents=True)
    (tmp_path / "simple/demo/index.html").write_text(f'<a href="../../files/{NAME}#sha256={HASH}">x</a>')
    assert urls(find((tmp_path / "simple").as_uri())) == ((tmp_path / "files" / NAME).as_uri(),)
    (tmp_path / "wheels").mkdir()
    (tmp_path / "wheels" / NAME).write_bytes(b"demo")
    assert urls(find(find_links=((tmp_path / "wheels").as_uri(),))) == ((tmp_path / "wheels" / NAME).as_uri(),)


def test_page_of_links_is_read(server: FaultServer) -> None:
    page = server.on("/links.html", html(f'<a href="{NAME}">x</a>'))
    assert urls(find(find_links=(page,))) == (server.url(f"/{NAME}"),)


def test_offline_asks_nothing(server: FaultServer) -> None:
    assert not urls(find(server.url("/simple"), find_links=(server.url("/links"),), offline=True))
    assert not server.requests


def test_remembered_places_hold_for_the_same_settings_only(tmp_path: Path) -> None:
    store = DirectoryArtefactStore(tmp_path)
    mine = IndexSettings(source="uv", default_index="https://me:secret@a.example/simple")
    remember_urls(store, mine, {FILE.sha256: ["https://me:secret@a.example/f.whl"]})
    assert recall_urls(store, mine, FILE.sha256) == ("https://a.example/f.whl",)
    other = IndexSettings(source="uv", default_index="https://b.example/simple")
    assert recall_urls(store, other, FILE.sha256) == ()


def test_file_is_found_in_a_folder_of_the_project_before_any_index(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(b"demo")
    missing = ("gone", (tmp_path / "gone").as_uri())
    settings = IndexSettings(source="uv", no_index=True, folders=(missing, ("here", tmp_path.as_uri())))
    with HttpTransport(timeout_s=5) as transport:
        assert urls(find_file_urls(settings, {"demo": [FILE]}, transport)) == ((tmp_path / NAME).as_uri(),)
