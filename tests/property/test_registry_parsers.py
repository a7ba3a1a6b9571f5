from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from builder.errors import InvalidInputError
from builder.registry.challenge import parse_challenges
from builder.registry.model import parse_reference

WORD = st.from_regex(r"\A[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*\Z")
PATH = st.lists(WORD, min_size=1, max_size=4).map("/".join).filter(lambda path: len(path) < 256)
HOST = st.sampled_from(["localhost", "127.0.0.1:5000", "[::1]:5000", "r.example.org", "a-b.example:65535"])
TAG = st.from_regex(r"\A[A-Za-z0-9_][A-Za-z0-9._-]{0,127}\Z")
HEX = st.text("0123456789abcdef", min_size=64, max_size=64)


@given(HOST, PATH, st.none() | TAG, st.none() | HEX)
def test_references_round_trip(host: str, path: str, tag: str | None, digest: str | None) -> None:
    if tag is None and digest is None:
        return
    text = f"{host}/{path}" + (f":{tag}" if tag else "") + (f"@sha256:{digest}" if digest else "")
    found = parse_reference(text)
    assert str(found) == text
    assert (found.repository.registry, found.repository.path, found.tag) == (host, path, tag)


@given(st.text() | st.text("abc.:/@-_[]0123456789sha256 \n\0%?#"))
def test_any_text_is_a_reference_written_alike_or_refused(text: str) -> None:
    try:
        found = parse_reference(text)
    except InvalidInputError:
        return
    assert str(found).lower() == text.lower()
    assert not set(text) & set(" \n\0%?#")


@given(st.text() | st.text('Bearer realm="https://t,=\\ \t'))
def test_any_header_is_read_in_time_and_without_error(header: str) -> None:
    for challenge in parse_challenges(header):
        assert challenge.scheme == challenge.scheme.lower()


VALUE = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30)


@given(st.dictionaries(st.sampled_from(["realm", "service", "scope"]), VALUE), st.booleans())
def test_quoted_parameters_round_trip(parameters: dict[str, str], spaced: bool) -> None:  # noqa: FBT001
    def quote(value: str) -> str:
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'

    joined = (", " if spaced else ",").join(f"{name}={quote(value)}" for name, value in parameters.items())
    found = parse_challenges(f"Bearer {joined}, Basic")
    assert found[0].parameters == parameters
    assert found[-1].scheme == "basic"
