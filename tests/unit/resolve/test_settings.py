from __future__ import annotations

from pathlib import Path

from builder.resolve.settings import IndexSettings, as_url, masked, named_indexes


def test_credentials_are_never_shown() -> None:
    settings = IndexSettings(
        source="pip", default_index="https://me:secret@host/simple", extra_indexes=("https://t0k@x/s",)
    )
    assert "secret" not in repr(settings)
    assert "t0k" not in repr(settings)
    assert masked("https://me:secret@host/simple?key=k") == "https://****@host/simple"
    assert masked("https://host/simple") == "https://host/simple"


def test_no_index_leaves_find_links_only() -> None:
    settings = IndexSettings(source="pip", default_index="https://a", find_links=("file:///w",), no_index=True)
    assert settings.indexes() == ()


def test_extra_indexes_come_before_the_default_one() -> None:
    settings = IndexSettings(source="uv", default_index="https://a", extra_indexes=("https://b", "https://c"))
    assert settings.indexes() == ("https://b", "https://c", "https://a")


def test_paths_become_urls() -> None:
    assert as_url("/opt/wheels") == "file:///opt/wheels"
    assert as_url("wheels", folder=Path("/etc/uv")) == "file:///etc/uv/wheels"
    assert as_url("https://host/simple") == "https://host/simple"
    assert as_url("file:///opt") == "file:///opt"


def names(settings: IndexSettings, built_in: str | None = "https://built-in") -> list[tuple[str, str]]:
    return [(index.name, index.url) for index in named_indexes(settings, built_in)]


def test_every_place_has_a_name_and_the_last_is_the_default_one() -> None:
    settings = IndexSettings(
        source="uv",
        extra_indexes=("https://a", "https://b", "https://c"),
        extra_names=("", "ours"),
        find_links=("file:///w", "https://links"),
    )
    assert names(settings) == [
        ("find-links", "file:///w"),
        ("find-links-2", "https://links"),
        ("extra-1", "https://a"),
        ("ours", "https://b"),
        ("extra-3", "https://c"),
        ("default", "https://built-in"),
    ]


def test_names_that_mean_something_else_or_come_twice_are_replaced() -> None:
    settings = IndexSettings(
        source="uv",
        default_index="https://z",
        extra_indexes=("https://a", "https://b", "https://c", "https://d"),
        extra_names=("default", "twice", "twice", "extra-1"),
    )
    assert [name for name, _ in names(settings)] == ["extra-2", "twice", "extra-3", "extra-1", "default"]


def test_no_index_has_no_default_one() -> None:
    assert names(IndexSettings(source="pip", find_links=("file:///w",), no_index=True)) == [("find-links", "file:///w")]


def test_folders_of_the_project_come_first_and_are_never_merged() -> None:
    settings = IndexSettings(
        source="uv",
        folders=(("here", "file:///p/dists"),),
        find_links=("file:///w",),
        extra_indexes=("https://a",),
        extra_names=("here",),
    )
    assert names(settings) == [
        ("here", "file:///p/dists"),
        ("find-links", "file:///w"),
        ("extra-1", "https://a"),
        ("default", "https://built-in"),
    ]
    assert [index.alone for index in named_indexes(settings, None)] == [True, False, False]
