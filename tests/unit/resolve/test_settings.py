from __future__ import annotations

from pathlib import Path

from builder.resolve.settings import IndexSettings, as_url, masked


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
