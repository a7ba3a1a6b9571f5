"""What is installed in a container, against the lock of its image."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from builder.digest import Digest
from builder.drift.distributions import Difference, compare_listing
from builder.drift.listing import Installed, Listing, parse_listing
from builder.errors import InvalidInputError
from builder.lock.model import LockedFile, StackLock
from builder.lock.pylock import parse_stack_lock
from tests.support.tools import ROOT

LOCK: StackLock = parse_stack_lock((ROOT / "locks/pylock.core.toml").read_bytes(), file="core")
PLATFORM = "linux/amd64"
VERSIONS = {one.project: one.version for one in LOCK.candidates if PLATFORM in one.wheels}


def frozen(**changed: str | None) -> bytes:
    rows = {
        name: version
        for name, version in (VERSIONS | {k.replace("_", "-"): v for k, v in changed.items()}).items()
        if version
    }
    return "\n".join(f"{name}=={version}" for name, version in sorted(rows.items())).encode()


def compare(data: bytes) -> list[tuple[str, str]]:
    found = compare_listing(parse_listing(data, context="x"), LOCK, platform=PLATFORM)
    return [(one.kind, one.project) for one in found]


def inside(*changed: dict[str, Any], **more: Any) -> bytes:
    rows = {
        name: {"name": name, "version": version, "place": "/p", "installer": "airflow-kubler"}
        for name, version in VERSIONS.items()
    }
    for one in changed:
        rows[one["name"]] = rows.get(one["name"], {}) | one
    return json.dumps(
        {"format": "airflow-kubler inside 1", "machine": "x86_64", "distributions": list(rows.values()), **more}
    ).encode()


def test_what_is_as_locked_gives_no_difference_in_any_form() -> None:
    listed = json.dumps(
        [{"name": name.replace("-", "_").title(), "version": version} for name, version in VERSIONS.items()]
    )
    for data in (frozen(), listed.encode(), inside()):
        assert compare(data) == []


@pytest.mark.parametrize("form", ["freeze", "list", "inside"])
def test_added_removed_and_changed_distributions_are_told(form: str) -> None:
    rows = VERSIONS | {"pandas": "3.0.1", "idna": "1.0"}
    del rows["requests"]
    listed = [{"name": name, "version": version} for name, version in rows.items()]
    data = {
        "freeze": "\n".join(f"{name}=={version}" for name, version in rows.items()),
        "list": json.dumps(listed),
        "inside": json.dumps({"format": "airflow-kubler inside 1", "distributions": listed}),
    }[form]
    assert compare(data.encode()) == [
        ("distribution changed", "idna"),
        ("distribution added", "pandas"),
        ("distribution removed", "requests"),
    ]


def test_texts_say_versions_places_and_who_put_it_there() -> None:
    data = inside(
        {"name": "pandas", "version": "3.0.1", "place": "/opt/extra", "installer": "pip"},
        {"name": "idna", "version": "1.0", "installer": "uv"},
        {"name": "attrs", "installer": "pip"},
    )
    found = compare_listing(parse_listing(data, context="x"), LOCK)
    assert [one.what for one in found] == [
        f"attrs {VERSIONS['attrs']} is not the one of the image: put there by pip",
        f"idna is 1.0, the lock has {VERSIONS['idna']}; put there by uv",
        "pandas 3.0.1 is not in the lock, put there by pip in /opt/extra",
    ]


def test_versions_are_compared_by_their_meaning() -> None:
    assert compare(frozen(idna=f"{VERSIONS['idna']}.0")) == []
    assert compare(frozen(idna="no-version")) == [("distribution changed", "idna")]


def test_files_that_changed_or_came_are_told() -> None:
    data = inside(
        {"name": "idna", "changed": ["idna/core.py"], "missing": [f"idna/{n}.py" for n in range(9)], "more_changed": 3},
        strays=["/p/sitecustomize.py"],
        more_strays=70,
    )
    found = compare_listing(parse_listing(data, context="x"), LOCK)
    assert [(one.kind, one.what) for one in found] == [
        (
            "files changed",
            (
                f"files of idna {VERSIONS['idna']} are not as its RECORD says: changed: idna/core.py; "
                "missing: idna/0.py, idna/1.py, idna/2.py, idna/3.py, idna/4.py and 4 more; and 3 more"
            ),
        ),
        ("files added", "no distribution names /p/sitecustomize.py and 70 more"),
    ]


def test_files_of_the_stack_itself_are_no_strays() -> None:
    lock = replace(LOCK, files=(("p/settings.py", LockedFile(name="settings.py", size=1, sha256=Digest.of(b"x"))),))
    listing = parse_listing(inside(strays=["/p/settings.py"]), context="x")
    assert compare_listing(listing, lock) == ()
    assert [one.kind for one in compare_listing(listing, LOCK)] == ["files added"]


def test_what_pip_leaves_out_of_its_freeze_is_not_missing() -> None:
    lacking = {
        name: version for name, version in VERSIONS.items() if name not in {"setuptools", "pip", "wheel", "distribute"}
    }
    assert compare("\n".join(f"{n}=={v}" for n, v in lacking.items()).encode()) == []
    kinds = compare(frozen(pip="26.3"))
    assert kinds == [("distribution added", "pip")]


def test_a_freeze_with_addresses_is_read_without_secrets() -> None:
    text = (
        "# comment\n-e git+https://me:secret@example.org/x.git@abc#egg=mine\n"
        "idna @ file:///wheels/idna-3.11-py3-none-any.whl#sha256=00\nother @ https://me:secret@example.org/other-1.0.tar.gz ; python_version > '3'\n"
        "a==1.0 ; sys_platform == 'linux'\nb===2.0\n"
    )
    listing = parse_listing(text.encode(), context="x")
    assert {one.project: (one.version, one.address) for one in listing.installed} == {
        "a": ("1.0", ""),
        "b": ("2.0", ""),
        "idna": ("3.11", "file:///wheels/idna-3.11-py3-none-any.whl"),
        "mine": ("", "git+https://example.org/x.git@abc"),
        "other": ("1.0", "https://example.org/other-1.0.tar.gz"),
    }
    assert "secret" not in repr(listing)


def test_the_platform_is_that_of_the_listing_where_nobody_says_it() -> None:
    only_amd64 = next((one for one in LOCK.candidates if set(one.wheels) != {p.name for p in LOCK.platforms}), None)
    listing = Listing(form="list", installed=tuple(Installed(project=p, version=v) for p, v in VERSIONS.items()))
    assert compare_listing(listing, LOCK) == ()
    assert parse_listing(inside(), context="x").platform == PLATFORM
    assert only_amd64 is None or compare_listing(listing, LOCK, platform=PLATFORM) == ()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "lists no distribution"),
        (b"# nothing\n", "lists no distribution"),
        (b"[]", "lists no distribution"),
        (b"[7, {}]", "lists no distribution"),
        (b"{", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b"{}", "is no listing"),
        (b'{"format": "airflow-kubler inside 2", "distributions": []}', "is no listing"),
        (b"bash: python: command not found", "x: line 1: is no line of `pip freeze`"),
        (b"a==1\nWARNING: x\n", "x: line 2: is no line"),
        (b"\xff\xfe", "is no line"),
    ],
)
def test_what_is_no_listing_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        parse_listing(data, context="x")


@pytest.mark.parametrize("wrong", [None, 7, [], {}, "x" * 1000, "\x1b[2J", "\ud800"])
def test_rows_of_any_type_are_read(wrong: Any) -> None:
    rows = [
        {"name": wrong, "version": wrong, "changed": wrong, "missing": [wrong], "more_changed": wrong, "place": wrong},
        wrong,
    ]
    data = json.dumps(
        {
            "format": "airflow-kubler inside 1",
            "machine": wrong,
            "distributions": rows,
            "strays": wrong,
            "more_strays": wrong,
        }
    )
    found: tuple[Difference, ...] = compare_listing(parse_listing(data.encode(), context="x"), LOCK)
    assert all(len(one.what) < 5000 for one in found)
