from __future__ import annotations

from builder.resolve.uv_process import built_in_index


def test_uv_tells_its_built_in_index() -> None:
    assert built_in_index().startswith("https://")
