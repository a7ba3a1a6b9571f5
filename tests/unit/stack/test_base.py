import tomllib

import pytest

from builder.canonical import dump_toml
from builder.errors import InvalidInputError, IssuesError
from builder.platform import AMD64, ARM64
from builder.stack.base import base_from_dict, base_to_dict, parse_base
from builder.stack.model import Base, BaseFile, Cut

FILE = "stacks/bases/trixie.toml"
DEBIAN = '[debian]\nrelease = "trixie"\nsuites = ["trixie"]\nroots = ["bash"]\n'
LEAST = 'description = "x"\n[python]\nversion = "3.13"\n' + DEBIAN

FULL = """\
description = "Debian 13 with Python 3.13"

[debian]
release = "trixie"
suites = ["trixie", "trixie-updates", "trixie-security"]
components = ["main", "contrib"]
platforms = ["linux/amd64"]
roots = ["bash", "libstdc++6"]
exclude = ["usr/share/man/*"]

[python]
version = "3.13"

[[cuts]]
package = "debconf"
reason = "no maintainer script runs"

[[files]]
path = "etc/passwd"
content = '''
root:x:0:0::/root:/bin/sh
'''
mode = "0664"
uid = 1
gid = 2
instead_of = "base-passwd"

[[files]]
path = "tmp"
kind = "directory"
mode = "1777"

[[files]]
path = "var/run"
kind = "symlink"
target = "/run"

[[files]]
path = "etc/ssl/certs/ca-certificates.crt"
kind = "ca-bundle"
instead_of = "ca-certificates"
"""


def complaint(text: str) -> str:
    with pytest.raises(InvalidInputError) as caught:
        parse_base(text.encode(), name="trixie", file=FILE)
    return str(caught.value)


def test_every_key_is_read() -> None:
    assert parse_base(FULL.encode(), name="trixie", file=FILE) == Base(
        name="trixie",
        description="Debian 13 with Python 3.13",
        release="trixie",
        suites=("trixie", "trixie-updates", "trixie-security"),
        components=("main", "contrib"),
        python="3.13",
        platforms=(AMD64,),
        roots=("bash", "libstdc++6"),
        cuts=(Cut(package="debconf", reason="no maintainer script runs"),),
        files=(
            BaseFile(
                path="etc/passwd",
                content="root:x:0:0::/root:/bin/sh\n",
                mode=0o664,
                uid=1,
                gid=2,
                instead_of="base-passwd",
            ),
            BaseFile(path="tmp", kind="directory", mode=0o1777),
            BaseFile(path="var/run", kind="symlink", target="/run"),
            BaseFile(path="etc/ssl/certs/ca-certificates.crt", kind="ca-bundle", instead_of="ca-certificates"),
        ),
        exclude=("usr/share/man/*",),
    )


def test_components_are_main_and_platforms_all_where_not_said() -> None:
    base = parse_base(LEAST.encode(), name="trixie", file=FILE)
    assert (base.components, base.platforms) == (("main",), (AMD64, ARM64))


@pytest.mark.parametrize("text", [FULL, LEAST], ids=["full", "least"])
def test_a_base_survives_being_written_into_a_lock(text: str) -> None:
    base = parse_base(text.encode(), name="trixie", file=FILE)
    written = tomllib.loads(dump_toml({"base": base_to_dict(base)}).decode())
    assert base_from_dict(written["base"], name="trixie", file="locks/base.trixie.toml", key="base") == base


def test_issues_of_an_embedded_base_name_the_lock_and_the_whole_key() -> None:
    with pytest.raises(IssuesError) as caught:
        base_from_dict({"description": "x", "debian": {}, "python": {}}, name="t", file="locks/base.t.toml", key="base")
    assert str(caught.value).splitlines()[0] == "locks/base.t.toml: base.debian.release: is missing"


