"""What answers and failed connections are told as."""

from __future__ import annotations

import pytest
from urllib3 import HTTPHeaderDict, HTTPResponse

from builder.registry.answers import hint_of_connection, next_page, upload_address
from builder.registry.challenge import parse_challenges
from builder.registry.wire import _Answer
from builder.store.transport import TransportError

FAILED = "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: "


@pytest.mark.parametrize("said", ["unable to get local issuer certificate", "self-signed certificate"])
def test_unknown_authority_names_the_setting_of_its_host(said: str) -> None:
    assert '[registries."r.example:5000"] certificate' in hint_of_connection(FAILED + said, "r.example:5000")


@pytest.mark.parametrize("said", ["certificate has expired", "Hostname mismatch, certificate is not valid for 'r'"])
def test_wrong_certificate_is_no_matter_of_settings(said: str) -> None:
    hint = hint_of_connection(FAILED + said, "r.example")
    assert "ask whoever runs r.example" in hint
    assert "config.toml" not in hint


def test_other_failures_have_the_hint_of_all_failures() -> None:
    assert hint_of_connection("connection refused", "r.example") == ""


LIST = "https://r.example/v2/a/tags/list?n=1000"


def link(address: str) -> dict[str, str]:
    return {"link": f'<{address}>; rel="next"'}


@pytest.mark.parametrize("address", ["/v2/a/tags/list?last=b", "http://r.example/v2/a/tags/list?last=b"])
def test_next_page_is_found_by_path_and_behind_a_proxy_that_ends_tls(address: str) -> None:
    assert next_page(LIST, link(address)) == "https://r.example/v2/a/tags/list?last=b"


def test_last_page_has_no_next_one() -> None:
    assert next_page(LIST, {}) is None
    assert next_page(LIST, {"link": '</v2/a>; rel="prev"'}) is None


@pytest.mark.parametrize("address", ["https://other.example/v2/a", "http://other.example/v2/a", "file:///etc/passwd"])
def test_list_that_goes_on_elsewhere_is_not_taken_for_the_whole(address: str) -> None:
    with pytest.raises(TransportError):
        next_page(LIST, link(address))


def test_upload_stays_with_tls_behind_a_proxy_that_ends_it() -> None:
    answer = {"location": "http://r.example/v2/a/blobs/uploads/1"}
    assert upload_address("https://r.example/v2/a/blobs/uploads/", answer).startswith("https://r.example/")


@pytest.mark.parametrize(
    "relation", ['rel="next"', "rel=next", 'rel="last next"', 'REL="Next"', 'title="a; b"; rel=next']
)
def test_next_page_is_found_in_every_spelling(relation: str) -> None:
    assert next_page(LIST, {"link": f"</v2/a?last=b>; {relation}"}) == "https://r.example/v2/a?last=b"


@pytest.mark.parametrize("relation", ['rel="nextish"', 'rel="prev"', "next", 'rev="next"'])
def test_other_relations_are_no_next_page(relation: str) -> None:
    assert next_page(LIST, {"link": f"</v2/a?last=b>; {relation}"}) is None


@pytest.mark.parametrize(
    "text", ["<" * 60000, "<a>" + ";a=b" * 15000, '<a>;a="' * 8000, "<a>" + "; " * 30000, "<a" * 30000]
)
def test_any_link_is_read_in_time(text: str) -> None:
    assert next_page(LIST, {"link": text}) is None


def test_header_that_stands_several_times_is_read_whole() -> None:
    headers = HTTPHeaderDict(
        [("WWW-Authenticate", 'Bearer realm="https://r.example/token"'), ("WWW-Authenticate", "Basic")]
    )
    answer = _Answer(HTTPResponse(headers=headers, status=401), "https://r.example/v2/")
    found = parse_challenges(answer.headers["www-authenticate"])
    assert [challenge.scheme for challenge in found] == ["bearer", "basic"]
