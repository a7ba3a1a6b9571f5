"""What stands inside a wheel, found by what scanners go by too."""

import io
import json
import zipfile
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.sbom.facts import Carried
from builder.sbom.nested import find_carried, names_package, read_metadata

METADATA = b"Metadata-Version: 2.1\nName: Jaraco.Text\nVersion: 4.0.0\nLicense: MIT\n\nName: not-this\n"


def find(files: dict[str, bytes], own: str = "alpha-1.0.dist-info/METADATA") -> dict[str, str]:
    """Find packages; gives the path that names each, by purl."""
    readers = {path: partial(bytes, data) for path, data in files.items()}
    return {one.purl: one.path for one in find_carried(readers, own=(own,))}


def jar(**poms: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in poms.items():
            archive.writestr(f"META-INF/maven/group/{name}/pom.properties", text)
            archive.writestr(f"{name}.class", b"\xca\xfe")
    return buffer.getvalue()


def test_vendored_distributions_are_found_by_their_own_metadata_and_the_wheel_is_none() -> None:
    files = {
        "alpha-1.0.dist-info/METADATA": b"Name: alpha\nVersion: 1.0\n",
        "alpha/_vendor/jaraco.text-4.0.0.dist-info/METADATA": METADATA,
        "alpha/_vendor/old.egg-info/PKG-INFO": b"Name: old\nVersion: 0.1\n",
        "alpha/_vendor/plain.py": b"",
    }
    assert find(files) == {
        "pkg:pypi/jaraco-text@4.0.0": "alpha/_vendor/jaraco.text-4.0.0.dist-info/METADATA",
        "pkg:pypi/old@0.1": "alpha/_vendor/old.egg-info/PKG-INFO",
    }


def test_a_licence_is_read_where_it_is_beyond_doubt() -> None:
    found = read_metadata(METADATA, "x")
    assert found is not None
    assert (found.licence.expression, found.licence.source) == ("MIT", "License")
    long = read_metadata(METADATA.replace(b"License: MIT", b"License: MIT\n  but not on Sundays"), "x")
    assert long is not None
    assert not long.licence.is_known


@pytest.mark.parametrize("data", [b"", b"Name: x\n", b"Version: 1\n", b"\nName: x\nVersion: 1\n", b"\xff\xfe"])
def test_metadata_that_names_nothing_is_no_package(data: bytes) -> None:
    assert read_metadata(data, "x") is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"name": "airflow-www", "version": "1.0.0"}, ["pkg:npm/airflow-www@1.0.0"]),
        ({"name": "@scope/part", "version": "2.0.0"}, ["pkg:npm/%40scope/part@2.0.0"]),
        ({"name": "private"}, []),
        ({"name": 1, "version": "1"}, []),
        ([], []),
    ],
)
def test_npm_packages_have_a_name_and_a_version(value: object, expected: list[str]) -> None:
    assert list(find({"alpha/www/package.json": json.dumps(value).encode()})) == expected


def test_java_archives_are_looked_into_and_wheels_are_named_by_their_files() -> None:
    files = {
        "alpha/jars/all.jar": jar(
            guava="groupId=com.google.guava\nartifactId=guava\nversion=32.0.1-jre\n",
            gson="#Generated\nversion = 2.11.0\ngroupId = com.google.code.gson\nartifactId = gson\n",
            nameless="groupId=x\n",
        ),
        "alpha/embed/pip-26.3-py3-none-any.whl": b"not looked into",
        "alpha/embed/strange.whl": b"",
        "alpha/jars/damaged.jar": b"PK\x03\x04",
    }
    assert find(files) == {
        "pkg:maven/com.google.code.gson/gson@2.11.0": "alpha/jars/all.jar",
        "pkg:maven/com.google.guava/guava@32.0.1-jre": "alpha/jars/all.jar",
        "pkg:pypi/pip@26.3": "alpha/embed/pip-26.3-py3-none-any.whl",
    }


def test_each_is_listed_once_by_its_first_path() -> None:
    files = {f"alpha/{folder}/x-1.dist-info/METADATA": b"Name: x\nVersion: 1\n" for folder in "ba"}
    assert find(files) == {"pkg:pypi/x@1": "alpha/a/x-1.dist-info/METADATA"}


def test_files_that_cannot_name_a_package_are_not_read() -> None:
    def never() -> bytes:
        raise AssertionError

    assert find_carried({"alpha/data.bin": never, "alpha/x.py": never, "METADATA": never}, own=()) == ()
    assert not names_package("alpha/packages.json")
    assert names_package("alpha/package.json")


_NAMES = st.sampled_from(
    [
        "a/package.json",
        "a/x-1.dist-info/METADATA",
        "a/x.egg-info/PKG-INFO",
        "a/x.jar",
        "a/x.whl",
        "a/x-1-py3-none-any.whl",
    ]
)


@given(st.dictionaries(_NAMES, st.binary(max_size=200)))
def test_no_bytes_end_in_an_error(files: dict[str, bytes]) -> None:
    found = find_carried({path: partial(bytes, data) for path, data in files.items()}, own=())
    assert list(found) == sorted(found, key=lambda one: one.purl)
    assert all(isinstance(one, Carried) for one in found)


@given(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
)
def test_whatever_a_package_calls_itself_its_purl_reads_back(name: str, version: str) -> None:
    data = json.dumps({"name": name, "version": version}).encode()
    for purl in find({"a/package.json": data}):
        assert purl.startswith("pkg:npm/")
        assert "@" in purl
