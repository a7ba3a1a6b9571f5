from __future__ import annotations

from pathlib import Path

import pytest

from builder.errors import InvalidInputError
from builder.resolve.surroundings import Surroundings
from builder.resolve.uv_settings import load_uv_settings


def around(tmp_path: Path, **variables: str) -> Surroundings:
    return Surroundings(variables=variables, home=tmp_path / "home", prefix=tmp_path / "venv", etc=tmp_path / "etc")


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_nothing_named_is_none(tmp_path: Path) -> None:
    assert load_uv_settings(around(tmp_path, UV_CACHE_DIR="/x")) is None


def test_variables_are_read(tmp_path: Path) -> None:
    settings = load_uv_settings(
        around(
            tmp_path,
            UV_DEFAULT_INDEX="main=https://a/simple",
            UV_INDEX="https://b/simple extra=/opt/simple",
            UV_EXTRA_INDEX_URL="https://c/simple",
            UV_FIND_LINKS="/w1,https://w2",
            UV_INDEX_STRATEGY="unsafe-first-match",
            UV_INSECURE_HOST="h:1",
            UV_KEYRING_PROVIDER="subprocess",
            UV_OFFLINE="1",
            UV_HTTP_TIMEOUT="9",
        )
    )
    assert settings is not None
    assert settings.default_index == "https://a/simple"
    assert settings.extra_indexes == ("https://b/simple", "file:///opt/simple", "https://c/simple")
    assert settings.find_links == ("file:///w1", "https://w2")
    assert settings.strategy == "unsafe-first-match"
    assert settings.trusted_hosts == ("h:1",)
    assert settings.keyring
    assert settings.offline
    assert settings.timeout_s == 9


def test_the_users_file_wins_over_the_systems_key_by_key(tmp_path: Path) -> None:
    write(tmp_path / "etc/uv/uv.toml", 'index-url = "https://system"\nno-index = false\nfind-links = ["/system"]\n')
    write(
        tmp_path / "home/.config/uv/uv.toml", 'find-links = ["wheels"]\n[pip]\nindex-strategy = "unsafe-best-match"\n'
    )
    settings = load_uv_settings(around(tmp_path))
    assert settings is not None
    assert settings.default_index == "https://system"
    assert settings.find_links == ((tmp_path / "home/.config/uv/wheels").as_uri(),)
    assert settings.strategy == "unsafe-best-match"


def test_index_tables_are_read_and_explicit_ones_left_out(tmp_path: Path) -> None:
    text = (
        '[[index]]\nname = "one"\nurl = "https://one/simple"\n'
        '[[index]]\nurl = "https://two/simple"\ndefault = true\n'
        '[[index]]\nname = "three"\nurl = "https://three/simple"\nexplicit = true\n'
    )
    named = write(tmp_path / "named.toml", text)
    write(tmp_path / "home/.config/uv/uv.toml", 'extra-index-url = ["https://not-read"]\n')
    settings = load_uv_settings(
        around(tmp_path, UV_CONFIG_FILE=str(named), UV_INDEX_ONE_USERNAME="me", UV_INDEX_ONE_PASSWORD="p/w")  # noqa: S106 - made up
    )
    assert settings is not None
    assert settings.default_index == "https://two/simple"
    assert settings.extra_indexes == ("https://me:p%2Fw@one/simple",)


def test_a_variable_replaces_the_files_default_index(tmp_path: Path) -> None:
    write(tmp_path / "home/.config/uv/uv.toml", 'index-url = "https://file"\n')
    settings = load_uv_settings(around(tmp_path, UV_INDEX_URL="https://variable"))
    assert settings is not None
    assert settings.default_index == "https://variable"


def test_files_can_be_switched_off(tmp_path: Path) -> None:
    write(tmp_path / "home/.config/uv/uv.toml", 'index-url = "https://file"\n')
    assert load_uv_settings(around(tmp_path, UV_NO_CONFIG="1")) is None


def test_an_unknown_strategy_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="UV_INDEX_STRATEGY: unknown index strategy 'best'"):
        load_uv_settings(around(tmp_path, UV_INDEX_URL="https://a", UV_INDEX_STRATEGY="best"))


def test_a_broken_file_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "home/.config/uv/uv.toml", "index-url = \n")
    with pytest.raises(InvalidInputError, match=r"uv\.toml: cannot be read"):
        load_uv_settings(around(tmp_path))
