"""What a repository may let go of: kept things are kept whole, whatever hangs together."""

from __future__ import annotations

import datetime as dt

from hypothesis import given
from hypothesis import strategies as st

from builder.digest import Digest
from builder.registry.garbage import Contents, HeldManifest, Retention, plan_garbage

TODAY = dt.date(2026, 11, 24)


def name(text: str) -> Digest:
    return Digest.of(text.encode())


def held(
    text: str, *, children: tuple[str, ...] = (), referrers: tuple[str, ...] = (), blobs: tuple[str, ...] = ()
) -> HeldManifest:
    return HeldManifest(
        digest=name(text),
        size=10,
        children=tuple(map(name, children)),
        referrers=tuple(map(name, referrers)),
        blobs=tuple((name(blob), 1000) for blob in blobs),
    )


def contents(tags: dict[str, str], *manifests: HeldManifest) -> Contents:
    return Contents(
        tags={tag: name(text) for tag, text in tags.items()}, manifests={one.digest: one for one in manifests}
    )


def rules(*, days: int = 30, last: int = 0, ran: tuple[str, ...] = ()) -> Retention:
    return Retention(today=TODAY, days=days, last=last, ran=frozenset(map(name, ran)))


OLD = contents(
    {"core-20260101.01": "old", "core-20260102.01": "older", "core-20261120.01": "new", "prod": "older"},
    held("old", children=("old-amd64", "shared"), referrers=("old-archive",)),
    held("older", children=("older-amd64", "shared")),
    held("new", children=("new-amd64",)),
    held("old-amd64", blobs=("a", "b")),
    held("shared", blobs=("b", "c")),
    held("older-amd64", blobs=("a", "d")),
    held("new-amd64", blobs=("a", "e")),
    held("old-archive", blobs=("f",)),
)


def test_old_images_go_with_what_only_they_need() -> None:
    plan = plan_garbage(OLD, rules())
    assert plan.dropped == ("core-20260101.01",)
    assert plan.garbage[0] == name("old")
    assert set(plan.garbage) == {name("old"), name("old-amd64"), name("old-archive")}
    assert plan.garbage[-1] == name("old-archive")
    assert plan.freed_bytes == 1000 + 3 * 10
    assert plan.kept == {
        "core-20260102.01": "another tag keeps it",
        "core-20261120.01": "of the last 30 days",
        "prod": "a channel",
    }


def test_the_last_of_each_stack_stay() -> None:
    assert plan_garbage(OLD, rules(last=3)).garbage == ()
    assert plan_garbage(OLD, rules(last=2)).dropped == ("core-20260101.01",)


def test_what_ran_stays_by_index_or_platform() -> None:
    for ran in ("old", "old-amd64"):
        plan = plan_garbage(OLD, rules(ran=(ran,)))
        assert plan.garbage == ()
        assert plan.kept["core-20260101.01"] == "it ran"


def test_tags_that_lead_to_referrers_go_and_stay_with_their_subjects() -> None:
    found = contents(
        {
            "core-20260101.01": "old",
            "prod": "new",
            f"sha256-{name('old').hex}": "old-index",
            f"sha256-{name('old').hex}.sig": "old-signature",
            f"sha256-{name('new').hex}.sig": "new-signature",
            f"sha256-{name('untagged').hex}": "unknown-index",
        },
        held("old"),
        held("new"),
        held("old-index", children=("old-archive",)),
        held("old-archive"),
        held("old-signature"),
        held("new-signature"),
        held("unknown-index", children=("unknown-archive",)),
        held("unknown-archive"),
    )
    plan = plan_garbage(found, rules())
    assert set(plan.garbage) == {name(text) for text in ("old", "old-index", "old-archive", "old-signature")}
    assert plan.unknown == 1


def test_each_image_goes_before_what_it_needs_and_that_before_the_next_image() -> None:
    found = contents(
        {"core-20260101.01": "one", "core-20260102.01": "two", f"sha256-{name('one').hex}": "list"},
        held("one", children=("one-amd64", "both"), referrers=("archive",)),
        held("two", children=("two-amd64", "both")),
        held("one-amd64"),
        held("two-amd64"),
        held("both"),
        held("archive", referrers=("signature",)),
        held("signature"),
        held("list", children=("archive",)),
    )
    order = ("one", "one-amd64", "list", "archive", "signature", "two", "two-amd64", "both")
    assert plan_garbage(found, rules()).garbage == tuple(map(name, order))


def test_what_is_not_there_is_not_to_be_deleted() -> None:
    plan = plan_garbage(contents({"core-20260101.01": "one"}, held("one", children=("gone",))), rules())
    assert plan.garbage == (name("one"),)


def test_a_day_that_is_none_is_kept() -> None:
    assert plan_garbage(contents({"core-99999999.01": "x"}, held("x")), rules()).garbage == ()


NAMES = [f"m{number}" for number in range(8)]
MANIFESTS = st.fixed_dictionaries(
    {
        text: st.builds(
            lambda children, referrers: (tuple(children), tuple(referrers)),
            st.lists(st.sampled_from(NAMES), max_size=3),
            st.lists(st.sampled_from(NAMES), max_size=2),
        )
        for text in NAMES
    }
)
TAGS = st.dictionaries(
    st.sampled_from(
        ["prod", "dev", "core-20260101.01", "core-20261123.01", "gcp-20250101.01", f"sha256-{name('m1').hex}"]
    ),
    st.sampled_from(NAMES),
)


@given(MANIFESTS, TAGS, st.sets(st.sampled_from(NAMES), max_size=2), st.integers(0, 2))
def test_nothing_that_is_kept_loses_what_it_needs_or_what_refers_to_it(
    made: dict[str, tuple[tuple[str, ...], tuple[str, ...]]], tags: dict[str, str], ran: set[str], last: int
) -> None:
    manifests = [held(text, children=made[text][0], referrers=made[text][1]) for text in NAMES]
    plan = plan_garbage(contents(tags, *manifests), rules(ran=tuple(ran), last=last))
    garbage = set(plan.garbage)
    assert len(garbage) == len(plan.garbage)
    by_digest = {one.digest: one for one in manifests}
    waiting = [name(tags[tag]) for tag in plan.kept]
    seen: set[Digest] = set()
    while waiting:
        digest = waiting.pop()
        if digest in seen:
            continue
        seen.add(digest)
        assert digest not in garbage
        waiting += [*by_digest[digest].children, *by_digest[digest].referrers]
    assert {"prod", "dev"} & set(tags) <= set(plan.kept)
    assert not set(plan.dropped) & set(plan.kept)
    assert not garbage & set(map(name, ran))
    assert plan.freed_bytes >= 0
