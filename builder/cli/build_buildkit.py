"""`airflow-kubler build --engine buildkit`: options that its ways to build do not share end here."""

from __future__ import annotations

import os
import sys
from typing import Any

import click

from builder.cli.options import host_platform
from builder.cli.output import show_text
from builder.usecase.build import BuildRequest, BuildTools

_SHOWN = 10


def build_with_buildkit(request: BuildRequest, tools: BuildTools, *, check: bool) -> dict[str, Any]:
    """Build by docker, for one platform: this machine's unless another is named."""
    from builder.usecase.build_buildkit import BuildkitRequest, build_by_buildkit

    if len(request.platforms) > 1:
        raise click.UsageError("BuildKit builds one platform at a time.")
    platform = request.platforms[0] if request.platforms else host_platform()
    wanted = BuildkitRequest(build=request, platform=platform, environment=dict(os.environ), check=check)
    return build_by_buildkit(wanted, tools)


def end_check(differences: list[str], *, as_json: bool) -> None:
    """Say how the comparison ended; exit status 1 where something differs."""
    if not as_json:
        for line in differences[:_SHOWN]:
            show_text(line)
        show_text(f"{len(differences)} paths differ from the engine's" if differences else "equals the engine's")
    if differences:
        sys.exit(1)
