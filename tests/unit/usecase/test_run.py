"""What the command line of `run` is read as."""

from __future__ import annotations

from pathlib import Path

import pytest

from builder.errors import BuildError, InvalidInputError
from builder.platform import AMD64, ARM64
from builder.usecase.build import BuildRequest, BuildTools, build
from builder.usecase.run import parse_env, parse_volume, read_image
from tests.support.made_up import make_world, write_locks


def test_volume_names_source_and_target() -> None:
    volume = parse_volume("/srv/dags:/opt/airflow/dags/")
    assert (volume.source, volume.target, volume.read_only) == (Path("/srv/dags"), "/opt/airflow/dags", False)


def test_volume_may_be_read_only() -> None:
    assert parse_volume("dags:/mnt:ro").read_only
    assert parse_volume("dags:/mnt:ro").source.is_absolute()


@pytest.mark.parametrize("text", ["", "/a", "/a:b", ":/b", "/a:/b:z"])
def test_anything_else_is_no_volume(text: str) -> None:
    with pytest.raises(InvalidInputError, match="not a volume"):
        parse_volume(text)


def test_variables_are_set_or_handed_on_and_the_last_one_wins() -> None:
    assert parse_env(["A=1", "B", "C", "A=2=3"], {"B": "own"}) == (("A", "2=3"), ("B", "own"))


def test_variable_needs_a_name() -> None:
    with pytest.raises(InvalidInputError, match="not a variable"):
        parse_env(["=1"], {})


def test_an_image_in_a_layout_is_found_by_its_stack_and_platform(tmp_path: Path) -> None:
    world = make_world(tmp_path)
    write_locks(world, tmp_path / "locks")
    tools = BuildTools(files=world.files, artefacts=world.artefacts, compilers=world.compilers, jobs=2)
    layout = tmp_path / "out"
    build(BuildRequest(stack="tiny", locks=tmp_path / "locks", output=layout, platforms=(AMD64,)), tools)
    found = read_image(layout, "tiny", AMD64)
    assert (found.layout, found.reference, found.image.platform) == (layout, "tiny", AMD64)
    with pytest.raises(BuildError, match="holds an image of tiny, not of other"):
        read_image(layout, "other", AMD64)
    with pytest.raises(BuildError, match="holds no image for linux/arm64") as caught:
        read_image(layout, "tiny", ARM64)
    assert caught.value.hint == "it is for linux/amd64"
    with pytest.raises(BuildError, match="there is no image"):
        read_image(tmp_path / "locks", "tiny", AMD64)
