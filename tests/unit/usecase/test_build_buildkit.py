"""What a build by BuildKit writes over, and what it leaves alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from builder.errors import BuildError
from builder.platform import AMD64
from builder.usecase.build import BuildRequest, BuildTools
from builder.usecase.build_buildkit import BuildkitRequest, build_by_buildkit


@pytest.mark.parametrize("kept", ["index.json", "oci-layout", "notes.txt"])
def test_a_folder_that_holds_more_than_a_layout_is_not_removed(kept: str, tmp_path: Path) -> None:
    output = tmp_path / "out"
    output.mkdir()
    for name in {"index.json", kept}:
        (output / name).write_text("{}")
    if kept == "oci-layout":
        (output / "package.json").write_text("{}")
    build = BuildRequest(stack="core", locks=tmp_path, output=output, platforms=(AMD64,))
    before = sorted(output.iterdir())
    with pytest.raises(BuildError, match="no image"):
        build_by_buildkit(BuildkitRequest(build=build, platform=AMD64, environment={}), BuildTools.__new__(BuildTools))
    assert sorted(output.iterdir()) == before
