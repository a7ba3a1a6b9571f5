"""What verbs print: answers on standard output, as text or JSON; progress and notes on standard error."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

import click

from builder.sizes import render_size

__all__ = [
    "note",
    "plain",
    "progress",
    "render_size",
    "render_table",
    "save_page",
    "show_json",
    "show_text",
    "tally",
]

if TYPE_CHECKING:
    from rich.status import Status


def show_text(text: str) -> None:
    """Print an answer."""
    click.echo(plain(text))


def show_json(value: object) -> None:
    """Print an answer as JSON, for people and programs alike: indented, keys in the order given."""
    click.echo(_masked(json.dumps(value, indent=2, ensure_ascii=False)))


def note(text: str) -> None:
    """Say something about the work on standard error."""
    click.echo(plain(text), err=True)


def plain(text: str) -> str:
    r"""Take out secrets, and what a terminal would obey: registries, images and tools write what they want.

    >>> plain("a\x1b[2Jb")
    'a?[2Jb'
    """
    text = _masked(text)
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() or letter in "\n\t" else "?" for letter in text)


def render_table(header: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()) -> str:
    """Render rows below a header; columns named by index in `right` are set to the right."""
    lines = [tuple(header), *(tuple(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]

    def cell(text: str, column: int) -> str:
        return text.rjust(widths[column]) if column in right else text.ljust(widths[column])

    return "\n".join("  ".join(cell(text, column) for column, text in enumerate(line)).rstrip() for line in lines)


def save_page(path: Path, text: str) -> None:
    """Write a page or picture as a file, whole or not at all; raises InvalidInputError where it cannot be written."""
    from builder.atomic import replacing
    from builder.errors import InvalidInputError

    try:
        with replacing(path, mode=0o644) as stream:
            stream.write(_masked(text).encode())
    except OSError as error:
        hint = "name a file in a folder that is there"
        raise InvalidInputError(f"cannot be written: {error.strerror}", context=str(path), hint=hint) from error
    note(f"written to {path}")


@contextmanager
def progress(label: str, total: int, *, unit: str = "bytes") -> Iterator[Callable[[int], None]]:
    """Show progress on standard error while a person is watching, else one plain line.

    Args:
        label: what is being done.
        total: how much there is to do.
        unit: `bytes` to show sizes and speed, else the word for what is counted.

    Yields:
        A function to be told how much has just been done; threads may call it.
    """
    if total <= 0:
        yield _ignore
        return
    if not sys.stderr.isatty():
        note(f"{label}: {render_size(total) if unit == 'bytes' else f'{total} {unit}'}")
        yield _ignore
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    counted = (DownloadColumn(), TransferSpeedColumn()) if unit == "bytes" else (MofNCompleteColumn(), TextColumn(unit))
    columns = (TextColumn("{task.description}"), BarColumn(), *counted, TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task(label, total=total)
        yield lambda done: bars.advance(task, done)


@contextmanager
def tally(label: str) -> Iterator[Callable[[str], None]]:
    """Show how many things were had so far, while a person is watching and from the first of them on.

    Yields:
        A function to be told the kind of each, in the plural; threads may call it.
    """
    if not sys.stderr.isatty():
        yield _ignore
        return
    counts: Counter[str] = Counter()
    lock = Lock()
    with ExitStack() as later:

        @cache
        def begin() -> Status:
            from rich.console import Console

            return later.enter_context(Console(stderr=True).status(label))

        def count(kind: str) -> None:
            with lock:
                counts[kind] += 1
                said = ", ".join(f"{number} {name}" for name, number in sorted(counts.items()))
                begin().update(f"{label}: {said}")

        yield count


def _masked(text: str) -> str:
    """Mask what looks like a secret, and those that this program was given by its environment."""
    import os

    from builder.secrecy import Redactor, secrets_of

    return Redactor(secrets_of(os.environ))(text)


def _ignore(done: object) -> None:
    del done
