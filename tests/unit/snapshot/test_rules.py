"""Which files of a page a stack may have."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest

from builder.errors import PackageIndexError
from builder.snapshot.model import NamedIndex, OfferedFile, ProjectPage
from builder.snapshot.rules import Selected, ViewRules, places_for, rules_key, select

DAY = "2026-11-20"
OLD, YOUNG = "2026-11-01T00:00:00Z", "2026-11-19T00:00:00Z"


def _wheel(version: str, *, uploaded: str | None = OLD, yanked: str | None = None) -> OfferedFile:
    return OfferedFile(
        name=f"alpha-{version}-py3-none-any.whl", url="https://x.example/a", upload_time=uploaded, yanked=yanked
    )


def _sdist(version: str) -> OfferedFile:
    return OfferedFile(name=f"alpha-{version}.tar.gz", url="https://x.example/a", upload_time=OLD)


def _page(*files: OfferedFile, status: str = "active", index: str = "default") -> ProjectPage:
    return ProjectPage(index=index, project="alpha", files=files, status=status, status_reason="malware")


def _names(selected: Selected) -> list[str]:
    return [file.name.split("-")[1] for file in selected.wheels]


def _held_back(selected: Selected) -> list[tuple[str, str, str]]:
    return [(dropped.version, dropped.rule, dropped.detail) for dropped in selected.dropped]


def test_releases_younger_than_the_cooldown_are_no_candidates() -> None:
    selected = select(_page(_wheel("1"), _wheel("2", uploaded=YOUNG)), ViewRules(cooldown_days=7), DAY)
    assert _names(selected) == ["1"]
    assert _held_back(selected) == [("2", "cooldown", "uploaded 2026-11-19")]


def test_releases_after_as_of_are_no_candidates() -> None:
    rules = ViewRules(as_of=dt.datetime(2026, 11, 2, tzinfo=dt.UTC))
    selected = select(_page(_wheel("1"), _wheel("2", uploaded=YOUNG)), rules, DAY)
    assert _names(selected) == ["1"]
    assert _held_back(selected) == [("2", "as-of", "uploaded 2026-11-19")]


def test_an_index_has_its_own_cooldown() -> None:
    rules = ViewRules(cooldown_days=7, index_cooldowns={"internal": 0})
    page = _page(_wheel("2", uploaded=YOUNG), index="internal")
    assert _names(select(page, rules, DAY)) == ["2"]


def test_an_exception_lets_a_young_or_yanked_release_through() -> None:
    rules = ViewRules(cooldown_days=7, exceptions=(("alpha", ">=2"),))
    page = _page(_wheel("1", yanked="broken"), _wheel("2", uploaded=YOUNG), _wheel("3", yanked=""))
    selected = select(page, rules, DAY)
    assert _names(selected) == ["2", "3"]
    assert _held_back(selected) == [("1", "yanked", "broken")]


def test_a_rule_of_time_without_upload_times_is_an_error() -> None:
    with pytest.raises(PackageIndexError, match=r"index 'default' gives no upload time of alpha-1-py3-none-any.whl"):
        select(_page(_wheel("1", uploaded=None)), ViewRules(cooldown_days=1), DAY)
    assert _names(select(_page(_wheel("1", uploaded=None)), ViewRules(), DAY)) == ["1"]


def test_nothing_of_a_quarantined_project_is_a_candidate() -> None:
    rules = ViewRules(exceptions=(("alpha", ""),))
    selected = select(_page(_wheel("1"), status="quarantined"), rules, DAY)
    assert selected.wheels == ()
    assert _held_back(selected) == [("1", "quarantined", "malware")]


def test_an_sdist_stands_for_a_wheel_only_where_its_version_is_named() -> None:
    page = _page(_sdist("1"), _sdist("2"), _wheel("2"), _sdist("3"))
    assert select(page, ViewRules(), DAY).sdists == ()
    named = ViewRules(named={"alpha": frozenset({"1", "2"})})
    assert [file.name for file in select(page, named, DAY).sdists] == ["alpha-1.tar.gz"]


def test_of_a_project_without_any_wheel_the_newest_sdist_may_be_built() -> None:
    page = _page(_sdist("1"), _sdist("2"), _sdist("3rc1"))
    assert [file.name for file in select(page, ViewRules(), DAY).sdists] == ["alpha-2.tar.gz"]
    forbidden = select(page, ViewRules(sdists=False), DAY)
    assert forbidden.sdists == ()
    assert {(dropped.rule, dropped.version) for dropped in forbidden.dropped} == {
        ("sdist", "1"),
        ("sdist", "2"),
        ("sdist", "3rc1"),
    }


def test_wheels_for_other_systems_are_none() -> None:
    windows, mac, musl = (
        replace(_wheel("2"), name=f"alpha-2-cp313-cp313-{tag}.whl")
        for tag in ("win_amd64", "macosx_14_0_arm64", "musllinux_1_2_x86_64")
    )
    page = _page(_sdist("1"), _sdist("2"), windows, mac, musl)
    assert [file.name for file in select(page, ViewRules(), DAY).sdists] == ["alpha-2.tar.gz"]
    linux = replace(windows, name="alpha-2-cp313-cp313-manylinux_2_17_x86_64.manylinux2014_x86_64.whl")
    assert select(_page(_sdist("2"), windows, linux), ViewRules(), DAY).sdists == ()
    assert select(_page(windows), ViewRules(), DAY).sdists == ()


def test_a_reserved_name_comes_from_its_index_alone() -> None:
    indexes = [NamedIndex(name=name, url="https://x.example") for name in ("extra-1", "internal", "default")]
    rules = ViewRules(reserved=(("acme-*", "internal"),), homes={"acme-x": "default", "beta": "default"})
    assert [index.name for index in places_for("acme-x", indexes, rules)] == ["internal"]
    assert [index.name for index in places_for("beta", indexes, rules)] == ["default"]
    assert [index.name for index in places_for("alpha", indexes, rules)] == ["extra-1", "internal", "default"]


def test_a_project_whose_index_is_not_configured_is_an_error() -> None:
    with pytest.raises(PackageIndexError, match="acme-x comes from index 'internal' alone"):
        places_for("acme-x", [NamedIndex(name="default", url="")], ViewRules(reserved=(("acme-*", "internal"),)))


def test_what_bears_on_a_project_is_in_its_key() -> None:
    plain = rules_key("alpha", "default", ViewRules(), DAY)
    assert rules_key("alpha", "default", ViewRules(named={"alpha": frozenset({"1"})}), DAY) == plain
    others = (
        ViewRules(cooldown_days=3),
        ViewRules(exceptions=(("alpha", ">1"),)),
        ViewRules(sdists=False),
        ViewRules(builder_key="x"),
    )
    named = rules_key("alpha", "default", ViewRules(), DAY, ["1"])
    assert len({plain, named, *(rules_key("alpha", "default", rules, DAY) for rules in others)}) == 6


def test_no_rule_of_time_holds_in_a_folder_of_the_project() -> None:
    rules = ViewRules(cooldown_days=7, as_of=dt.datetime(2026, 11, 2, tzinfo=dt.UTC), timeless=frozenset({"here"}))
    assert _names(select(_page(_wheel("2", uploaded=None), index="here"), rules, DAY)) == ["2"]
    with pytest.raises(PackageIndexError):
        select(_page(_wheel("2", uploaded=None), index="there"), rules, DAY)
