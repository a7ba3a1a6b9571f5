"""Lock a base that a Dockerfile makes: it is built once by BuildKit, and from then on it is an image like any other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path

from builder.buildkit.base import DockerfileBuild, Foundation, build_layout, write_index
from builder.buildkit.client import make_name
from builder.errors import LockStaleError, StackError
from builder.lock.base import check_base_lock, parse_base_lock
from builder.lock.model import BaseLock
from builder.oci import media
from builder.oci.descriptor import Descriptor
from builder.platform import Platform
from builder.project import Project
from builder.secrecy import refuse_secret
from builder.stack.model import Base, DockerfileOrigin
from builder.usecase.build import BuildTools
from builder.usecase.build_base import build_base
from builder.usecase.lock_base_image import ImageSource, LayerStore, lock_image_base


@dataclass(frozen=True, slots=True, kw_only=True)
class DockerfileTools:
    """What a Dockerfile is built with."""

    files: LayerStore
    build: BuildTools
    fetch: Callable[[BaseLock], None]
    """Puts the debs of a base into the store."""
    secrets: Callable[[BaseLock, tuple[str, ...]], Mapping[str, bytes]]
    """Reads secrets by name, from the user's own settings; `apt-sources` is made for a base's release."""
    environment: Mapping[str, str]
    """Of the docker client."""
    network: str
    scratch: Callable[[], AbstractContextManager[Path]]
    """A folder for a while."""
    open_layout: Callable[[Path], ImageSource]
    say: Callable[[str], object]


def lock_dockerfile_base(project: Project, base: Base, tools: DockerfileTools) -> BaseLock:
    """Build a base and lock what came out.

    Raises:
        LockStaleError: a base that it builds on is not locked.
        StackError: nothing of ours can stand on what came out.
        ToolError: the build fails.
    """
    origin = base.dockerfile
    if origin is None:
        raise StackError("states no dockerfile", context=f"stacks/bases/{base.name}.toml")
    below = {argument: _load_lock(project, name, base.name) for argument, name in origin.foundations}
    for lock in below.values():
        tools.fetch(lock)
    with tools.scratch() as folder:
        layout = folder / "layout"
        (layout / "blobs/sha256").mkdir(parents=True)
        manifests = []
        for platform in base.platforms:
            tools.say(f"building {origin.file} for {platform}")
            build = _make_build(project, origin, below, platform, tools, folder)
            manifests.append(build_layout(build, tools.environment, layout))
        write_index(layout, f"base-{base.name}", manifests)
        lock = lock_image_base(base, tools.open_layout(layout), tools.files, tools.say)
        # The builder's clock is in the image's config; a lock's date comes from what it was made from.
        return replace(lock, created=max(one.created for one in below.values()))


def _load_lock(project: Project, name: str, base: str) -> BaseLock:
    path = project.base_lock_path(name)
    hint = f"airflow-kubler lock --base {name} --base {base}"
    if not path.is_file():
        raise LockStaleError(f"base {base} is built on base {name}, which has no lock", context=name, hint=hint)
    lock = parse_base_lock(path.read_bytes(), file=f"locks/{path.name}")
    if not check_base_lock(project.load_base(name), lock):
        raise LockStaleError(f"base {base} is built on base {name}, whose lock is stale", context=name, hint=hint)
    if lock.images:
        raise StackError(
            f"is built on {name}, which is no base of Debian packages",
            context=f"stacks/bases/{base}.toml: dockerfile",
            hint="write both Dockerfiles as one",
        )
    return lock


def _make_build(
    project: Project,
    origin: DockerfileOrigin,
    below: Mapping[str, BaseLock],
    platform: Platform,
    tools: DockerfileTools,
    folder: Path,
) -> DockerfileBuild:
    dockerfile = (project.root / origin.file).read_bytes()
    refuse_secret(dockerfile.decode("utf-8", "replace"), context=origin.file)
    return DockerfileBuild(
        dockerfile=dockerfile,
        platform=platform,
        foundations=tuple(
            _make_foundation(argument, lock, platform, tools, folder) for argument, lock in below.items()
        ),
        args=origin.args,
        secrets=tools.secrets(below["BASE"], origin.secrets),
        epoch=max(lock.created for lock in below.values()),
        network=tools.network,
    )


def _make_foundation(
    argument: str, lock: BaseLock, platform: Platform, tools: DockerfileTools, folder: Path
) -> Foundation:
    """Build a base twice from the same segments: gzip, which every docker loads, and zstd, which our images have."""
    archive = folder / f"{argument}-{platform.architecture}.tar"
    name = make_name(argument.lower())
    build_base(lock, archive, tools.build, platforms=(platform,), compression="gzip", tag=name)
    image = build_base(
        lock, folder / f"{argument}-{platform.architecture}", tools.build, platforms=(platform,), compression="zstd"
    )
    built = image.platforms[0]
    layers = {
        one.layer.diff_id: (
            Descriptor(media_type=media.LAYER_ZSTD, digest=one.layer.digest, size=one.layer.size),
            one.layer.path,
        )
        for one in built.layers
    }
    return Foundation(argument=argument, archive=archive, name=name, layers=layers)
