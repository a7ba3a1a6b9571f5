"""Bills that wheels bring along: what they name is taken with its version, and for what it is."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.sbom.wheel_sboms import read_wheel_sbom

PATH = "x-1.dist-info/sboms/x.cdx.json"


def read(value: Any, project: str = "x") -> list[tuple[str, str]]:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    found = read_wheel_sbom(data, PATH, project=project)
    assert all(one.path == PATH for one in found)
    return [(one.purl, one.licence.expression) for one in found]


def cyclonedx(*components: dict[str, Any]) -> dict[str, Any]:
    return {"bomFormat": "CycloneDX", "specVersion": "1.6", "components": list(components)}


def test_components_are_taken_at_any_depth_with_licences_that_are_clear() -> None:
    inner = {"purl": "pkg:rpm/centos/krb5-libs@1.15.1-55.el7_9"}
    value = cyclonedx(
        {"purl": "pkg:cargo/serde@1.0.1", "licenses": [{"expression": "MIT OR Apache-2.0"}], "components": [inner]},
        {"purl": "pkg:cargo/ring@0.17", "licenses": [{"license": {"id": "ISC"}}, {"license": {"id": "MIT"}}]},
        {"name": "no purl"},
    )
    assert read(value) == [
        ("pkg:cargo/serde@1.0.1", "MIT OR Apache-2.0"),
        ("pkg:rpm/centos/krb5-libs@1.15.1-55.el7_9", ""),
        ("pkg:cargo/ring@0.17", ""),
    ]


def test_packages_of_spdx_are_taken_too() -> None:
    package = {
        "licenseDeclared": "MIT",
        "licenseConcluded": "NOASSERTION",
        "externalRefs": [
            {"referenceType": "purl", "referenceLocator": "pkg:generic/openssl@3.5.1"},
            {"referenceType": "x"},
        ],
    }
    assert read({"spdxVersion": "SPDX-2.3", "packages": [package]}) == [("pkg:generic/openssl@3.5.1", "MIT")]


def test_the_wheel_itself_and_wishes_without_a_version_are_no_content() -> None:
    value = cyclonedx(
        {"purl": "pkg:pypi/My_X@1.0?file_name=my_x-1.0-py3-none-any.whl"},
        {"purl": "pkg:pypi/typing-extensions"},
        {"purl": "pkg:pypi/pip@26.3"},
    )
    assert read(value, project="my-x") == [("pkg:pypi/pip@26.3", "")]


@pytest.mark.parametrize(
    "value",
    [
        b"", b"{", b"[]", b"null", {"bomFormat": "CycloneDX"}, {"bomFormat": "CycloneDX", "components": 3}, {"spdxVersion": "SPDX-3.0"},
        cyclonedx({"purl": "not a purl"}, {"purl": 3}, {"purl": "pkg:cargo/a\n@1"}, {"purl": "pkg:cargo/" + "a" * 2000 + "@1"}),
        b"[" * 100_000,
    ],
)  # fmt: skip
def test_what_is_of_no_known_form_names_nothing(value: Any) -> None:
    assert read(value) == []


_json = st.recursive(
    st.none() | st.text(max_size=8) | st.integers() | st.sampled_from(["pkg:cargo/a@1", "CycloneDX", "SPDX-2.3"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["bomFormat", "spdxVersion", "components", "packages", "purl", "licenses", "license", "externalRefs"]
            ),
            inner,
        )
    ),
    max_leaves=20,
)


@given(_json)
def test_no_value_ends_in_an_error(value: Any) -> None:
    read(value)
    if isinstance(value, dict):
        read({**value, "bomFormat": "CycloneDX"})
        read({**value, "spdxVersion": "SPDX-2.3"})
