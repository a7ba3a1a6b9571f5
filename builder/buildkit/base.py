"""A base by a Dockerfile: BuildKit builds it over images of ours, and what comes out becomes an OCI layout.

1. The images that it builds on are loaded into the daemon, under names of this build alone.
2. `docker build`, once for each platform: BuildKit of the daemon, or of buildx where the client has it.
3. What came out leaves the daemon: by `docker save`, or, where BuildKit writes OCI layouts, straight into a file; there
   it also puts the times of files back to SOURCE_DATE_EPOCH, so that two builds are the same.

The Dockerfile is the whole context: nothing of the project goes to the daemon. Secrets are mounted, never stored in a layer.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from builder.buildkit.client import DockerClient, find_docker, make_name
from builder.buildkit.saved import Known, convert
from builder.digest import Digest
from builder.errors import ToolError
from builder.oci import media
from builder.oci.descriptor import Descriptor, describe
from builder.oci.index import Index, dump_index
from builder.oci.layout import INDEX_FILE, LAYOUT_BYTES, LAYOUT_FILE, blob_path, dump_layout_index
from builder.platform import Platform

_FOREIGN = "exec format error"
"""What BuildKit says of a program for another machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Foundation:
    """An image of ours that a Dockerfile names by a build argument."""

    argument: str
    """As `BASE`."""
    archive: Path
    """For `docker load`; the image's name is in it."""
    name: str
    """Of this build alone: see `make_name`."""
    layers: Known


@dataclass(frozen=True, slots=True, kw_only=True)
class DockerfileBuild:
    """What is to be built, for one platform."""

    dockerfile: bytes
    platform: Platform
    foundations: tuple[Foundation, ...]
    args: tuple[tuple[str, str], ...]
    secrets: Mapping[str, bytes]
    epoch: int
    """SOURCE_DATE_EPOCH."""
    network: str = ""
    """Of the steps: empty for the daemon's own, or `host`, `none`."""
    context: Path | None = None
    """A folder that holds the Dockerfile and all it adds; None where the Dockerfile is the whole context."""


def build_layout(build: DockerfileBuild, environment: Mapping[str, str], folder: Path) -> Descriptor:
    """Build one platform into a folder of blobs.

    Args:
        build: what.
        environment: of the docker client.
        folder: takes blobs; `write_index` makes it a layout.

    Returns:
        The descriptor of the manifest.

    Raises:
        ToolError: docker fails, with the end of what it said.
        IntegrityError: what docker gives out is not what images are.
    """
    docker = find_docker(environment)
    with tempfile.TemporaryDirectory(prefix="airflow-kubler-base-") as name:
        scratch = Path(name)
        image = scratch / "image.tar"
        with docker.keeping(*(one.name for one in build.foundations)):
            for one in build.foundations:
                docker.run(["load", "--quiet", "--input", str(one.archive)], "loading the image built on")
            try:
                _build(docker, _arguments(build, environment, scratch), image)
            except ToolError as error:
                raise _cannot_run(error, build.platform) or error from error
        known = {diff_id: blob for foundation in build.foundations for diff_id, blob in foundation.layers.items()}
        return convert(image, known, build.platform, folder)


def write_index(folder: Path, name: str, manifests: Sequence[Descriptor]) -> Descriptor:
    """Make a folder of blobs a layout of one image; gives the descriptor of its index."""
    data = dump_index(Index(manifests=tuple(manifests)))
    (folder / blob_path(Digest.of(data))).write_bytes(data)
    (folder / LAYOUT_FILE).write_bytes(LAYOUT_BYTES)
    descriptor = describe(media.INDEX, data)
    (folder / INDEX_FILE).write_bytes(dump_layout_index(name, descriptor))
    return descriptor


def _build(docker: DockerClient, arguments: Sequence[str], image: Path) -> None:
    """Build, and have the image in a file."""
    if docker.exports():
        # A BuildKit that cannot put times back passes over the word. Layers are compressed once, as ours are.
        output = f"type=oci,dest={image},rewrite-timestamp=true,compression=uncompressed"
        docker.build(["--output", output, *arguments], "building the image")
        return
    name = make_name("built")
    with docker.keeping(name):
        docker.build(arguments, "building the image", tag=name)
        docker.run(["save", "--output", str(image), name], "saving the image")


def _cannot_run(error: ToolError, platform: Platform) -> ToolError | None:
    """Say what it means that the kernel does not start a program of the image."""
    if _FOREIGN not in error.stderr:
        return None
    return ToolError(
        f"the docker daemon's machine runs no programs for {platform}",
        argv=error.argv,
        exit_status=error.exit_status,
        stderr=error.stderr,
        hint=f"build on a machine of {platform}, have the daemon's kernel know qemu (binfmt), or take the own engine",
    )


def _arguments(build: DockerfileBuild, environment: Mapping[str, str], scratch: Path) -> list[str]:
    context = build.context or scratch / "context"
    if build.context is None:
        context.mkdir()
        (context / "Dockerfile").write_bytes(build.dockerfile)
    words = ["--platform", build.platform.name]
    names = {one.argument: one.name for one in build.foundations}
    args = {**dict(build.args), **names, "SOURCE_DATE_EPOCH": str(build.epoch)}
    for key in sorted(args):
        words += ["--build-arg", f"{key}={args[key]}"]
    for key in ("http_proxy", "https_proxy", "no_proxy"):
        # Named only, so that no address stands in the command: docker reads the value from the environment.
        words += ["--build-arg", key] if environment.get(key) else []
    if build.network:
        words += ["--network", build.network]
    for number, (key, content) in enumerate(sorted(build.secrets.items())):
        path = scratch / f"secret-{number}"
        path.touch(mode=0o600)
        path.write_bytes(content)
        words += ["--secret", f"id={key},src={path}"]
    return [*words, str(context)]
