"""The Dockerfile of a locked stack: the base's layers as they are, one stage for each planned layer, and the run contract.

- Nothing of a lock reaches a shell: steps are in exec form, folders are numbered, names stand in JSON files.
- Values are quoted for the Dockerfile's own grammar; what has no quotation (line ends, control characters) is refused.
- No `# syntax` line: nothing is fetched, so any BuildKit with bind mounts reads it, docker 20.10's own too.
- The last stage runs nothing: BuildKit leaves the places of its mounts behind in a stage that does.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from builder.errors import BuildError
from builder.oci.config import RunConfig

_MOUNT = "--mount=type=bind,source={source},target={target}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A planned layer."""

    name: str
    distributions: tuple[str, ...]
    """As `botocore==1.40.1`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What a Dockerfile is written from."""

    stack: str
    platform: str
    below: tuple[str, ...]
    """Names of the layers under the distributions: `base/00.tar` and so on are their tars."""
    steps: tuple[Step, ...]
    """`layers/00` and so on are their folders."""
    above: tuple[str, ...]
    """Names of the layers over the distributions: `files/00.tar` and so on."""
    interpreter: str
    """Path in the image."""
    config: RunConfig
    epoch: int
    """SOURCE_DATE_EPOCH."""


def render_dockerfile(recipe: Recipe) -> str:
    """Write the Dockerfile.

    Raises:
        BuildError: a value cannot be written.
    """
    return "\n".join(_lines(recipe)) + "\n"


def folder_name(number: int) -> str:
    """Name a step's folder, its stage, or a tar by its number.

    >>> folder_name(7)
    '07'
    """
    return f"{number:02d}"


def _lines(recipe: Recipe) -> Iterator[str]:
    yield f"# {_plain(recipe.stack)} for {_plain(recipe.platform)}, from its lock. Written by airflow-kubler: not to be edited."
    yield "# DOCKER_BUILDKIT=1 docker build --network none ."
    yield f"ARG SOURCE_DATE_EPOCH={recipe.epoch}"
    yield ""
    yield "FROM scratch AS base"
    for number, name in enumerate(recipe.below):
        yield f"# {_plain(name)}"
        yield f"ADD base/{folder_name(number)}.tar /"
    for number, step in enumerate(recipe.steps):
        yield from _stage(number, step, recipe.interpreter)
    yield ""
    yield "FROM base"
    for number, step in enumerate(recipe.steps):
        yield f"# {_plain(step.name)}"
        yield f"COPY --from=layer-{folder_name(number)} /out/ /"
    for number, name in enumerate(recipe.above):
        yield f"# {_plain(name)}"
        yield f"ADD files/{folder_name(number)}.tar /"
    yield from _config(recipe.config)


def _stage(number: int, step: Step, interpreter: str) -> Iterator[str]:
    """Write the stage that installs a layer; its mounts hold that layer's wheels only, so that others stay cached."""
    folder = folder_name(number)
    mounts = (
        _MOUNT.format(source="install", target="/mnt/install"),
        _MOUNT.format(source=f"layers/{folder}", target="/mnt/layer"),
    )
    argv = [interpreter, "-I", "-S", "-B", "/mnt/install/install_wheels.py", "/mnt/layer", "/out"]
    yield ""
    yield f"# {_plain(step.name)}: {_plain(' '.join(step.distributions))}"
    yield f"FROM base AS layer-{folder}"
    yield f"RUN {' '.join(mounts)} {json.dumps(argv)}"


def _config(config: RunConfig) -> Iterator[str]:
    yield ""
    for variable in config.env:
        name, _, value = variable.partition("=")
        yield f"ENV {_plain(name)}={_quote(value)}"
    for label, value in config.labels:
        yield f"LABEL {_quote(label)}={_quote(value)}"
    for port in config.exposed_ports:
        yield f"EXPOSE {_plain(port)}"
    yield f"WORKDIR {_plain(config.working_dir)}"
    yield f"USER {_plain(config.user)}"
    yield f"ENTRYPOINT {json.dumps(list(config.entrypoint))}"
    yield f"CMD {json.dumps(list(config.cmd))}"


def _quote(value: str) -> str:
    """Quote a value: `$` would be a variable, a backslash an escape."""
    escaped = _plain(value).replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$")
    return f'"{escaped}"'


def _plain(text: str) -> str:
    if not text.isprintable():
        raise BuildError(
            f"cannot stand in a Dockerfile: {text!r}",
            context="dockerfile",
            hint="take line ends and control characters out of it in the stack, and lock again",
        )
    # NOTE: a comment that ends in a backslash does not go on in the next line; an instruction does.
    return text
