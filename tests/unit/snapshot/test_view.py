from __future__ import annotations

import datetime as dt

from builder.snapshot.rules import ViewRules
from builder.snapshot.view import IndexView
from builder.snapshot.world import World
from tests.support.memory_snapshots import MadeUpUpstream, MemoryStore


def view_of(made: MadeUpUpstream, rules: ViewRules) -> IndexView:
    return IndexView(World(made, MemoryStore(), now=0), rules)


def naming(*versions: str) -> ViewRules:
    return ViewRules(named={"alpha": frozenset(versions)}, python_version="3.13.5")


def test_naming_a_version_that_has_a_wheel_leaves_the_page_what_it_was() -> None:
    made = MadeUpUpstream()
    made.offer("alpha", "1.0")
    made.offer("alpha", "1.0", sdist=True)
    made.offer("alpha", "2.0")
    plain, named = view_of(made, ViewRules(python_version="3.13.5")), view_of(made, naming("1.0", "3.0"))
    assert named.served_page("alpha") == plain.served_page("alpha")
    assert view_of(made, naming("1.0")).entity_tag("alpha") == plain.entity_tag("alpha")


def test_naming_a_version_that_is_built_makes_another_page() -> None:
    made = MadeUpUpstream()
    made.offer("alpha", "1.0", sdist=True)
    made.offer("alpha", "1.1", yanked="broken")
    made.offer("alpha", "1.1", sdist=True)
    made.offer("alpha", "1.2", requires_python="<3.9")
    made.offer("alpha", "1.2", sdist=True)
    made.offer("alpha", "2.0")
    tags = {view_of(made, naming(version)).entity_tag("alpha") for version in ("1.0", "1.1", "1.2", "2.0")}
    assert len(tags) == 4


def test_under_a_rule_of_time_every_named_version_counts() -> None:
    made = MadeUpUpstream()
    made.offer("alpha", "1.0", upload_time="2026-01-01T00:00:00Z")
    made.offer("alpha", "1.0", sdist=True, upload_time="2025-01-01T00:00:00Z")
    made.offer("alpha", "0.9", upload_time="2024-01-01T00:00:00Z")
    as_of = dt.datetime(2025, 6, 1, tzinfo=dt.UTC)
    one, other = (
        view_of(made, ViewRules(as_of=as_of, named={"alpha": frozenset(names)})) for names in ({"1.0"}, {"0.9"})
    )
    assert one.served_page("alpha") != other.served_page("alpha")
    assert one.entity_tag("alpha") != other.entity_tag("alpha")


def test_what_was_looked_at_is_told_by_index_with_what_has_no_page() -> None:
    made = MadeUpUpstream(names=("internal", "default"))
    made.offer("alpha", "1.0")
    view = view_of(made, ViewRules())
    view.prefetch(["alpha"])
    assert view.under(ViewRules(sdists=False)).served_page("beta") is None
    seen = view.seen()
    assert {index: sorted(rows) for index, rows in seen.items()} == {
        "default": ["alpha", "beta"],
        "internal": ["alpha", "beta"],
    }
    assert [seen["internal"]["alpha"], seen["default"]["beta"]] == [None, None]
    assert seen["default"]["alpha"] is not None
