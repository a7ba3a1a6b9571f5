"""Whatever stands in the files, readers give a value or a BuilderError, and what they give survives a round trip."""

import tomllib
from typing import Any

import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from builder.canonical import dump_toml
from builder.errors import BuilderError
from builder.platform import AMD64, ARM64
from builder.stack.base import base_from_dict, base_to_dict, parse_base
from builder.stack.model import Base, BaseFile, Cut
from builder.stack.reader import parse_stack

KEYS = st.sampled_from(
    [
        "description",
        "owners",
        "extends",
        "airflow",
        "version",
        "constraints",
        "base",
        "name",
        "plugins",
        "requirements",
        "divergences",
        "project",
        "specifier",
        "reason",
        "owner",
        "expires",
        "image",
        "platforms",
        "layers",
        "compression",
        "debian",
        "release",
        "suites",
        "components",
        "roots",
        "exclude",
        "cuts",
        "package",
        "python",
        "files",
        "path",
        "kind",
        "content",
        "target",
        "mode",
        "uid",
        "gid",
        "instead_of",
    ]
)
WORDS = st.sampled_from(
    [
        "core",
        "3.3.2",
        "3.13",
        "none",
        "trixie",
        "zstd",
        "linux/amd64",
        "a>=1",
        "a @ b:c",
        "0644",
        "etc/x",
        "symlink",
        "<2",
    ]
)
SCALARS = st.one_of(
    WORDS, st.text(max_size=20), st.integers(-(2**63), 2**63 - 1), st.booleans(), st.floats(), st.dates(), st.times()
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS | st.text(max_size=5), inner, max_size=6)
)
TABLES = st.dictionaries(KEYS | st.text(max_size=8), VALUES, max_size=8)


@given(table=TABLES, beside=st.none() | st.text())
def test_any_toml_is_read_or_refused_on_purpose(table: dict[str, Any], beside: str | None) -> None:
    data = tomli_w.dumps(table).encode()
    for read in (
        lambda: parse_stack(data, name="x", file="stacks/x/stack.toml", requirements_in=beside),
        lambda: parse_base(data, name="x", file="stacks/bases/x.toml"),
    ):
        try:
            read()
        except BuilderError as error:
            assert str(error).startswith("stacks/")  # noqa: PT017


@given(data=st.binary())
def test_any_bytes_are_read_or_refused_on_purpose(data: bytes) -> None:
    try:
        parse_stack(data, name="x", file="stacks/x/stack.toml")
    except BuilderError as error:
        assert str(error).startswith("stacks/x/stack.toml: ")  # noqa: PT017


NAMES = st.from_regex(r"[a-z0-9][a-z0-9+.-]{1,8}", fullmatch=True)
PATHS = st.lists(st.from_regex(r"[a-z0-9]{1,6}", fullmatch=True), min_size=1, max_size=3).map("/".join)
LINES = st.from_regex(r"[!-~]([ -~]{0,20}[!-~])?", fullmatch=True)
IDS = st.integers(0, 2**31 - 1)
FILES = st.one_of(
    st.builds(
        BaseFile,
        path=PATHS,
        content=st.text(),
        mode=st.none() | st.integers(0, 0o7777),
        uid=IDS,
        gid=IDS,
        instead_of=st.just("") | NAMES,
    ),
    st.builds(BaseFile, path=PATHS, kind=st.just("symlink"), target=LINES),
    st.builds(BaseFile, path=PATHS, kind=st.sampled_from(["directory", "ca-bundle"]), mode=st.integers(0, 0o7777)),
)


@given(
    base=st.builds(
        Base,
        name=st.just("x"),
        description=LINES,
        release=st.just("trixie"),
        suites=st.just(("trixie", "trixie-security")),
        components=st.just(("main",)),
        python=st.sampled_from(["3.11", "3.13"]),
        platforms=st.sampled_from([(AMD64,), (AMD64, ARM64)]),
        roots=st.lists(NAMES, min_size=1, max_size=5, unique=True).map(tuple),
        cuts=st.lists(
            st.builds(Cut, package=NAMES.map(lambda name: f"cut{name}"), reason=LINES),
            max_size=3,
            unique_by=lambda cut: cut.package,
        ).map(tuple),
        files=st.lists(FILES, max_size=4, unique_by=lambda file: file.path).map(tuple),
        exclude=st.lists(LINES, max_size=3, unique=True).map(tuple),
    ).filter(lambda base: not {cut.package for cut in base.cuts} & set(base.roots))
)
def test_a_base_survives_the_round_trip_through_toml(base: Base) -> None:
    values = tomllib.loads(dump_toml(base_to_dict(base)).decode())
    assert base_from_dict(values, name="x", file="f") == base
