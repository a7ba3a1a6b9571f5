"""`airflow-kubler snapshot`: states of the indexes that locks were made against."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path

import click

from builder.cli.options import json_option
from builder.cli.output import render_size, render_table, show_json, show_text
from builder.cli.snapshot_view import count_projects, count_wheels, entry_to_dict, render_time
from builder.usecase.snapshot import (
    collect_snapshots,
    compare_snapshots,
    find_snapshot,
    pack_snapshot,
    unpack_snapshot,
)
from builder.wiring.stores import make_snapshot_store


@click.group()
def command() -> None:
    """List, compare, pack and delete states of the indexes; `lock --snapshot ID` locks against one again."""


@command.command()
@json_option
def ls(*, as_json: bool) -> None:
    """List snapshots, newest first."""
    entries = make_snapshot_store().entries()
    if as_json:
        show_json([entry_to_dict(entry) for entry in entries])
        return
    rows = [
        (
            entry.id[:12],
            render_time(entry),
            str(count_projects(entry)),
            str(count_wheels(entry)),
            " ".join(entry.locks),
        )
        for entry in entries
    ]
    show_text(render_table(("ID", "TAKEN", "PROJECTS", "WHEELS", "LOCKED"), rows) if rows else "no snapshots yet")


@command.command()
@click.argument("before")
@click.argument("after")
@json_option
def diff(before: str, after: str, *, as_json: bool) -> None:
    """Show which versions came and went between BEFORE and AFTER."""
    store = make_snapshot_store()
    found = compare_snapshots(store, find_snapshot(store, before).snapshot, find_snapshot(store, after).snapshot)
    if as_json:
        show_json([asdict(row) for row in found])
        return
    for row in found:
        words = (("new", row.new), ("gone", row.gone), ("yanked", row.yanked))
        parts = [f"{word} {', '.join(versions)}" for word, versions in words if versions]
        show_text(f"{row.project}: {'; '.join(parts) or 'files changed'}")


@command.command()
@click.option("--keep", default=20, show_default=True, help="Keep so many of the newest.")
@click.option("--days", default=30, show_default=True, help="Keep all of so many days.")
def gc(keep: int, days: int) -> None:
    """Delete old snapshots, and what only they held."""
    gone, freed = collect_snapshots(make_snapshot_store(), keep=keep, days=days, now=int(time.time()))
    show_text(f"{len(gone)} snapshots deleted, {render_size(freed)} freed")


@command.command()
@click.argument("snapshot")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
def pack(snapshot: str, file: Path) -> None:
    """Write SNAPSHOT and all that it holds into FILE, for another machine or the archive."""
    store = make_snapshot_store()
    entry = find_snapshot(store, snapshot)
    data = pack_snapshot(store, entry)
    file.write_bytes(data)
    show_text(f"{entry.id[:12]}: {render_size(len(data))} in {file}")


@command.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
def unpack(file: Path) -> None:
    """Read a packed snapshot, checking every part against its hash."""
    entry = unpack_snapshot(make_snapshot_store(), file.read_bytes(), file=str(file))
    show_text(f"{entry.id[:12]}: {count_projects(entry)} projects, {count_wheels(entry)} wheels")
