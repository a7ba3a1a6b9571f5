"""Where mirrors come from: apt's sources, our configuration file, and nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest

from builder.debian.mirrors import Mirrors, is_security, load_mirrors
from builder.errors import InvalidInputError, MirrorError

DEB822 = """\
# a comment
Types: deb deb-src
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror.example/debian-security/
Suites: bookworm-security
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 AAAA
 -----END PGP PUBLIC KEY BLOCK-----

Types: deb
URIs: http://off.example/debian
Suites: bookworm
Components: main
Enabled: no

Types: deb-src
URIs: http://sources.example/debian
Suites: bookworm
Components: main
"""
ONE_LINE = """\
deb [arch=amd64 signed-by=/keys/a.gpg,/keys/b.gpg] https://one.example/debian trixie main # the main one
deb http://one.example/debian-security trixie-security main
deb http://old.example/debian-security buster/updates main
# deb http://commented.example/debian trixie main
deb-src http://sources.example/debian trixie main
deb https://vendor.example/apt nodistro main
deb https://vendor.example/pgdg bookworm-pgdg main
deb https://vendor.example/docker bookworm stable
deb ftp://one.example/debian trixie main
deb cdrom:[Debian]/ trixie main
deb mirror+file:/etc/apt/mirrors/debian.list trixie main
"""


def system(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def urls(mirrors: Mirrors) -> list[tuple[str, bool]]:
    return [(mirror.url, mirror.security) for mirror in mirrors.mirrors]


def test_deb822_sources_are_read_with_their_keys(tmp_path: Path) -> None:
    files = {
        "etc/apt/sources.list.d/debian.sources": DEB822,
        "usr/share/keyrings/debian-archive-keyring.gpg": "keys",
    }
    mirrors = load_mirrors(config=tmp_path / "none", root=system(tmp_path, files))
    assert urls(mirrors) == [("http://mirror.example/debian", False), ("http://mirror.example/debian-security", True)]
    assert mirrors.mirrors[0].keyrings == (b"keys",)
    block = b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nAAAA\n-----END PGP PUBLIC KEY BLOCK-----\n"
    assert mirrors.mirrors[1].keyrings == (block,)
    assert mirrors.keyrings == (b"keys",)


def test_one_line_sources_are_read_and_others_than_debians_passed_over(tmp_path: Path) -> None:
    files = {
        "etc/apt/sources.list": ONE_LINE,
        "etc/apt/mirrors/debian.list": "# nearest first\nhttps://near.example/debian\tpriority:1\nhttps://far.example/debian\n",
        "etc/apt/sources.list.d/vendor.list.disabled": "deb http://disabled.example/debian trixie main\n",
        "keys/a.gpg": "a",
        "keys/b.gpg": "b",
    }
    mirrors = load_mirrors(config=tmp_path / "none", root=system(tmp_path, files))
    assert urls(mirrors) == [
        ("https://one.example/debian", False),
        ("http://one.example/debian-security", True),
        ("http://old.example/debian-security", True),
        ("https://near.example/debian", False),
        ("https://far.example/debian", False),
    ]
    assert mirrors.mirrors[0].keyrings == (b"a", b"b")


def test_suites_are_served_by_the_archive_they_are_of_whatever_this_machine_runs(tmp_path: Path) -> None:
    root = system(tmp_path, {"etc/apt/sources.list.d/debian.sources": DEB822})
    mirrors = load_mirrors(config=tmp_path / "none", root=root)
    assert mirrors.mirror_urls("trixie") == ("http://mirror.example/debian",)
    assert mirrors.mirror_urls("trixie-updates") == ("http://mirror.example/debian",)
    assert mirrors.mirror_urls("trixie-security") == ("http://mirror.example/debian-security",)


def test_the_configuration_file_wins_for_what_it_names(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(
        '[python]\nindex = "x"\n[debian]\nmirror = "http://own.example/debian/"\narchives = ["http://old.example/d/"]\n'
    )
    root = system(tmp_path, {"etc/apt/sources.list.d/debian.sources": DEB822})
    mirrors = load_mirrors(config=config, root=root)
    assert mirrors.mirror_urls("trixie") == ("http://own.example/debian", "http://old.example/d")
    assert mirrors.mirror_urls("trixie-security") == (
        "http://mirror.example/debian-security",
        "http://old.example/d",
    )
    assert [mirror.url for mirror in mirrors.serving("trixie")] == ["http://own.example/debian"]


def test_a_keyring_of_the_configuration_stands_in_for_the_usual_one(tmp_path: Path) -> None:
    (tmp_path / "own.gpg").write_bytes(b"own")
    config = tmp_path / "config.toml"
    config.write_text(f'[debian]\nkeyring = "{tmp_path}/own.gpg"\n')
    assert load_mirrors(config=config, root=tmp_path).keyrings == (b"own",)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[debian]\nmirorr = 'x'\n", "unknown key 'mirorr'"),
        ("[debian]\nmirror = 1\n", "must be texts"),
        ("[debian]\narchives = 'x'\n", "must be texts"),
        ("debian = 1\n", "must be a table"),
        ("[debian\n", "not a TOML file"),
    ],
)
def test_a_wrong_configuration_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    config = tmp_path / "config.toml"
    config.write_text(text)
    with pytest.raises(InvalidInputError, match=reason):
        load_mirrors(config=config, root=tmp_path)


def test_without_any_mirror_nothing_is_made_up(tmp_path: Path) -> None:
    mirrors = load_mirrors(config=tmp_path / "none", root=tmp_path)
    assert mirrors == Mirrors(mirrors=())
    assert mirrors.mirror_urls("trixie") == ()
    with pytest.raises(MirrorError, match="no Debian mirror is configured for trixie-security"):
        mirrors.serving("trixie-security")


@pytest.mark.parametrize(
    ("suite", "answer"),
    [("trixie", False), ("trixie-updates", False), ("trixie-security", True), ("buster/updates", True)],
)
def test_security_suites_are_known_by_name(suite: str, answer: bool) -> None:  # noqa: FBT001
    assert is_security(suite) is answer
