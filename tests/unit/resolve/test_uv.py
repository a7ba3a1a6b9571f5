"""The real uv against an index on the loopback: no network, no Python of the base's version."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from builder.errors import PackageIndexError, ResolutionError, ToolError
from builder.platform import AMD64, ARM64, Platform
from builder.resolve.measure import TransportProbe
from builder.resolve.model import Resolution, ResolutionRequest
from builder.resolve.settings import IndexSettings
from builder.resolve.uv import UvResolver, parse_annotations, uv_platform
from builder.resolve.uv_process import Uv, make_environment
from builder.store.transport import HttpTransport
from tests.support.index_server import Index, make_wheel, serve


@pytest.fixture
def index() -> Iterator[Index]:
    with serve(Index()) as started:
        yield started


def make_request(*requirements: str, platform: Platform = AMD64, **others: object) -> ResolutionRequest:
    values = {
        "label": "stacks/etl/stack.toml",
        "requirements": requirements,
        "python_version": "3.13.5",
        "glibc": "2.41",
        "platform": platform,
    }
    return ResolutionRequest(**{**values, **others})  # type: ignore[arg-type]


def make_resolver(tmp_path: Path, **settings: object) -> UvResolver:
    values = IndexSettings(source="uv", **settings)  # type: ignore[arg-type]
    return UvResolver(
        Uv(values, {"UV_CACHE_DIR": str(tmp_path / "uv"), "PATH": "/usr/bin:/bin", "UV_HTTP_RETRIES": "0"})
    )


def pins(resolution: Resolution) -> dict[str, str]:
    return {candidate.project: candidate.version for candidate in resolution.candidates}


def test_candidates_come_with_wheel_and_dependencies(tmp_path: Path, index: Index) -> None:
    data = index.add_wheel("Alpha.One", "1.0", "beta>=1", "gamma; sys_platform == 'win32'")
    index.add_wheel("beta", "1.5", "alpha-one")
    index.add_wheel("beta", "2.0rc1")
    found = make_resolver(tmp_path, default_index=index.simple).resolve(make_request("alpha.one"))
    assert pins(found) == {"alpha-one": "1.0", "beta": "1.5"}
    alpha, beta = found.candidates
    assert alpha.dependencies == ("beta",)
    assert beta.dependencies == ("alpha-one",)
    assert alpha.wheel.name == "Alpha.One-1.0-py3-none-any.whl"
    assert alpha.wheel.sha256 == hashlib.sha256(data).hexdigest()
    assert alpha.wheel.size == len(data)
    assert alpha.wheel.upload_time == "2026-05-01T10:00:00Z"


def test_each_platform_gets_its_own_wheel_and_version(tmp_path: Path, index: Index) -> None:
    index.add_wheel("native", "2.0", tag="cp313-cp313-manylinux_2_28_x86_64")
    for tag in (
        "cp313-cp313-manylinux2014_aarch64",
        "cp313-cp313-manylinux_2_17_x86_64",
        "cp312-cp312-manylinux_2_17_x86_64",
    ):
        index.add_wheel("native", "1.0", tag=tag)
    resolver = make_resolver(tmp_path, default_index=index.simple)
    amd64 = resolver.resolve(make_request("native"))
    arm64 = resolver.resolve(make_request("native", platform=ARM64))
    assert [candidate.wheel.name for candidate in amd64.candidates] == [
        "native-2.0-cp313-cp313-manylinux_2_28_x86_64.whl"
    ]
    assert [candidate.wheel.name for candidate in arm64.candidates] == [
        "native-1.0-cp313-cp313-manylinux2014_aarch64.whl"
    ]


def test_the_glibc_of_the_base_decides(tmp_path: Path, index: Index) -> None:
    index.add_wheel("native", "1.0", tag="cp311-cp311-manylinux_2_36_x86_64")
    index.add_wheel("native", "2.0", tag="cp311-cp311-manylinux_2_38_x86_64")
    resolver = make_resolver(tmp_path, default_index=index.simple)
    assert pins(resolver.resolve(make_request("native", python_version="3.11.2", glibc="2.36"))) == {"native": "1.0"}
    assert pins(resolver.resolve(make_request("native", python_version="3.11.2", glibc="2.41"))) == {"native": "2.0"}


def test_the_exact_python_decides(tmp_path: Path, index: Index) -> None:
    index.add_wheel("alpha", "1.0", "beta; python_full_version >= '3.13.5'", "gamma; python_full_version < '3.13.5'")
    index.add_wheel("beta", "1.0")
    index.add_wheel("gamma", "1.0")
    resolver = make_resolver(tmp_path, default_index=index.simple)
    assert "beta" in pins(resolver.resolve(make_request("alpha")))
    assert "gamma" in pins(resolver.resolve(make_request("alpha", python_version="3.13.4")))


def test_pins_and_constraints_hold(tmp_path: Path, index: Index) -> None:
    for version in ("1.0", "2.0", "3.0"):
        index.add_wheel("alpha", version)
        index.add_wheel("beta", version)
    resolver = make_resolver(tmp_path, default_index=index.simple)
    request = make_request("alpha", "beta", pins=(("alpha", "1.0"), ("unused", "9")), constraints=("beta<3",))
    assert pins(resolver.resolve(request)) == {"alpha": "1.0", "beta": "2.0"}


def test_a_conflict_is_told_in_short_and_whole_below(tmp_path: Path, index: Index) -> None:
    index.add_wheel("alpha", "1.0", "gamma<2")
    index.add_wheel("gamma", "2.0")
    index.add_wheel("gamma", "1.0")
    resolver = make_resolver(tmp_path, default_index=index.simple)
    with pytest.raises(ResolutionError, match="No solution found") as caught:
        resolver.resolve(make_request("alpha", "gamma>=2"))
    assert caught.value.context == "stacks/etl/stack.toml on linux/amd64"
    assert "alpha" in caught.value.message
    assert "gamma>=2" in caught.value.message
    assert isinstance(caught.value.__cause__, ToolError)
    assert "--only-binary" in caught.value.__cause__.argv


def test_a_project_without_wheels_is_refused_and_never_built(tmp_path: Path, index: Index) -> None:
    index.add_wheel("alpha", "1.0", sdist_only=True)
    with pytest.raises(ResolutionError, match=r"alpha==1\.0 has no usable wheels") as caught:
        make_resolver(tmp_path, default_index=index.simple).resolve(make_request("alpha"))
    assert "--no-build" not in str(caught.value)
    assert caught.value.hint.startswith("ask for a version that has wheels")


def test_a_requirement_by_url_is_refused(tmp_path: Path, index: Index) -> None:
    index.add_wheel("alpha", "1.0")
    request = make_request(f"alpha @ {index.url}/files/alpha-1.0-py3-none-any.whl")
    with pytest.raises(ResolutionError, match="comes from a url"):
        make_resolver(tmp_path, default_index=index.simple).resolve(request)


def test_an_index_that_is_not_there_is_no_conflict(tmp_path: Path) -> None:
    resolver = make_resolver(tmp_path, default_index="http://127.0.0.1:9/simple")
    with pytest.raises(PackageIndexError):
        resolver.resolve(make_request("alpha"))


def test_first_index_wins_unless_indexes_are_merged(tmp_path: Path, index: Index) -> None:
    index.add_wheel("alpha", "2.0")
    with serve(Index()) as private:
        private.add_wheel("alpha", "1.0")
        places = {"default_index": index.simple, "extra_indexes": (private.simple,)}
        first = make_resolver(tmp_path, **places).resolve(make_request("alpha"))
        merged = make_resolver(tmp_path, **places, strategy="unsafe-best-match").resolve(make_request("alpha"))
    assert pins(first) == {"alpha": "1.0"}
    assert pins(merged) == {"alpha": "2.0"}


def test_folders_and_local_indexes_serve(tmp_path: Path) -> None:
    folder = tmp_path / "my wheels"
    folder.mkdir()
    (folder / "alpha-1.0-py3-none-any.whl").write_bytes(make_wheel("alpha", "1.0", ["beta"]))
    page = tmp_path / "simple/beta/index.html"
    page.parent.mkdir(parents=True)
    (tmp_path / "beta-1.0-py3-none-any.whl").write_bytes(make_wheel("beta", "1.0"))
    page.write_text('<a href="../../beta-1.0-py3-none-any.whl">beta-1.0-py3-none-any.whl</a>')
    resolver = make_resolver(tmp_path, find_links=(folder.as_uri(),), default_index=(tmp_path / "simple").as_uri())
    found = resolver.resolve(make_request("alpha"))
    assert pins(found) == {"alpha": "1.0", "beta": "1.0"}
    with HttpTransport() as transport:
        files = TransportProbe(transport).measure([candidate.wheel for candidate in found.candidates])
    for file, data in zip(files, (make_wheel("alpha", "1.0", ["beta"]), make_wheel("beta", "1.0")), strict=True):
        assert file.size == len(data)
        assert file.sha256.hex == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("hashes", [True, False], ids=["hashes", "no-hashes"])
def test_what_an_html_index_does_not_say_is_found_out(tmp_path: Path, index: Index, *, hashes: bool) -> None:
    data = index.add_wheel("alpha", "1.0")
    index.html, index.hashes = True, hashes
    found = make_resolver(tmp_path, default_index=index.simple).resolve(make_request("alpha"))
    assert found.candidates[0].wheel.size is None
    assert found.candidates[0].wheel.upload_time is None
    with HttpTransport() as transport:
        file = TransportProbe(transport).measure([found.candidates[0].wheel])[0]
    assert (file.name, file.size, file.sha256.hex) == (
        "alpha-1.0-py3-none-any.whl",
        len(data),
        hashlib.sha256(data).hexdigest(),
    )


def test_a_wheel_that_is_gone_is_named_without_credentials(tmp_path: Path, index: Index) -> None:
    index.add_wheel("alpha", "1.0")
    index.html = True
    found = make_resolver(tmp_path, default_index=index.simple).resolve(make_request("alpha"))
    index.files.clear()
    with HttpTransport() as transport, pytest.raises(PackageIndexError, match="status 404"):
        TransportProbe(transport).measure([found.candidates[0].wheel])


def test_credentials_of_an_address_are_sent_and_not_shown(tmp_path: Path, index: Index) -> None:
    index.login = "me:s3cret"
    index.add_wheel("alpha", "1.0")
    url = index.simple.replace("http://", "http://me:s3cret@")
    assert pins(make_resolver(tmp_path, default_index=url).resolve(make_request("alpha"))) == {"alpha": "1.0"}
    index.login = "me:other"
    with pytest.raises((PackageIndexError, ResolutionError)) as caught:
        make_resolver(tmp_path / "fresh", default_index=url).resolve(make_request("alpha"))
    cause = caught.value.__cause__
    assert isinstance(cause, ToolError)
    assert "s3cret" not in f"{caught.value} {cause.argv} {cause.stderr}"


def test_ends_offline_without_asking(tmp_path: Path, index: Index) -> None:
    index.add_wheel("alpha", "1.0")
    with pytest.raises(PackageIndexError, match="not found in the cache"):
        make_resolver(tmp_path, default_index=index.simple, offline=True).resolve(make_request("alpha"))
    assert index.asked == []


def test_of_the_users_environment_only_places_reach_uv() -> None:
    settings = IndexSettings(
        source="pip",
        default_index="https://a",
        extra_indexes=("https://b", "https://c"),
        find_links=("file:///w",),
        certificate=Path("/ca.pem"),
        trusted_hosts=("h",),
        no_index=True,
        keyring=True,
        offline=True,
    )
    user = {
        "UV_OVERRIDE": "x",
        "UV_CONSTRAINT": "x",
        "UV_PRERELEASE": "allow",
        "UV_PYTHON": "3.9",
        "UV_INDEX_URL": "https://other",
        "PIP_INDEX_URL": "x",
        "UV_CACHE_DIR": "/cache",
        "HOME": "/home/me",
        "https_proxy": "http://proxy",
        "SECRET": "x",
    }
    assert make_environment(settings, user) == {
        "HOME": "/home/me",
        "https_proxy": "http://proxy",
        "UV_CACHE_DIR": "/cache",
        "UV_NO_CONFIG": "1",
        "NO_COLOR": "1",
        "UV_NO_PROGRESS": "1",
        "UV_PYTHON_DOWNLOADS": "never",
        "UV_INDEX_STRATEGY": "first-index",
        "UV_DEFAULT_INDEX": "https://a",
        "UV_INDEX": "https://b https://c",
        "UV_FIND_LINKS": "file:///w",
        "UV_NO_INDEX": "1",
        "SSL_CERT_FILE": "/ca.pem",
        "UV_INSECURE_HOST": "h",
        "UV_KEYRING_PROVIDER": "subprocess",
        "UV_OFFLINE": "1",
    }


@pytest.mark.parametrize(
    ("glibc", "name"),
    [("2.41", "2_40"), ("2.36", "2_36"), ("2.30", "2_28"), ("2.17", "2_17")],
)
def test_the_nearest_glibc_that_uv_knows_is_asked_for(glibc: str, name: str) -> None:
    assert uv_platform(ARM64, glibc) == f"aarch64-manylinux_{name}"


def test_annotations_tell_who_requires_what() -> None:
    text = "a==1  # via -r requirements.in\nb-b==2 # via A, c[extra], -c chosen.txt\nc==3\n"
    assert parse_annotations(text) == {"a": {"b-b"}, "c": {"b-b"}}
