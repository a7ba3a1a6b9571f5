"""The real uv through the loopback index, over indexes on the loopback: no network, no Python of the base's version."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from builder.errors import PackageIndexError, ResolutionError, ToolError
from builder.platform import ARM64
from builder.resolve.measure import TransportProbe
from builder.resolve.model import IndexAddress
from builder.resolve.settings import IndexSettings
from builder.resolve.uv import parse_candidates, uv_platform
from builder.resolve.uv_process import make_environment
from builder.store.transport import HttpTransport
from tests.support.index_server import Index, make_wheel, serve
from tests.support.loopback import resolve
from tests.support.memory_snapshots import MemoryStore


@pytest.fixture
def index() -> Iterator[Index]:
    with serve(Index()) as started:
        yield started


def _at(index: Index) -> IndexSettings:
    return IndexSettings(source="uv", default_index=index.simple)


def test_candidates_come_with_wheel_and_dependencies(tmp_path: Path, index: Index) -> None:
    data = index.add_wheel("Alpha.One", "1.0", "beta>=1", "gamma; sys_platform == 'win32'")
    index.add_wheel("beta", "1.5", "alpha-one")
    index.add_wheel("beta", "2.0rc1")
    found = resolve(tmp_path, ["alpha.one"], settings=_at(index))
    assert found.versions() == {"alpha-one": "1.0", "beta": "1.5"}
    alpha, beta = found.resolution.candidates
    assert (alpha.dependencies, beta.dependencies) == (("beta",), ("alpha-one",))
    wheel = found.wheels[0]
    assert wheel.index == "default"
    assert wheel.offered.name == "Alpha.One-1.0-py3-none-any.whl"
    assert wheel.offered.sha256 == hashlib.sha256(data).hexdigest()
    assert wheel.offered.size == len(data)
    assert wheel.offered.upload_time == "2026-05-01T10:00:00Z"


def test_each_platform_gets_its_own_wheel_and_version(tmp_path: Path, index: Index) -> None:
    index.add_wheel("native", "2.0", tag="cp313-cp313-manylinux_2_28_x86_64")
    for tag in (
        "cp313-cp313-manylinux2014_aarch64",
        "cp313-cp313-manylinux_2_17_x86_64",
        "cp312-cp312-manylinux_2_17_x86_64",
    ):
        index.add_wheel("native", "1.0", tag=tag)
    amd64 = resolve(tmp_path, ["native"], settings=_at(index))
    arm64 = resolve(tmp_path, ["native"], settings=_at(index), platform=ARM64)
    assert [wheel.offered.name for wheel in amd64.wheels] == ["native-2.0-cp313-cp313-manylinux_2_28_x86_64.whl"]
    assert [wheel.offered.name for wheel in arm64.wheels] == ["native-1.0-cp313-cp313-manylinux2014_aarch64.whl"]


def test_the_glibc_of_the_base_decides(tmp_path: Path, index: Index) -> None:
    index.add_wheel("native", "1.0", tag="cp311-cp311-manylinux_2_36_x86_64")
    index.add_wheel("native", "2.0", tag="cp311-cp311-manylinux_2_38_x86_64")
    old = resolve(tmp_path, ["native"], settings=_at(index), python_version="3.11.2", glibc="2.36")
    new = resolve(tmp_path, ["native"], settings=_at(index), python_version="3.11.2", glibc="2.41")
    assert (old.versions(), new.versions()) == ({"native": "1.0"}, {"native": "2.0"})


def test_the_exact_python_decides(tmp_path: Path, index: Index) -> None:
    index.add_wheel("alpha", "1.0", "beta; python_full_version >= '3.13.5'", "gamma; python_full_version < '3.13.5'")
    index.add_wheel("beta", "1.0")
    index.add_wheel("gamma", "1.0")
    assert "beta" in resolve(tmp_path, ["alpha"], settings=_at(index)).versions()
    assert "gamma" in resolve(tmp_path, ["alpha"], settings=_at(index), python_version="3.13.4").versions()


def test_pins_constraints_and_preferences_hold(tmp_path: Path, index: Index) -> None:
    for version in ("1.0", "2.0", "3.0"):
        for project in ("alpha", "beta", "gamma"):
            index.add_wheel(project, version)
    found = resolve(
        tmp_path,
        ["alpha", "beta", "gamma"],
        settings=_at(index),
        pins=(("alpha", "1.0"), ("unused", "9")),
        constraints=("beta<3",),
        preferences=(("beta", "3.0"), ("gamma", "1.0")),
    )
    assert found.versions() == {"alpha": "1.0", "beta": "2.0", "gamma": "1.0"}


def test_a_conflict_is_told_in_short_and_whole_below(tmp_path: Path, index: Index) -> None:
    index.add_wheel("alpha", "1.0", "gamma<2")
    index.add_wheel("gamma", "2.0")
    index.add_wheel("gamma", "1.0")
    with pytest.raises(ResolutionError, match="No solution found") as caught:
        resolve(tmp_path, ["alpha", "gamma>=2"], settings=_at(index))
    assert caught.value.context == "stacks/etl/stack.toml on linux/amd64"
    assert "gamma>=2" in caught.value.message
    assert isinstance(caught.value.__cause__, ToolError)
    assert "--only-binary" in caught.value.__cause__.argv


def test_a_requirement_by_url_is_refused(tmp_path: Path, index: Index) -> None:
    index.add_wheel("alpha", "1.0")
    with pytest.raises(ResolutionError, match="comes from a url"):
        resolve(tmp_path, [f"alpha @ {index.url}/files/alpha-1.0-py3-none-any.whl"], settings=_at(index))


def test_an_index_that_is_not_there_is_no_conflict(tmp_path: Path) -> None:
    settings = IndexSettings(source="uv", default_index="http://127.0.0.1:9/simple")
    with pytest.raises(PackageIndexError):
        resolve(tmp_path, ["alpha"], settings=settings)


def test_a_project_comes_from_the_first_index_that_has_it(tmp_path: Path, index: Index) -> None:
    index.add_wheel("alpha", "99.0")
    with serve(Index()) as private:
        private.add_wheel("alpha", "1.0")
        for strategy in ("first-index", "unsafe-best-match"):
            settings = IndexSettings(
                source="uv", default_index=index.simple, extra_indexes=(private.simple,), strategy=strategy
            )
            found = resolve(tmp_path, ["alpha"], settings=settings)
            assert (found.versions(), found.wheels[0].index) == ({"alpha": "1.0"}, "extra-1")


def test_folders_and_local_indexes_serve(tmp_path: Path) -> None:
    folder = tmp_path / "my wheels"
    folder.mkdir()
    (folder / "alpha-1.0-py3-none-any.whl").write_bytes(make_wheel("alpha", "1.0", ["beta"]))
    page = tmp_path / "simple/beta/index.html"
    page.parent.mkdir(parents=True)
    (tmp_path / "beta-1.0-py3-none-any.whl").write_bytes(make_wheel("beta", "1.0"))
    page.write_text('<a href="../../beta-1.0-py3-none-any.whl">beta-1.0-py3-none-any.whl</a>')
    settings = IndexSettings(source="uv", find_links=(folder.as_uri(),), default_index=(tmp_path / "simple").as_uri())
    found = resolve(tmp_path, ["alpha"], settings=settings)
    assert found.versions() == {"alpha": "1.0", "beta": "1.0"}
    with HttpTransport() as transport:
        files = TransportProbe(transport, MemoryStore()).measure([wheel.offered for wheel in found.wheels])
    for file, data in zip(files, (make_wheel("alpha", "1.0", ["beta"]), make_wheel("beta", "1.0")), strict=True):
        assert (file.size, file.sha256.hex) == (len(data), hashlib.sha256(data).hexdigest())


@pytest.mark.parametrize("hashes", [True, False], ids=["hashes", "no-hashes"])
def test_what_an_html_index_does_not_say_is_found_out(tmp_path: Path, index: Index, *, hashes: bool) -> None:
    data = index.add_wheel("alpha", "1.0")
    index.html, index.hashes = True, hashes
    offered = resolve(tmp_path, ["alpha"], settings=_at(index)).wheels[0].offered
    assert (offered.size, offered.upload_time) == (None, None)
    with HttpTransport() as transport:
        file = TransportProbe(transport, MemoryStore()).measure([offered])[0]
    assert (file.name, file.size) == ("alpha-1.0-py3-none-any.whl", len(data))
    assert file.sha256.hex == hashlib.sha256(data).hexdigest()


def test_a_wheel_that_is_gone_is_named(tmp_path: Path, index: Index) -> None:
    index.add_wheel("alpha", "1.0")
    index.html = True
    offered = resolve(tmp_path, ["alpha"], settings=_at(index)).wheels[0].offered
    index.files.clear()
    with HttpTransport() as transport, pytest.raises(PackageIndexError, match="status 404"):
        TransportProbe(transport, MemoryStore()).measure([offered])


def test_credentials_of_an_address_are_sent_and_never_shown(tmp_path: Path, index: Index) -> None:
    index.login = "me:s3cret"
    index.add_wheel("alpha", "1.0")
    settings = IndexSettings(source="uv", default_index=index.simple.replace("http://", "http://me:s3cret@"))
    found = resolve(tmp_path, ["alpha"], settings=settings)
    assert found.versions() == {"alpha": "1.0"}
    assert "s3cret" not in found.wheels[0].offered.url
    index.login = "me:other"
    with pytest.raises(PackageIndexError) as caught:
        resolve(tmp_path, ["alpha"], settings=settings)
    assert "s3cret" not in f"{caught.value} {caught.value.__cause__}"


def test_offline_asks_nothing(tmp_path: Path, index: Index) -> None:
    index.add_wheel("alpha", "1.0")
    settings = IndexSettings(source="uv", default_index=index.simple, offline=True)
    with pytest.raises(PackageIndexError, match="the settings say offline"):
        resolve(tmp_path, ["alpha"], settings=settings)
    assert index.asked == []


def test_of_the_users_environment_only_programs_reach_uv() -> None:
    user = {
        "UV_OVERRIDE": "x",
        "UV_CONSTRAINT": "x",
        "UV_PRERELEASE": "allow",
        "UV_INDEX_URL": "https://user:secret@other",
        "UV_EXCLUDE_NEWER": "2020-01-01",
        "UV_CACHE_DIR": "/cache",
        "https_proxy": "http://proxy",
        "NO_PROXY": "*",
        "HOME": "/home/me",
        "SECRET": "x",
    }
    address = IndexAddress(url="http://index.invalid/simple", proxy="http://v:p@127.0.0.1:1")
    made = make_environment(user, cache=Path("/ours"), index=address)
    assert made == {
        "HOME": "/home/me",
        "UV_NO_CONFIG": "1",
        "NO_COLOR": "1",
        "UV_NO_PROGRESS": "1",
        "UV_PYTHON_DOWNLOADS": "never",
        "UV_CACHE_DIR": "/ours",
        "UV_DEFAULT_INDEX": "http://index.invalid/simple",
        "UV_KEYRING_PROVIDER": "disabled",
        "UV_HTTP_RETRIES": "0",
        "UV_HTTP_TIMEOUT": made["UV_HTTP_TIMEOUT"],
        "http_proxy": "http://v:p@127.0.0.1:1",
    }


@pytest.mark.parametrize(
    ("glibc", "name"),
    [("2.41", "2_40"), ("2.36", "2_36"), ("2.30", "2_28"), ("2.17", "2_17")],
)
def test_the_nearest_glibc_that_uv_knows_is_asked_for(glibc: str, name: str) -> None:
    assert uv_platform(ARM64, glibc) == f"aarch64-manylinux_{name}"


def test_annotations_tell_who_requires_what() -> None:
    text = "a==1  # via -r requirements.in\nb-b==2 # via A, c[extra], -c chosen.txt\nc==3\n"
    found = {candidate.project: candidate.dependencies for candidate in parse_candidates(text)}
    assert found == {"a": ("b-b",), "b-b": (), "c": ("b-b",)}
