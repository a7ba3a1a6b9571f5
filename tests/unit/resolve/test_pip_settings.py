from __future__ import annotations

import configparser
import os
import subprocess
import sys
from pathlib import Path

import pytest

from builder.errors import InvalidInputError
from builder.resolve.pip_settings import load_pip_settings, read_pip_values
from builder.resolve.surroundings import Surroundings


def around(tmp_path: Path, **variables: str) -> Surroundings:
    return Surroundings(variables=variables, home=tmp_path / "home", prefix=tmp_path / "venv", etc=tmp_path / "etc")


def write(path: Path, **values: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    parser = configparser.RawConfigParser()
    parser["global"] = values
    with path.open("w", encoding="utf-8") as stream:
        parser.write(stream)
    return path


def test_files_rise_in_importance_and_variables_win(tmp_path: Path) -> None:
    places = {
        "xdg": "etc/xdg/pip/pip.conf",
        "global": "etc/pip.conf",
        "legacy": "home/.pip/pip.conf",
        "user": "home/.config/pip/pip.conf",
        "site": "venv/pip.conf",
        "named": "named.conf",
    }
    seen = []
    for name, place in places.items():
        path = write(tmp_path / place, **{"index-url": f"https://{name}"})
        variables = {"PIP_CONFIG_FILE": str(path)} if name == "named" else {}
        seen.append(read_pip_values(around(tmp_path, **variables))["index-url"])
    assert seen == [f"https://{name}" for name in places]
    values = read_pip_values(
        around(tmp_path, PIP_INDEX_URL="https://variable", PIP_CONFIG_FILE=str(tmp_path / "named.conf"))
    )
    assert values["index-url"] == "https://variable"


def test_a_named_file_switches_the_users_off(tmp_path: Path) -> None:
    write(tmp_path / "home/.config/pip/pip.conf", **{"find-links": "/user"})
    write(tmp_path / "etc/pip.conf", timeout="7")
    named = write(tmp_path / "named.conf", **{"index-url": "https://named"})
    values = read_pip_values(around(tmp_path, PIP_CONFIG_FILE=str(named)))
    assert values == {"timeout": "7", "index-url": "https://named", "config-file": str(named)}


def test_the_null_device_switches_all_files_off(tmp_path: Path) -> None:
    write(tmp_path / "etc/pip.conf", **{"index-url": "https://global"})
    assert load_pip_settings(around(tmp_path, PIP_CONFIG_FILE=os.devnull)) is None


def test_section_install_wins_over_global(tmp_path: Path) -> None:
    path = tmp_path / "etc/pip.conf"
    path.parent.mkdir()
    path.write_text(
        "[install]\nindex-url = https://install\n[global]\nindex-url = https://global\n[list]\nindex-url=x\n"
    )
    assert read_pip_values(around(tmp_path))["index-url"] == "https://install"


def test_keys_are_normalised_and_empty_values_are_none(tmp_path: Path) -> None:
    write(tmp_path / "etc/pip.conf", **{"--Extra_Index_Url": "https://a\n  https://b", "find-links": "/w"})
    settings = load_pip_settings(around(tmp_path, PIP_FIND_LINKS=" "))
    assert settings is not None
    assert settings.extra_indexes == ("https://a", "https://b")
    assert settings.find_links == ("file:///w",)


@pytest.mark.parametrize(
    ("extra", "strategy"),
    [("file:///a file:///b", "unsafe-best-match"), ("file:///a https://b", "first-index"), ("", "first-index")],
    ids=["local", "mixed", "none"],
)
def test_indexes_are_merged_only_where_all_extra_ones_are_local(tmp_path: Path, extra: str, strategy: str) -> None:
    settings = load_pip_settings(around(tmp_path, PIP_INDEX_URL="https://a", PIP_EXTRA_INDEX_URL=extra))
    assert settings is not None
    assert settings.strategy == strategy


def test_local_find_links_are_merged_and_those_of_a_network_are_not(tmp_path: Path) -> None:
    local = load_pip_settings(around(tmp_path, PIP_FIND_LINKS="/w"))
    remote = load_pip_settings(around(tmp_path, PIP_FIND_LINKS="/w https://a/links.html"))
    assert local is not None
    assert remote is not None
    assert (local.merges_local, remote.merges_local) == (True, False)


def test_other_settings_are_read(tmp_path: Path) -> None:
    settings = load_pip_settings(
        around(
            tmp_path,
            PIP_FIND_LINKS="/a /b",
            PIP_NO_INDEX="true",
            PIP_CERT="/ca.pem",
            PIP_TRUSTED_HOST="one two:8080",
            PIP_DEFAULT_TIMEOUT="180",
            PIP_KEYRING_PROVIDER="subprocess",
        )
    )
    assert settings is not None
    assert settings.find_links == ("file:///a", "file:///b")
    assert settings.no_index
    assert settings.certificate == Path("/ca.pem")
    assert settings.trusted_hosts == ("one", "two:8080")
    assert settings.timeout_s == 180
    assert settings.keyring


def test_settings_without_a_place_are_none(tmp_path: Path) -> None:
    assert load_pip_settings(around(tmp_path, PIP_DEFAULT_TIMEOUT="180")) is None


def test_a_broken_file_is_named_and_its_lines_are_not_shown(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/pip.conf").write_text("https://me:secret@host\n")
    with pytest.raises(InvalidInputError, match=r"pip\.conf: cannot be read") as caught:
        load_pip_settings(around(tmp_path))
    assert "secret" not in str(caught.value)


def test_pip_itself_reads_the_same(tmp_path: Path) -> None:
    write(tmp_path / "etc/xdg/pip/pip.conf", **{"index-url": "https://global", "find-links": "/global"})
    write(tmp_path / "home/.config/pip/pip.conf", **{"find-links": "/user", "extra-index-url": "https://u1 https://u2"})
    variables = {
        "HOME": str(tmp_path / "home"),
        "XDG_CONFIG_DIRS": str(tmp_path / "etc/xdg"),
        "PIP_TRUSTED_HOST": "host",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }
    argv = [sys.executable, "-m", "pip", "config", "list"]
    done = subprocess.run(argv, env=variables, capture_output=True, text=True, check=True)
    ours = read_pip_values(
        Surroundings(variables=variables, home=tmp_path / "home", prefix=Path(sys.prefix), etc=Path("/etc"))
    )
    pairs = [line.partition("=") for line in done.stdout.splitlines()]
    theirs = {name.partition(".")[2]: value.strip("'") for name, _, value in pairs}
    assert {key: ours[key] for key in theirs} == theirs
