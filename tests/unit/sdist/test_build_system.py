from __future__ import annotations

import pytest

from builder.sdist.build_system import LEGACY_BACKEND, BuildSystem, read_build_system
from builder.sdist.errors import Kind, SdistError
from builder.sdist.unpack import SourceFile


def read(pyproject: str | None, *others: str) -> BuildSystem:
    texts = dict.fromkeys(others, b"") | ({"pyproject.toml": pyproject.encode()} if pyproject is not None else {})
    files = [SourceFile(path=path, data=data, executable=False) for path, data in texts.items()]
    return read_build_system(files, sdist="demo-1.0.tar.gz")


@pytest.mark.parametrize("pyproject", [None, "", "[tool.black]\n"])
def test_without_a_word_of_its_own_setuptools_builds_it(pyproject: str | None) -> None:
    assert read(pyproject, "setup.py") == BuildSystem(requires=("setuptools>=40.8.0",), backend=LEGACY_BACKEND)


def test_requirements_without_a_backend_are_for_setuptools() -> None:
    assert read('[build-system]\nrequires = ["wheel", "setuptools"]\n') == BuildSystem(
        requires=("setuptools", "wheel"), backend=LEGACY_BACKEND
    )


def test_a_backend_of_the_sdist_itself_is_found() -> None:
    system = read('[build-system]\nrequires = []\nbuild-backend = "a.b:c.d"\nbackend-path = ["tools"]\n')
    assert system == BuildSystem(requires=(), backend="a.b:c.d", backend_path=("tools",))


@pytest.mark.parametrize(
    ("pyproject", "message"),
    [
        ("[build-system", "not TOML"),
        ("[build-system]\n", "has no requires"),
        ("[build-system]\nrequires = 3\n", "no list of texts"),
        ('[build-system]\nrequires = ["=="]\n', "requires: "),
        ('[build-system]\nrequires = ["a @ https://example.org/a.whl"]\n', "names an address"),
        ('[build-system]\nrequires = []\nbuild-backend = "os; evil"\n', "no name of an object"),
        ('[build-system]\nrequires = []\nbuild-backend = "a"\nbackend-path = ["../x"]\n', "leads out"),
        ('[build-system]\nrequires = []\nbuild-backend = "a"\nbackend-path = ["/x"]\n', "leads out"),
    ],
)
def test_what_is_not_as_its_specification_says_is_refused(pyproject: str, message: str) -> None:
    with pytest.raises(SdistError, match=message) as refused:
        read(pyproject)
    assert refused.value.kind is Kind.BUILD_SYSTEM


def test_nothing_to_build_is_refused() -> None:
    with pytest.raises(SdistError, match=r"neither pyproject\.toml nor setup\.py"):
        read(None, "README")
