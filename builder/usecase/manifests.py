"""Manifests from files, folders and pipes, read within bounds."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Final

from builder.deploy.collect import Manifests
from builder.deploy.manifest import MAX_BYTES, ManifestError, ManifestSyntaxError, Node, parse_manifest

STANDARD_INPUT: Final = Path("-")
_ENDINGS: Final = (".yaml", ".yml", ".json")
_MOST_BYTES: Final = 256 << 20
"""Of all files together."""
_MOST_FILES: Final = 10_000


def read_manifests(paths: Sequence[Path], *, standard_input: BinaryIO | None = None) -> Iterator[Manifests]:
    """Read files in the order given; of a folder those that end as manifests do, by path, links to folders left alone.

    Raises:
        ManifestError: a file is refused, or they are too much together.
    """
    total = 0
    for number, path in enumerate(_iter_files(paths), 1):
        data = _read(path, standard_input)
        total += len(data)
        if total > _MOST_BYTES or number > _MOST_FILES:
            limits = f"{_MOST_FILES} files and {_MOST_BYTES >> 20} MiB"
            raise ManifestError(f"more than {limits}", context=str(path), hint="check them in several runs")
        yield Manifests(name=str(path), documents=_parse(data, str(path)))


def _iter_files(paths: Sequence[Path]) -> Iterator[Path]:
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        for folder, folders, names in os.walk(path):
            folders.sort()
            yield from (Path(folder, name) for name in sorted(names) if name.endswith(_ENDINGS))


def _read(path: Path, standard_input: BinaryIO | None) -> bytes:
    """Read a file, a pipe or standard input; never more than is allowed."""
    if path == STANDARD_INPUT:
        data = (standard_input or sys.stdin.buffer).read(MAX_BYTES + 1)
    else:
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise ManifestError(f"is longer than {MAX_BYTES >> 20} MiB", context=str(path), hint="give it in several files")
    return data


def _parse(data: bytes, name: str) -> tuple[Node, ...]:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ManifestError(f"is not UTF-8: {error.reason} at byte {error.start}", context=name) from error
    try:
        return parse_manifest(text, file=name)
    except ManifestSyntaxError as error:
        if "{{" in text and not error.hint:
            hint = "it looks like a template: render it first, as by `helm template`"
            raise ManifestSyntaxError(error.message, context=error.context, hint=hint) from error
        raise