def test_everything_missing_is_said_at_once() -> None:
    assert [line for line in complaint("").splitlines() if not line.startswith(" ")] == [
        f"{FILE}: description: is missing",
        f"{FILE}: debian: is missing",
        f"{FILE}: debian.release: is missing",
        f"{FILE}: debian.suites: is missing",
        f"{FILE}: debian.roots: is missing",
        f"{FILE}: python: is missing",
        f"{FILE}: python.version: is missing",
    ]


SUITES = "  name the suites to take packages from, as trixie, trixie-updates, trixie-security"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('["trixie"]', '["bookworm"]', f"debian.suites[0]: 'bookworm' is not of release 'trixie'\n{SUITES}"),
        ('["trixie"]', '["Trixie"]', f"debian.suites[0]: 'Trixie' is no name of a suite\n{SUITES}"),
        ('["trixie"]', "[]", f"debian.suites: is empty\n{SUITES}"),
        ('["bash"]', '["Bash"]', "debian.roots[0]: 'Bash' is no name of a Debian package"),
        ('["bash"]', "[]", "debian.roots: is empty\n  name at least python and what Airflow needs"),
        (
            '"3.13"',
            '"3.13.5"',
            "python.version: unknown value '3.13.5'\n  write major and minor, as 3.13; the lock says the patch version",
        ),
        ("roots", "mirror = 'x'\nroots", ("debian.mirror: unknown key\n  known keys: components, exclude, platforms, "
         "release, roots, suites")),
    ],
)  # fmt: skip
def test_wrong_values_are_refused_with_their_key(old: str, new: str, expected: str) -> None:
    assert complaint(LEAST.replace(old, new)) == f"{FILE}: {expected}"


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (
            "[[cuts]]\npackage = 'bash'\nreason = 'r'",
            "cuts[0].package: 'bash' is a root too\n  take it out of debian.roots, or do not cut it",
        ),
        ("[[cuts]]\npackage = 'dpkg'", "cuts[0].reason: is missing\n  say why images run without it"),
        (
            "[[cuts]]\npackage = 'a1'\nreason = 'r'\n[[cuts]]\npackage = 'a1'\nreason = 'r'",
            "cuts[1].package: 'a1' is cut twice",
        ),
        (
            "[[files]]\npath = '/etc/x'",
            "files[0].path: '/etc/x' is not a normal relative path\n  write it relative to the image's root, as etc/passwd",
        ),
        (
            "[[files]]\npath = 'etc/../x'",
            (
                "files[0].path: 'etc/../x' is not a normal relative path\n"
                "  write it relative to the image's root, as etc/passwd"
            ),
        ),
        ("[[files]]\npath = 'a'\n[[files]]\npath = 'a'", "files[1].path: 'a' stands twice"),
        (
            "[[files]]\npath = 'a'\nmode = 420",
            'files[0].mode: must be a text, is a whole number\n  write permission bits in quotes, as "0644"',
        ),
        (
            "[[files]]\npath = 'a'\nmode = '0888'",
            "files[0].mode: '0888' is no mode\n  write permission bits in quotes, as \"0644\"",
        ),
        ("[[files]]\npath = 'a'\nuid = -1", "files[0].uid: must be from 0 to 2147483647, is -1"),
        ("[[files]]\npath = 'a'\nkind = 'symlink'", "files[0].target: is missing\n  say where the link leads"),
        (
            "[[files]]\npath = 'a'\nkind = 'direktory'\n",
            "files[0].kind: unknown value 'direktory'\n  did you mean 'directory'?",
        ),
        (
            "[[files]]\npath = 'a'\nkind = 'directory'\ncontent = 'x'",
            "files[0].content: has no meaning for kind 'directory'",
        ),
        ("[[files]]\npath = 'a'\ntarget = 'x'", "files[0].target: has no meaning for kind 'file'"),
        (
            "[[files]]\npath = 'a'\nkind = 'symlink'\ntarget = 'x'\nmode = '0777'",
            "files[0].mode: has no meaning for kind 'symlink'",
        ),
    ],
)
def test_wrong_rows_are_refused_with_their_place(rows: str, expected: str) -> None:
    assert complaint(f"{LEAST}{rows}") == f"{FILE}: {expected}"
