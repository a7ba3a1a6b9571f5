"""Pages need nothing from outside, and what others wrote into the ledger stays text on them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from builder.cli.root import root
from builder.ledger.database import SqliteLedger
from builder.ledger.entry import Actor
from builder.ledger.events import Event, Promoted, Pushed, Removed, Requested, Scanned, Seen, Tested
from builder.ledger.model import NewEntry
from builder.ledger.parts import SeenImage, TagMove
from builder.picture.page import is_address
from tests.support.html_pages import HOSTILE, Page
from tests.support.ledgers import digest_of
from tests.support.made_up import bump, make_world
from tests.support.recorded import History, change_deb

EVIL = Actor(name=HOSTILE, method="local", host=HOSTILE, run="javascript:alert(1)", program=HOSTILE)
Render = Callable[..., str]


@pytest.fixture
def history(tmp_path: Path) -> History:
    """Two images of a stack, and all that can happen to the second, told by somebody hostile."""
    world, history = make_world(tmp_path), History(tmp_path / "ledger.db")
    history.build(world)
    two = history.build(change_deb(bump(world), "libtiny", "1.0-2"))
    digest, rules = two.digest, digest_of("rules")
    events: tuple[Event, ...] = (
        Tested(digest=digest, name=HOSTILE, passed=False, summary=HOSTILE),
        Scanned(digest=digest, result=HOSTILE, scanner=HOSTILE, counts={HOSTILE: 1}),
        Pushed(digest=digest, repository=HOSTILE, tags=(TagMove(tag=HOSTILE),)),
        Requested(stack="tiny", channel=HOSTILE, digest=digest, reason=HOSTILE),
        Promoted(stack="tiny", channel=HOSTILE, digest=digest, rules=rules, database=HOSTILE, reason=HOSTILE),
        Seen(
            cluster=HOSTILE,
            namespaces=(HOSTILE,),
            images=(SeenImage(digest=digest, pods=1, workloads=(HOSTILE,)),),
        ),
        Removed(repository=HOSTILE, digests=(digest,), reason=HOSTILE),
    )
    with SqliteLedger(history.path, history.clock, write=True) as ledger:
        ledger.append([NewEntry(event=event) for event in events], EVIL)
    return history


@pytest.fixture
def render(history: History, tmp_path: Path) -> Render:
    def run(*argv: str) -> str:
        page = tmp_path / "page.html"
        done: Result = CliRunner().invoke(root, ["--ledger", str(history.path), *argv, "--html", str(page)])
        assert (done.exit_code, done.stdout) == (0, ""), done.output
        return page.read_text()

    return run


VERBS = pytest.mark.parametrize("argv", [("log", "tiny"), ("log",), ("show", "tiny")], ids=" ".join)


@VERBS
def test_what_others_wrote_stays_text(render: Render, argv: tuple[str, ...]) -> None:
    page = Page(render(*argv))
    assert page.names().isdisjoint({"script", "img", "iframe", "object", "embed", "form", "link", "base"})
    shown = "".join(page.text)
    assert "<script>alert(1)</script>" in shown
    assert "{{ 7 * 7 }}" in shown
    assert "\u202e" not in shown
    assert "\x1b" not in shown
    for _, attributes in page.tags:
        assert not [name for name in attributes if name.startswith("on") or name in {"src", "srcset", "action"}]
        assert not (attributes.get("href") or "#").startswith("javascript:")


@VERBS
def test_a_page_needs_nothing_from_outside(render: Render, argv: tuple[str, ...]) -> None:
    text = render(*argv)
    assert text == render(*argv)
    page = Page(text)
    policy = next(attributes for tag, attributes in page.tags if attributes.get("http-equiv"))
    assert (policy["content"] or "").startswith("default-src 'none'; style-src 'unsafe-inline'")
    style = re.search(r"<style>(.*)</style>", text, re.DOTALL)
    assert style is not None
    assert not re.search(r"@import|url\(|expression|</", style[1])
    assert not [one for one in page.tags if one[0] == "a" and not (one[1]["href"] or "").startswith(("#", "https://"))]


@VERBS
def test_a_page_is_used_by_keyboard_and_read_aloud(render: Render, argv: tuple[str, ...]) -> None:
    page = Page(render(*argv))
    assert next(attributes for tag, attributes in page.tags if tag == "html") == {"lang": "en"}
    links = [attributes for tag, attributes in page.tags if tag == "a"]
    assert links[0] == {"class": "skip", "href": "#content"}
    scrolled = [attributes for _, attributes in page.tags if attributes.get("class") == "wide"]
    assert scrolled
    assert all(one["tabindex"] == "0" and one["role"] == "region" and one["aria-label"] for one in scrolled)
    headings = [tag for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
    assert (headings[0], headings.count("h1")) == ("h1", 1)
    assert all(attributes.get("scope") for tag, attributes in page.tags if tag == "th")


def test_the_page_of_an_image_marks_what_changed(render: Render) -> None:
    text = render("show", "tiny")
    page = Page(text)
    shown = re.sub(r"\s+", " ", " ".join(page.text))
    assert "nothing but alpha 1.0 -> 1.1, libtiny 1.0-1 -> 1.0-2" in shown
    assert "1 change since the image before, first." in shown
    changed = re.findall(r'<tr class="changed"><th scope="row">(\w+)</th><td>([^<]*)</td><td>([^ ]*) ', text)
    assert changed == [("alpha", "1.1", "1.0"), ("libtiny", "1.0-2", "1.0-1")]
    tiles = [attributes for tag, attributes in page.tags if tag == "li" and "left:" in (attributes.get("style") or "")]
    assert len(tiles) == 2 * 5
    assert [one["title"] for one in tiles if one.get("class") == "new"][1].startswith("tiny-alpha, 8")  # type: ignore[union-attr]


def test_the_page_of_a_log_is_filtered_without_a_script(render: Render) -> None:
    text = render("log", "tiny", "-n", "5")
    assert "older ones are in the ledger" in text
    for kind in ("promotion", "deployment"):
        assert f'<input type="checkbox" id="show-{kind}" checked>' in text
        assert f"body:has(#show-{kind}:not(:checked)) tr.{kind}{{display:none}}" in text
    assert "Size of images" not in text
    assert Page(render("log", "tiny")).text.count("Size of images") == 1


def test_a_page_that_cannot_be_written_is_told(history: History, tmp_path: Path) -> None:
    argv = ["--ledger", str(history.path), "log", "--html", str(tmp_path / "nowhere/page.html")]
    done = CliRunner().invoke(root, argv)
    assert (done.exit_code, "nowhere/page.html: cannot be written: No such file" in done.stderr) == (3, True)


@pytest.mark.parametrize(
    ("value", "answer"),
    [
        ("https://ci.example.org/run/1", True),
        ("http://ci.example.org", True),
        ("javascript:alert(1)", False),
        ("JaVaScRiPt:alert(1)", False),
        ("data:text/html,x", False),
        ("//example.org/x", False),
        ("https://", False),
        ("https://[x", False),
        ("https://a\u202eb", False),
        (" https://example.org", False),
        (7, False),
        ("", False),
    ],
)
def test_only_addresses_of_the_web_become_links(value: object, *, answer: bool) -> None:
    assert is_address(value) is answer
