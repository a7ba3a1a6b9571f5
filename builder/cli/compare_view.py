"""What `compare` shows of two images: text, and values for JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from builder.cli.diff_view import diff_to_dict, iter_diff, iter_pull, pull_to_dict, summarise_diff
from builder.cli.output import render_table
from builder.history.image import ImageRecord
from builder.sizes import render_count, render_size
from builder.usecase.compare import FileChange, ImageComparison, PlatformComparison


def render_comparison(found: ImageComparison) -> str:
    """Render for a terminal."""
    return "\n".join(_iter_text(found))


def _iter_text(found: ImageComparison) -> Iterator[str]:
    yield f"{_name(found.before)}  ->  {_name(found.after)}"
    if found.same:
        yield "the same digest: not a byte differs, a node pulls nothing"
        return
    yield from (f"  not at hand: {what}" for record in (found.before, found.after) for what in record.missing)
    if found.diff is not None:
        yield summarise_diff(found.diff)
        yield from iter_diff(found.diff)
    else:
        yield f"{render_count(len(found.moved), 'difference')} in what the images say that they hold"
        yield from _table([(name, f"{old or '-'} -> {new or '-'}") for name, old, new in found.moved])
    shown: dict[tuple[FileChange, ...], PlatformComparison] = {}
    for one in found.platforms:
        yield from _iter_platform(one)
        if one.files is not None:
            yield from _iter_files(one.files, shown.get(one.files))
            shown.setdefault(one.files, one)
    only = {image.platform for image in found.before.platforms} ^ {image.platform for image in found.after.platforms}
    yield from (f"{platform}: only one of them has it" for platform in sorted(only))


def _iter_platform(one: PlatformComparison) -> Iterator[str]:
    yield from iter_pull(one.pull)
    yield f"  and {render_size(one.document_bytes)} of index, manifest and config"
    gone = [pair for pair in one.layers if pair.after is None]
    if gone:
        yield f"  gone: {', '.join(pair.name for pair in gone)}"


def _iter_files(files: tuple[FileChange, ...], like: PlatformComparison | None) -> Iterator[str]:
    if like is not None and files:
        yield f"  files: the same paths as on {like.platform}"
        return
    counts = Counter(change.kind for change in files)
    told = ", ".join(f"{counts[kind]} {kind}" for kind in ("added", "removed", "changed") if counts[kind])
    yield f"  files: {told or 'none differs'}"
    yield from _table([_file_row(change) for change in files], right=(2,))


def _file_row(change: FileChange) -> tuple[str, str, str, str, str]:
    sign = {"added": "+", "removed": "-", "changed": "~"}[change.kind]
    growth = change.size_after - change.size_before
    size = f"{'-' if growth < 0 else '+'}{render_size(abs(growth))}" if growth else ""
    return sign, f"/{change.path}", size, change.layer, change.what


def _table(rows: list[tuple[str, ...]], *, right: tuple[int, ...] = ()) -> Iterator[str]:
    if rows:
        table = render_table(("",) * len(rows[0]), rows, right=right)
        yield from (f"    {line}" for line in table.splitlines()[1:])


def _name(record: ImageRecord) -> str:
    called = f" ({record.name})" if record.name not in {record.short, record.stack, record.digest} else ""
    return f"{record.stack} {record.short}{called}"


def comparison_to_dict(found: ImageComparison) -> dict[str, Any]:
    """Make the JSON form."""
    return {
        "before": _side_to_dict(found.before),
        "after": _side_to_dict(found.after),
        "same": found.same,
        "lock": diff_to_dict(found.diff) if found.diff is not None else None,
        "moved": [{"name": name, "before": old or None, "after": new or None} for name, old, new in found.moved],
        "platforms": {one.platform.name: _platform_to_dict(one) for one in found.platforms},
    }


def _side_to_dict(record: ImageRecord) -> dict[str, Any]:
    return {
        "name": record.name,
        "stack": record.stack,
        "digest": record.digest,
        "lock": record.lock_digest,
        "missing": list(record.missing),
    }


def _platform_to_dict(one: PlatformComparison) -> dict[str, Any]:
    return {
        "pull": pull_to_dict(one.pull),
        "document_bytes": one.document_bytes,
        "layers": [
            {
                "name": pair.name,
                "before": str(pair.before.digest) if pair.before else None,
                "after": str(pair.after.digest) if pair.after else None,
            }
            for pair in one.layers
        ],
        "files": None if one.files is None else [_file_to_dict(change) for change in one.files],
    }


def _file_to_dict(change: FileChange) -> dict[str, Any]:
    return {
        "path": f"/{change.path}",
        "kind": change.kind,
        "what": change.what or None,
        "size_before": change.size_before,
        "size_after": change.size_after,
        "layer": change.layer,
    }
