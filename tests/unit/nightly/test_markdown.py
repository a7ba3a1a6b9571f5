"""A night as Markdown: what others wrote stays text, and calls nobody."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from builder.nightly.markdown import escape_text, fenced, render_brief, render_markdown, render_message, render_title
from builder.nightly.model import Result, Step
from tests.support.made_up_nights import MadeUpNight, make_full_night

JOINER = "\N{WORD JOINER}"
ACTS = st.text(st.sampled_from("`*_[]()<>|~#@!&\\-+.:/ \n\r\t\u2028\u202e\x1b=1aGHw\"'{}$"), max_size=30)
TEXTS = st.text(max_size=30) | ACTS
PARSER = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def flat(text: str) -> list[Token]:
    return [inner for token in PARSER.parse(text) for inner in (token, *(token.children or ()))]


def seen(text: str) -> str:
    """What a reader sees of a text: no more and no less than these letters."""
    line = "".join(
        letter if letter.isprintable() else " " if letter in "\r\n\t" else "\N{REPLACEMENT CHARACTER}"
        for letter in text
    )
    return line.strip() or "?"


@given(TEXTS)
def test_a_text_is_shown_as_it_is(text: str) -> None:
    tokens = flat(f"- **x** {escape_text(text)}")
    shown = "".join(token.content for token in tokens if token.type == "text")
    assert " ".join(shown.replace(JOINER, "").split()) == " ".join(f"x {seen(text).replace(JOINER, '')}".split())
    kinds = {token.type for token in tokens}
    assert kinds <= {
        "bullet_list_open",
        "bullet_list_close",
        "list_item_open",
        "list_item_close",
        "paragraph_open",
        "paragraph_close",
        "inline",
        "text",
        "text_special",
        "strong_open",
        "strong_close",
    }


@given(TEXTS)
def test_nobody_is_mentioned(text: str) -> None:
    for written in (escape_text(text), "\n".join(fenced(text))):
        assert not re.search(r"[@#](?!\N{WORD JOINER})", written)
        assert not re.search(r"<[!@#]", written)
        assert not re.search(r"(?i)\bGH-\d", written)


@given(st.lists(TEXTS, max_size=5).map("\n".join))
def test_a_block_of_code_ends_where_it_is_to_end(text: str) -> None:
    tokens = PARSER.parse("\n".join(("- **x**: y", *fenced(text, indent="  "), "- after")))
    blocks = [token for token in tokens if token.type == "fence"]
    assert len(blocks) == 1
    assert [token.type for token in tokens].count("list_item_open") == 2
    assert len(blocks[0].content.splitlines()) == len(text.splitlines())


@given(TEXTS, TEXTS)
def test_the_report_has_its_form_whatever_names_and_reasons_say(name: str, reason: str) -> None:
    made = MadeUpNight(name=name, by=name)
    for stack in ("a", "b", "c"):
        made.stack(stack, name, base=name)
    made.base(name or "base", moves=[{"name": name, "before": reason, "after": name}])
    made.changed("a", (name, reason, ""))
    made.step("a", Step.SCAN, counts={}, fixed=[name], new=[reason])
    made.step("b", Step.LOCK, Result.FAILED, f"{reason}\n{name}")
    row = {"channel": name, "lacks": [f"approvals: {reason}"], "ways": [{"rule": "approvals", "way": name}]}
    made.changed("c")
    made.step("c", Step.CHANNELS, Result.WAITING, reason or "x", channels=[row])
    text = render_markdown(made.summary())
    tokens = flat(text)
    headings = [tokens[place + 1].content for place, one in enumerate(tokens) if one.type == "heading_open"]
    assert headings[1:] == ["Failed", "Needs a person", "Bases", "Changed"]
    assert not {token.type for token in tokens} & {
        "html_block",
        "html_inline",
        "link_open",
        "image",
        "hr",
        "table_open",
    }
    assert not re.search(r"[@](?!\N{WORD JOINER})", text)


def test_a_whole_night_says_what_needs_a_person_before_what_is_as_it_was() -> None:
    text = render_markdown(make_full_night().summary())
    headings = re.findall("^##? (.*)$", text, re.MULTILINE)
    assert headings == [
        "Night 20261130.1: 4 failed, 1 held, 1 waiting for a person, 2 changed, 4 unchanged",
        "Failed",
        "Needs a person",
        "Held",
        "Bases",
        "Changed",
        "Unchanged, by digest",
    ]
    assert "`airflow-kubler approve aws --to prod sha256:" in text
    assert "scan it: `airflow-kubler record scan sha256:" in text
    assert "requests 2.32.4 → 2.32.5, babel new → 2.19.0, six 1.17.0 → gone; its base trixie moved" in text
    assert "fixed CVE-2026-1111" in text
    assert "pulls 14.0 MB" in text, "what failed is pulled by nobody"


def test_a_message_begins_with_its_subject_and_lists_no_digest_that_is_as_it_was() -> None:
    text = render_message(make_full_night().summary())
    assert text.startswith("Night 20261130.1: 4 failed")
    assert text.splitlines()[1] == ""
    assert "Unchanged" not in text


def test_a_lock_that_moved_under_the_same_image_is_told() -> None:
    made = MadeUpNight()
    made.stack("core", "team:a")
    made.step("core", Step.LOCK, moves=[{"name": "six", "before": "1.16", "after": "1.17"}])
    made.step("core", Step.BUILD, Result.UNCHANGED, digest=made.before["core"].digest)
    assert "## Locked anew, the same image\n\n- **core** (team:a): six 1.16 → 1.17\n" in render_message(made.summary())


@pytest.mark.parametrize("most", [40, 100, 1000, 100_000])
def test_a_short_text_ends_between_lines_and_says_so(most: int) -> None:
    whole = render_brief(make_full_night().summary(), most=1_000_000)
    text = render_brief(make_full_night().summary(), most=most)
    assert len(text) <= max(most, 40)
    kept = text.removesuffix("… more is in the night's report").rstrip("\n")
    assert whole.startswith(kept)
    assert (text == whole) == (len(whole) < most)


def test_a_title_of_nothing_says_so() -> None:
    assert render_title(MadeUpNight().summary()) == "Night 20261130.1: no stacks"
