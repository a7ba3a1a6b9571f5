"""`airflow-kubler build --engine buildkit`: options that its ways to build do not share end here."""

from __future__ import annotations

import os
from typing import Any

import click

from builder.cli.options import host_platform
from builder.cli.output import show_text
from builder.usecase.build import BuildRequest, BuildTools

_SHOWN = 10


def build_with_buildkit(
    request: BuildRequest, tools: BuildTools, *, check: bool, segments: str | None
) -> dict[str, Any]:
    """Build by docker, for one platform: this machine's unless another is named."""
    from builder.usecase.build_buildkit import BuildkitRequest, build_by_buildkit

    if request.compression or segments:
        what = "--compression" if request.compression else "--segments (or AIRFLOW_KUBLER_SEGMENTS)"
        raise click.UsageError(f"{what} says nothing to BuildKit, which makes every layer itself.")
    if len(request.platforms) > 1:
        raise click.UsageError("BuildKit builds one platform at a time.")
    platform = request.platforms[0] if request.platforms else host_platform()
    wanted = BuildkitRequest(build=request, platform=platform, environment=dict(os.environ), check=check)
    return build_by_buildkit(wanted, tools)


def end_check(differences: list[str], *, as_json: bool) -> int:
    """Say how the comparison ended; returns the exit status, 1 where something differs."""
    if not as_json:
        for line in differences[:_SHOWN]:
            show_text(line)
        show_text(f"{len(differences)} paths differ from the engine's" if differences else "equals the engine's")
    return 1 if differences else 0
