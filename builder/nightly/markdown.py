"""A night as Markdown, for chat, pull requests and commit messages: what needs a person first.

Names, versions and reasons come from outside. They stay text: nothing of them becomes markup, mentions anybody, or names an issue.

- A letter that acts in Markdown is escaped, `<`, `>` and `&` as entities: chats that know no Markdown obey `<!channel>`.
- A word joiner that nobody sees follows `@`, `#`, `!` and their like: forges look for mentions after Markdown is read, so that a backslash
  holds nobody off.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from builder.nightly.acts import Act
from builder.nightly.model import Result
from builder.nightly.summary import NightSummary, StackNight
from builder.sizes import render_count, render_size

MOST_MOVES: Final = 12
_BREAK: Final = "\N{WORD JOINER}"
_ACTS: Final = re.compile(r"[\\`*_\[\]|~]")
_ENTITIES: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_MENTIONS: Final = re.compile(r"[@#]|[!$%^](?=\w)|\bGH-(?=\d)", re.IGNORECASE)
"""People and teams, issues; requests, snippets, milestones, alerts of forges."""
_FENCE: Final = re.compile(r"`{3,}")


def escape_text(text: str) -> str:
    r"""Write a text so that Markdown shows it as it is, on one line.

    >>> escape_text("a*b <script> v1.2.3")
    'a\\*b &lt;script&gt; v1.2.3'
    """
    plain = re.sub("[&<>]", lambda found: _ENTITIES[found[0]], _ACTS.sub(r"\\\g<0>", _one_line(text)))
    linked = re.sub(r"(?i)(?<=www)\.", r"\.", plain.replace("://", r":\//"))
    return _quiet(linked)


def fenced(text: str, *, indent: str = "") -> Iterator[str]:
    """Write lines as a block of code that they cannot end."""
    lines = [_quiet(_one_line(line)).replace("<", f"<{_BREAK}") for line in text.splitlines()]
    longest = max((len(run) for line in lines for run in _FENCE.findall(line)), default=2)
    fence = "`" * (longest + 1)
    yield f"{indent}{fence}"
    yield from (f"{indent}{line}".rstrip() for line in lines)
    yield f"{indent}{fence}"


def render_markdown(summary: NightSummary, *, unchanged: bool = True) -> str:
    """Write a summary as Markdown; bytes are stable.

    Args:
        summary: the night.
        unchanged: list the digests of what is as it was, too.
    """
    return "\n".join((f"# {render_title(summary)}", "", *_body(summary, unchanged=unchanged))) + "\n"


def render_message(summary: NightSummary) -> str:
    """Write a summary as a commit message: a subject, and what changed."""
    return "\n".join((render_title(summary), "", *_body(summary, unchanged=False))) + "\n"


def render_brief(summary: NightSummary, *, most: int) -> str:
    """Write what a chat has room for: whole lines, no more than so many letters; it says where it was cut.

    Args:
        summary: the night.
        most: letters.
    """
    lines = list(_body(summary, unchanged=False, reasons=False))
    more = "… more is in the night's report"
    room, kept = most - len(more) - 1, list[str]()
    for line in lines:
        room -= len(line) + 1
        if room < 0:
            return "\n".join((*kept, more))
        kept.append(line)
    return "\n".join(kept)


def render_title(summary: NightSummary) -> str:
    """Say in a line how a night came out."""
    counts = (
        (len(summary.having(Result.FAILED)) + sum(1 for base in summary.bases if base.failed), "failed"),
        (len(summary.having(Result.HELD)), "held"),
        (len(summary.waiting), "waiting for a person"),
        (len(summary.changed), "changed"),
        (len(summary.same), "unchanged"),
    )
    told = ", ".join(f"{number} {what}" for number, what in counts if number)
    return f"Night {escape_text(summary.night)}: {told or 'no stacks'}"


def _body(summary: NightSummary, *, unchanged: bool, reasons: bool = True) -> Iterator[str]:
    began = dt.datetime.fromtimestamp(summary.began, dt.UTC).strftime("%Y-%m-%d %H:%M UTC")
    yield f"{began}, by {escape_text(summary.by)}: {render_count(len(summary.stacks), 'stack')}. {_pulls(summary)}"
    bad = [(f"**base {escape_text(base.name)}**", base.failed, base.moves) for base in summary.bases if base.failed]
    bad += [(_named(stack), stack.failed, stack.moves) for stack in summary.having(Result.FAILED)]
    yield from _section("Failed", (line for row in bad for line in _failed(*row, whole=reasons)))
    yield from _section("Needs a person", (line for stack in summary.waiting for line in _waiting(stack)))
    held = (f"- {_named(stack)}: {escape_text(stack.held)}" for stack in summary.having(Result.HELD))
    yield from _section("Held", held)
    moved = (f"- **{escape_text(base.name)}**: {_moves(base.moves)}" for base in summary.bases if base.moves)
    yield from _section("Bases", moved)
    yield from _section("Changed", (line for stack in summary.changed for line in _changed(stack)))
    seen = (f"- {_named(stack)}: {_vulnerabilities(stack)}" for stack in summary.looked_at_anew)
    yield from _section("Vulnerabilities of unchanged images", seen)
    moved = (f"- {_named(stack)}: {_moves(stack.moves)}" for stack in summary.same if stack.moves)
    yield from _section("Locked anew, the same image", moved)
    if unchanged:
        same = (f"- **{escape_text(stack.name)}** `{_code(stack.digest)}`" for stack in summary.same)
        yield from _section("Unchanged, by digest", same)


def _section(title: str, lines: Iterable[str]) -> Iterator[str]:
    """Give a section, where it has any lines."""
    first = True
    for line in lines:
        if first:
            yield from ("", f"## {title}", "")
            first = False
        yield line


def _pulls(summary: NightSummary) -> str:
    if not summary.pull_bytes:
        return "No cluster pulls anything."
    return f"A node that has all images of before pulls {render_size(summary.pull_bytes)}."


def _failed(head: str, reason: str, moves: Sequence[Mapping[str, str]], *, whole: bool) -> Iterator[str]:
    first, *others = reason.splitlines() or [""]
    yield f"- {head}: {escape_text(first)}"
    if others and whole:
        yield from fenced("\n".join(others), indent="  ")
    if moves:
        yield f"  - it had moved {_moves(moves)}"


def _waiting(stack: StackNight) -> Iterator[str]:
    yield f"- {_named(stack)}: {escape_text(stack.waits)}"
    yield from (f"  - to meet {escape_text(act.rule)}: {_way(act)}" for act in stack.acts)


def _way(act: Act) -> str:
    if not act.command:
        return escape_text(act.way)
    return f"{escape_text(act.way)}: `{_code(act.command)}`" if act.way else f"`{_code(act.command)}`"


def _changed(stack: StackNight) -> Iterator[str]:
    yield f"- {_named(stack)}: {'; '.join(_why(stack))}"
    digest, found = f"`{_code(stack.digest)}`", _vulnerabilities(stack)
    yield f"  {digest}; {_size(stack)}; nodes pull {render_size(stack.pull_bytes)}{found and f'; {found}'}"


def _why(stack: StackNight) -> Iterator[str]:
    if stack.moves:
        yield _moves(stack.moves)
    yield from map(escape_text, stack.causes)
    if not stack.moves and not stack.causes:
        yield "its lock says the same of every project" if stack.before.digest else "there was no image of it"


def _named(stack: StackNight) -> str:
    owners = ", ".join(map(escape_text, stack.owners)) or "nobody"
    return f"**{escape_text(stack.name)}** ({owners})"


def _moves(moves: Sequence[Mapping[str, str]]) -> str:
    shown = [
        f"{escape_text(one['name'])} {escape_text(one['before'] or 'new')} → {escape_text(one['after'] or 'gone')}"
        for one in moves[:MOST_MOVES]
    ]
    more = len(moves) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")


def _size(stack: StackNight) -> str:
    before, after = stack.before.size_bytes, stack.size_bytes
    if not before or before == after:
        return render_size(after)
    sign = "+" if after > before else "-"
    return f"{render_size(after)} ({sign}{render_size(abs(after - before))})"


def _vulnerabilities(stack: StackNight) -> str:
    parts = [
        f"{word} {', '.join(map(escape_text, names[:MOST_MOVES]))}{_more(names)}"
        for word, names in (("fixed", stack.fixed), ("new", stack.new))
        if names
    ]
    return "; ".join(parts)


def _more(names: Sequence[str]) -> str:
    return f" and {len(names) - MOST_MOVES} more" if len(names) > MOST_MOVES else ""


def _code(text: str) -> str:
    """Write what stands between backticks."""
    return _quiet(_one_line(text).replace("`", "'")).replace("<", f"<{_BREAK}")


def _quiet(text: str) -> str:
    return _MENTIONS.sub(rf"\g<0>{_BREAK}", text)


def _one_line(text: str) -> str:
    """Take out what cannot be seen: what turns lines, or begins new ones."""
    return "".join(map(_visible, text)).strip() or "?"


def _visible(letter: str) -> str:
    if letter.isprintable():
        return letter
    return " " if letter in "\r\n\t" else "\N{REPLACEMENT CHARACTER}"
