"""`airflow-kubler store`: show, check and clean the cache of files."""

from __future__ import annotations

import time

import click

from builder.cli.options import json_option
from builder.cli.output import progress, render_size, render_table, show_json, show_text
from builder.cli.root import Context
from builder.digest import Digest
from builder.errors import StackError
from builder.store.gc import choose_garbage, iter_items, remove_items, summarise, verify_files


@click.group()
def command() -> None:
    """Show, check and clean the store: downloaded files by hash, and what was made of them."""


@command.command()
def path() -> None:
    """Print the folder of the store; AIRFLOW_KUBLER_CACHE names another."""
    from builder.wiring.stores import make_file_store

    show_text(str(make_file_store().root))


@command.command(name="ls")
@json_option
def list_(*, as_json: bool) -> None:
    """Show how much of what kind is held."""
    from builder.wiring.stores import make_file_store

    kinds = summarise(iter_items(make_file_store().root))
    if as_json:
        show_json([{"kind": kind, "count": count, "size_bytes": size} for kind, count, size in kinds])
        return
    rows = [(kind, str(count), render_size(size)) for kind, count, size in kinds]
    show_text(render_table(("kind", "count", "size"), rows, right=(1, 2)))


@command.command()
@click.option("--days", type=click.FloatRange(min=0), default=30.0, help="Keep what was used since. Default: 30.")
@click.option("--unnamed", is_flag=True, help="Remove files that no lock here names, however recently used.")
@click.option("--yes", "-y", is_flag=True, help="Remove; else only show what would be removed.")
@json_option
@click.pass_obj
def gc(context: Context, days: float, *, unnamed: bool, yes: bool, as_json: bool) -> None:
    """Remove what was not used for some days. What the locks of this project name stays."""
    from builder.wiring.stores import make_file_store

    items = tuple(iter_items(make_file_store().root))
    keep = _named_by_locks(context, required=unnamed)
    garbage = choose_garbage(items, keep=keep, now=time.time(), days=days, only_unnamed=unnamed)
    size = remove_items(garbage) if yes else sum(item.size_bytes for item in garbage)
    if as_json:
        show_json({"removed": yes, "count": len(garbage), "size_bytes": size, "names": [i.name for i in garbage]})
        return
    done = "removed" if yes else "would be removed; add --yes to remove them"
    show_text(f"{len(garbage)} of {len(items)} items, {render_size(size)}, {done}")


@command.command()
@json_option
def verify(*, as_json: bool) -> int:
    """Hash every file again; a bad one is set aside, to be fetched again."""
    from builder.wiring.stores import make_file_store

    store = make_file_store()
    files = [item for item in iter_items(store.root) if item.kind == "file"]
    with progress("verifying", sum(item.size_bytes for item in files)) as tell:
        damage = verify_files(store, progress=tell)
    if as_json:
        show_json({"files": len(files), "bad": [{"name": bad.name, "moved_to": str(bad.moved_to)} for bad in damage]})
    for bad in () if as_json else damage:
        show_text(f"{bad.name} is not what its name says; moved to {bad.moved_to}")
    if not as_json:
        show_text(f"{len(files)} files, {len(damage)} bad")
    return 1 if damage else 0


def _named_by_locks(context: Context, *, required: bool) -> frozenset[Digest]:
    """List what the locks here name; outside of a project nothing, unless they are what decides."""
    from builder.usecase.fetch import digests_of_locks

    try:
        return digests_of_locks(context.project())
    except StackError:
        if required:
            raise
        return frozenset()
