from __future__ import annotations

from pathlib import Path

import pytest

from builder.errors import ToolError
from builder.platform import AMD64, ARM64
from builder.resolve.model import IndexAddress, ResolutionRequest
from builder.resolve.pip_tools import (
    check_versions,
    make_arguments,
    make_environment,
    make_task,
    marker_environment,
)

REQUEST = ResolutionRequest(
    label="stacks/core/stack.toml",
    requirements=("alpha",),
    python_version="3.13.5",
    glibc="2.41",
    platform=ARM64,
    index=IndexAddress(url="http://index.invalid/simple", proxy="http://view:secret@127.0.0.1:9"),
)


def test_target_is_the_base_whatever_runs_here() -> None:
    task = make_task(REQUEST, [])
    assert task["python"] == [3, 13, 5]
    assert task["tags"][0] == ["cp313", "cp313", "linux_aarch64"]
    assert ["cp313", "cp313", "manylinux_2_41_aarch64"] in task["tags"]
    assert not [tag for tag in task["tags"] if "x86_64" in tag[2] or "manylinux_2_42" in tag[2]]


def test_markers_are_of_the_base_and_know_no_kernel() -> None:
    environment = marker_environment(REQUEST)
    assert environment["python_full_version"] == environment["implementation_version"] == "3.13.5"
    assert environment["python_version"] == "3.13"
    assert environment["platform_machine"] == "aarch64"
    assert environment["platform_release"] == environment["platform_version"] == ""


def test_proxy_with_its_password_is_no_argument_of_a_process() -> None:
    task = make_task(REQUEST, make_arguments(REQUEST, Path("cache")))
    assert any("secret" in argument for argument in task["arguments"])
    assert not any("secret" in value for value in make_environment({}, Path("/scratch")).values())


def test_environment_has_no_home_no_settings_and_no_programs() -> None:
    environment = make_environment({}, Path("/scratch"))
    assert environment["HOME"] == "/scratch"
    assert environment["PIP_CONFIG_FILE"] == "/dev/null"
    assert environment["PATH"] == "/scratch/no-programs"
    assert environment["TMPDIR"] == "/scratch"
    assert not [name for name in environment if name.startswith("UV_") or name.lower().endswith("proxy")]


@pytest.mark.parametrize(
    ("found", "message"),
    [
        ({}, "pip-tools is not installed beside this program"),
        ({"pip-tools": "7.6.2"}, "pip is not installed beside this program"),
        ({"pip-tools": "8.0.0", "pip": "26.3"}, "pip-tools 8.0.0 is not a version that is known here: 7.6"),
        ({"pip-tools": "7.6.2", "pip": "23.2.1"}, "pip 23.2.1 is not a version that is known here: 26.1, 26.2, 26.3"),
    ],
)
def test_versions_that_were_not_tried_are_refused_with_the_way_out(found: dict[str, str], message: str) -> None:
    with pytest.raises(ToolError) as raised:
        check_versions(found)
    assert raised.value.message == message
    assert raised.value.hint == "pip-tools comes with an extra: pip install 'airflow-kubler[pip-tools]'"


def test_platform_names_only_itself() -> None:
    other = make_task(
        ResolutionRequest(
            label=REQUEST.label,
            requirements=REQUEST.requirements,
            python_version="3.11.2",
            glibc="2.36",
            platform=AMD64,
            index=REQUEST.index,
        ),
        [],
    )
    assert other["tags"][0] == ["cp311", "cp311", "linux_x86_64"]
    assert other["python"] == [3, 11, 2]
    assert other["environment"]["python_version"] == "3.11"
