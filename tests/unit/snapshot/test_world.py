"""One run's state of the world."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from builder.errors import PackageIndexError
from builder.snapshot.model import snapshot_id
from builder.snapshot.rules import ViewRules
from builder.snapshot.view import IndexView
from builder.snapshot.world import World
from tests.support.memory_snapshots import MadeUpUpstream, MemoryStore


def _two_indexes() -> MadeUpUpstream:
    upstream = MadeUpUpstream(names=("internal", "default"))
    upstream.offer("acme", "1.0", index="internal")
    upstream.offer("acme", "99.0", index="default")
    upstream.offer("alpha", "1.0", "beta")
    return upstream


def test_each_page_and_metadata_is_asked_for_once() -> None:
    upstream = _two_indexes()
    view = IndexView(World(upstream, MemoryStore(), now=0), ViewRules())
    with ThreadPoolExecutor(8) as pool:
        pages = list(pool.map(lambda _: view.served_page("alpha"), range(16)))
        texts = list(pool.map(lambda _: view.served_metadata("alpha", "alpha-1.0-py3-none-any.whl"), range(16)))
    assert len(set(pages)) == len(set(texts)) == 1
    assert sorted(upstream.asked) == ["default/alpha", "internal/alpha", "metadata alpha-1.0-py3-none-any.whl"]


def test_what_comes_from_upstream_is_told_and_nothing_else() -> None:
    store, told = MemoryStore(), list[str]()
    for _ in range(2):
        world = World(_two_indexes(), store, now=0, watch=told.append)
        IndexView(world, ViewRules()).served_metadata("alpha", "alpha-1.0-py3-none-any.whl")
        world.close()
    assert sorted(told) == ["pages", "pages", "wheels"]


def test_a_higher_version_on_a_later_index_never_wins() -> None:
    view = IndexView(World(_two_indexes(), MemoryStore(), now=0), ViewRules())
    assert view.versions("acme") == ("1.0",)


def test_an_index_that_does_not_answer_is_not_passed_over() -> None:
    upstream = _two_indexes()
    upstream.broken.add("internal")
    view = IndexView(World(upstream, MemoryStore(), now=0), ViewRules())
    with pytest.raises(PackageIndexError, match="does not answer"):
        view.versions("acme")


def test_a_project_stays_with_the_index_that_the_lock_had_it_from() -> None:
    upstream = _two_indexes()
    del upstream.offers["internal", "acme"]
    view = IndexView(World(upstream, MemoryStore(), now=0), ViewRules(homes={"acme": "internal"}))
    assert view.versions("acme") == ()


def test_pages_hold_for_their_time_and_no_longer() -> None:
    upstream, store = _two_indexes(), MemoryStore()
    IndexView(World(upstream, store, now=0), ViewRules()).versions("alpha")
    IndexView(World(upstream, store, now=599), ViewRules()).versions("alpha")
    assert upstream.asked.count("default/alpha") == 1
    IndexView(World(upstream, store, now=601), ViewRules()).versions("alpha")
    IndexView(World(upstream, store, now=1, refresh=True), ViewRules()).versions("alpha")
    assert upstream.asked.count("default/alpha") == 3


def test_a_snapshot_answers_offline_and_alike() -> None:
    store = MemoryStore()
    world = World(_two_indexes(), store, now=86_400)
    view = IndexView(world, ViewRules())
    page, text = view.served_page("alpha"), view.served_metadata("alpha", "alpha-1.0-py3-none-any.whl")
    snapshot = world.snapshot()
    assert snapshot.day == "1970-01-02"

    nothing = MadeUpUpstream(names=())
    replayed = World(nothing, store, now=9_999_999, replay=snapshot)
    again = IndexView(replayed, ViewRules())
    assert again.served_page("alpha") == page
    assert again.served_metadata("alpha", "alpha-1.0-py3-none-any.whl") == text
    assert nothing.asked == []
    assert snapshot_id(replayed.snapshot()) == snapshot_id(snapshot)
    with pytest.raises(PackageIndexError, match="the snapshot does not say whether index 'internal' has gamma"):
        again.versions("gamma")


def test_prefetch_asks_only_for_what_is_not_at_hand() -> None:
    upstream = _two_indexes()
    view = IndexView(World(upstream, MemoryStore(), now=0), ViewRules())
    view.prefetch(["alpha", "nowhere"])
    assert sorted(upstream.asked) == ["default/alpha", "default/nowhere", "internal/alpha", "internal/nowhere"]
    assert view.versions("alpha") == ("1.0",)
    assert len(upstream.asked) == 4
