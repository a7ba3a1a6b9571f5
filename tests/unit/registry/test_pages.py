"""Lists of tags and referrers: followed to their end where they have one, and told with the way out where not."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest

from builder.oci import media
from builder.oci.descriptor import Descriptor, describe, descriptor_to_json
from builder.registry import pages
from builder.registry.answers import RegistryTroubleError
from builder.registry.model import parse_repository
from tests.support.registries import Asked, Fault, SmallRegistry
from tests.support.registry_images import client, close_clients

SUBJECT = describe(media.MANIFEST, b"subject")


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    close_clients()


def page(number: int, following: str = "", *, tags: list[str] | None = None, pad: int = 0) -> Fault:
    body = json.dumps({"name": "a", "tags": [f"t{number}"] if tags is None else tags}).encode() + b" " * pad
    return Fault(status=200, body=body, headers={"Link": f'<{following}>; rel="next"'} if following else {})


def number_of(asked: Asked) -> int:
    return int(asked.query.get("last", ["0"])[0])


def tags_of(answer: Callable[[Asked], Fault]) -> tuple[tuple[str, ...], int]:
    """List tags of a registry that answers so; with the number of its pages that were read."""
    with SmallRegistry(fault=answer) as small:
        return client().tags(parse_repository(f"{small.host}/a")), len(small.asked)


def refused(answer: Callable[[Asked], Fault], match: str) -> int:
    with SmallRegistry(fault=answer) as small:
        with pytest.raises(RegistryTroubleError, match=match) as caught:
            client().tags(parse_repository(f"{small.host}/a"))
        assert caught.value.context == f"{small.host}/a: tags"
        assert f"ask whoever runs {small.host}" in caught.value.hint
        return len(small.asked)


def test_all_pages_are_read() -> None:
    def answer(asked: Asked) -> Fault:
        return page(number_of(asked), f"/v2/a/tags/list?last={number_of(asked) + 1}" if number_of(asked) < 30 else "")

    tags, asked = tags_of(answer)
    assert (len(tags), asked) == (31, 31)


def test_an_empty_page_amid_a_list_is_no_end() -> None:
    def answer(asked: Asked) -> Fault:
        at = number_of(asked)
        return page(at, f"/v2/a/tags/list?last={at + 1}" if at < 3 else "", tags=[] if at == 1 else None)

    assert tags_of(answer)[0] == ("t0", "t2", "t3")


@pytest.mark.parametrize("back_to", [0, 2, 4])
def test_a_list_that_leads_back_to_itself_is_left_at_once(back_to: int) -> None:
    def answer(asked: Asked) -> Fault:
        at = number_of(asked)
        return page(at, f"/v2/a/tags/list?last={at + 1 if at < 4 else back_to}")

    assert refused(answer, "goes round in a circle: page") <= 7


def test_a_list_that_says_the_same_under_ever_new_addresses_is_left_at_once() -> None:
    assert refused(lambda asked: page(0, f"/v2/a/tags/list?last={number_of(asked) + 1}"), "circle: page 2") == 2


def test_a_list_of_empty_pages_ends() -> None:
    def answer(asked: Asked) -> Fault:
        return page(0, f"/v2/a/tags/list?last={number_of(asked) + 1}", tags=[])

    assert refused(answer, f"more than {pages.MOST_PAGES} pages") == pages.MOST_PAGES


def test_a_list_of_huge_pages_ends() -> None:
    def answer(asked: Asked) -> Fault:
        return page(number_of(asked), f"/v2/a/tags/list?last={number_of(asked) + 1}", pad=4_000_000)

    assert refused(answer, f"or {pages.MOST_BYTES} bytes") == 17


def test_a_list_of_very_many_tags_ends() -> None:
    def answer(asked: Asked) -> Fault:
        at = number_of(asked)
        many = [f"t{at}-{number}" for number in range(60_000)]
        return page(at, f"/v2/a/tags/list?last={at + 1}", tags=many)

    assert refused(answer, f"more than {pages.MOST_ENTRIES} entries") == 4


def test_a_page_that_is_too_long_is_told_as_one_of_the_list() -> None:
    assert refused(lambda _: page(0, pad=5 << 20), "the answer is longer than") == 1


@pytest.mark.parametrize("status", [404, 200])
def test_a_page_that_is_missing_amid_a_list_is_not_its_end(status: int) -> None:
    def answer(asked: Asked) -> Fault:
        return page(0, "/v2/a/tags/list?last=1") if not number_of(asked) else Fault(status=status, body=b"<html>")

    assert refused(answer, "half a list|no list of tags") == 2


def listing(*entries: Descriptor, following: str = "") -> Fault:
    body = {"schemaVersion": 2, "mediaType": media.INDEX, "manifests": [descriptor_to_json(one) for one in entries]}
    link = {"Link": f'<{following}>; rel="next"'} if following else {}
    return Fault(status=200, body=json.dumps(body).encode(), headers={"Content-Type": media.INDEX, **link})


@pytest.mark.parametrize("second", [Fault(status=404), Fault(status=200, body=b"[]")], ids=["404", "no index"])
def test_half_a_list_of_referrers_is_not_the_whole(second: Fault) -> None:
    entry = describe(media.MANIFEST, b"one")
    following = f"/v2/a/referrers/{SUBJECT.digest}?last=1"

    def answer(asked: Asked) -> Fault:
        return second if number_of(asked) else listing(entry, following=following)

    with SmallRegistry(fault=answer) as small, pytest.raises(RegistryTroubleError, match="half a list: page 2"):
        client().referrers(parse_repository(f"{small.host}/a"), SUBJECT.digest)


def test_a_circle_of_referrers_is_left_at_once() -> None:
    following = f"/v2/a/referrers/{SUBJECT.digest}"
    with SmallRegistry(fault=lambda _: listing(describe(media.MANIFEST, b"one"), following=following)) as small:
        with pytest.raises(RegistryTroubleError, match="circle"):
            client().referrers(parse_repository(f"{small.host}/a"), SUBJECT.digest)
        assert len(small.asked) == 1
