from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from builder.errors import InvalidInputError
from builder.resolve.settings import IndexSettings
from builder.resolve.surroundings import Surroundings
from builder.resolve.user_settings import load_index_settings


def around(tmp_path: Path, **variables: str) -> Surroundings:
    return Surroundings(variables=variables, home=tmp_path / "home", prefix=tmp_path / "venv", etc=tmp_path / "etc")


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_without_any_setting_the_resolvers_own_index_serves(tmp_path: Path) -> None:
    settings = load_index_settings(around(tmp_path))
    assert settings == IndexSettings(source="default")
    assert settings.indexes() == ()


def test_uv_wins_over_pip_and_pip_over_our_own_file(tmp_path: Path) -> None:
    write(tmp_path / "home/.config/airflow-kubler/config.toml", '[python]\nindex = "https://own/simple"\n')
    assert load_index_settings(around(tmp_path)).source == "airflow-kubler"
    assert load_index_settings(around(tmp_path, PIP_INDEX_URL="https://pip/simple")).source == "pip"
    both = around(tmp_path, PIP_INDEX_URL="https://pip/simple", UV_FIND_LINKS="/wheels")
    settings = load_index_settings(both)
    assert settings.source == "uv"
    assert settings.default_index is None
    assert settings.find_links == ("file:///wheels",)


def test_own_file_holds_every_setting(tmp_path: Path) -> None:
    text = (
        '[python]\nindex = "https://a/simple"\nextra-indexes = ["https://b/simple"]\nfind-links = ["/w"]\n'
        'index-strategy = "unsafe-best-match"\ncertificate = "/ca.pem"\noffline = true\n'
        '[python.indexes]\nours = "https://c/simple"\n'
    )
    write(tmp_path / "xdg/airflow-kubler/config.toml", text)
    assert load_index_settings(around(tmp_path, XDG_CONFIG_HOME=str(tmp_path / "xdg"))) == IndexSettings(
        source="airflow-kubler",
        default_index="https://a/simple",
        extra_indexes=("https://c/simple", "https://b/simple"),
        extra_names=("ours",),
        find_links=("file:///w",),
        strategy="unsafe-best-match",
        certificate=Path("/ca.pem"),
        offline=True,
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[python]\nindices = "x"\n', "python.indices: unknown key"),
        ('[python]\nindexes = "x"\n', "python.indexes: must be a table of addresses by name"),
        ('[python.indexes]\ndefault = "x"\n', "python.indexes.default: cannot be the name of an index"),
        ('[python.indexes]\n"a b" = "x"\n', "python.indexes.a b: cannot be the name of an index"),
        ("[python]\nindex = 3\n", "python.index: must be a str"),
        ('[python]\nextra-indexes = "x"\n', "python.extra-indexes: must be a list"),
        ('[python]\nindex = "https://a"\nindex-strategy = "best"\n', "unknown index strategy 'best'"),
        ("python = 3\n", "python: must be a table"),
        ("[python\n", "cannot be read"),
    ],
    ids=["unknown", "no table", "reserved name", "bad name", "type", "list", "strategy", "table", "toml"],
)
def test_own_file_is_read_strictly(tmp_path: Path, text: str, message: str) -> None:
    write(tmp_path / "home/.config/airflow-kubler/config.toml", text)
    with pytest.raises(InvalidInputError, match=r"config\.toml") as caught:
        load_index_settings(around(tmp_path))
    assert message in str(caught.value)


def test_certificates_are_taken_from_the_usual_variables(tmp_path: Path) -> None:
    pem = write(tmp_path / "ca.pem", "")
    settings = load_index_settings(around(tmp_path, SSL_CERT_FILE="/nowhere", REQUESTS_CA_BUNDLE=str(pem)))
    assert settings.certificate == pem


@pytest.mark.parametrize(
    "variables", [{}, {"UV_DEFAULT_INDEX": "https://a/s"}, {"PIP_FIND_LINKS": "/w", "PIP_NO_INDEX": "1"}]
)
def test_folders_of_a_project_hold_beside_whatever_settings_there_are(
    tmp_path: Path, variables: dict[str, str]
) -> None:
    folder = tmp_path / "dists"
    settings = load_index_settings(around(tmp_path, **variables), folders=[("here", folder)])
    assert settings.folders == (("here", folder.as_uri()),)
    assert settings == replace(load_index_settings(around(tmp_path, **variables)), folders=settings.folders)
