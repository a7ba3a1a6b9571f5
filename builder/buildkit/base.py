"""A base by a Dockerfile: BuildKit builds it over images of ours, and what comes out becomes an OCI layout.

1. The images that it builds on are loaded into the daemon, under names of their own digests.
2. `docker build`, once for each platform: BuildKit of the daemon, or of buildx where the client has it.
3. `docker save`: layers come out as plain tars. Those that were ours go into the layout as the very blobs that we built;
   the others are compressed, and nothing is tarred anew.

The Dockerfile is the whole context: nothing of the project goes to the daemon. Secrets are mounted, never stored in a layer.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from builder.canonical import dump_json
from builder.digest import Digest
from builder.errors import IntegrityError, ToolError
from builder.image.compress import make_compressor
from builder.oci import media
from builder.oci.descriptor import Descriptor, describe, descriptor_to_json
from builder.oci.index import Index, dump_index
from builder.oci.layout import INDEX_FILE, LAYOUT_BYTES, LAYOUT_FILE, blob_path, dump_layout_index
from builder.platform import Platform

_CHUNK: Final = 1 << 20
_BUILDKIT_WITHIN: Final = 23
"""Since this version the client builds by the plugin buildx only; before, by the daemon's own BuildKit."""
_TIMEOUT_S: Final = 3600
_SHOWN: Final = 4000


@dataclass(frozen=True, slots=True, kw_only=True)
class Foundation:
    """An image of ours that a Dockerfile names by a build argument."""

    argument: str
    """As `BASE`."""
    archive: Path
    """For `docker load`."""
    config: Digest
    """Docker's image ID."""
    layers: Mapping[Digest, tuple[Descriptor, Path]]
    """By diff_id: the blobs that stand for them in the layout."""


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


def find_docker(environment: Mapping[str, str]) -> str:
    """Find a docker client that builds by BuildKit: any with buildx, or an old one, which needs none.

    Raises:
        ToolError: there is none.
    """
    passed = []
    for folder in environment.get("PATH", os.defpath).split(os.pathsep):
        program = shutil.which("docker", path=folder) if folder else None
        if program is None:
            continue
        version = _ask([program, "version", "--format", "{{.Client.Version}}"], environment)
        major = re.match(r"[0-9]+", version)
        if (major and int(major[0]) < _BUILDKIT_WITHIN) or _ask([program, "buildx", "version"], environment):
            return program
        passed.append(f"{program} {version}")
    what = f"has no buildx: {', '.join(passed)}" if passed else "is not installed"
    raise ToolError(
        f"docker {what}",
        argv=["docker"],
        hint="install docker and its plugin buildx (packages docker.io, docker-buildx)",
    )


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
        IntegrityError: what docker saves is not what images are.
    """
    docker = find_docker(environment)
    with tempfile.TemporaryDirectory(prefix="airflow-kubler-base-") as name:
        scratch = Path(name)
        with _loaded(docker, build.foundations, environment) as names:
            image = _build(docker, build, names, environment, scratch)
        try:
            _run([docker, "save", "--output", str(scratch / "image.tar"), image], environment, "saving the base")
        finally:
            _ask([docker, "image", "rm", image], environment)
        known = {diff_id: blob for foundation in build.foundations for diff_id, blob in foundation.layers.items()}
        return _convert(scratch / "image.tar", known, build.platform, folder)


def write_index(folder: Path, name: str, manifests: Sequence[Descriptor]) -> Descriptor:
    """Make a folder of blobs a layout of one image; gives the descriptor of its index."""
    data = dump_index(Index(manifests=tuple(manifests)))
    (folder / blob_path(Digest.of(data))).write_bytes(data)
    (folder / LAYOUT_FILE).write_bytes(LAYOUT_BYTES)
    descriptor = describe(media.INDEX, data)
    (folder / INDEX_FILE).write_bytes(dump_layout_index(name, descriptor))
    return descriptor


@contextlib.contextmanager
def _loaded(
    docker: str, foundations: Sequence[Foundation], environment: Mapping[str, str]
) -> Iterator[Mapping[str, str]]:
    """Have the daemon hold images under names of their own for a while; gives the name for each argument."""
    names: dict[str, str] = {}
    try:
        for one in foundations:
            _run([docker, "load", "--quiet", "--input", str(one.archive)], environment, "loading the image built on")
            name = f"airflow-kubler/{one.argument.lower()}:{one.config.hex[:24]}"
            _run([docker, "tag", str(one.config), name], environment, "naming the image built on")
            names[one.argument] = name
        yield names
    finally:
        for name in names.values():
            _ask([docker, "image", "rm", name], environment)


def _build(
    docker: str, build: DockerfileBuild, names: Mapping[str, str], environment: Mapping[str, str], scratch: Path
) -> str:
    context = build.context or scratch / "context"
    if build.context is None:
        context.mkdir()
        (context / "Dockerfile").write_bytes(build.dockerfile)
    tag = f"airflow-kubler/built:{Digest.of(str(scratch).encode()).hex[:24]}"
    argv = [docker, "build", "--tag", tag, "--platform", build.platform.name, "--progress", "plain"]
    args = {**dict(build.args), **names, "SOURCE_DATE_EPOCH": str(build.epoch)}
    for key in sorted(args):
        argv += ["--build-arg", f"{key}={args[key]}"]
    for key in ("http_proxy", "https_proxy", "no_proxy"):
        # Named only, so that no address stands in the command: docker reads the value from the environment.
        argv += ["--build-arg", key] if environment.get(key) else []
    if build.network:
        argv += ["--network", build.network]
    for number, (key, content) in enumerate(sorted(build.secrets.items())):
        path = scratch / f"secret-{number}"
        path.touch(mode=0o600)
        path.write_bytes(content)
        argv += ["--secret", f"id={key},src={path}"]
    argv.append(str(context))
    _run(argv, {**environment, "DOCKER_BUILDKIT": "1"}, "building the base")
    return tag


def _convert(
    archive: Path, known: Mapping[Digest, tuple[Descriptor, Path]], platform: Platform, folder: Path
) -> Descriptor:
    """Make blobs of what `docker save` wrote."""
    (folder / "blobs/sha256").mkdir(parents=True, exist_ok=True)
    with tarfile.open(archive) as saved:
        listed = json.loads(_member(saved, "manifest.json"))
        config = _member(saved, listed[0]["Config"])
        diff_ids = [Digest.parse(text) for text in json.loads(config)["rootfs"]["diff_ids"]]
        names = listed[0]["Layers"]
        if len(names) != len(diff_ids):
            raise IntegrityError("layers and diff_ids are not as many", context="docker save")
        layers = [
            _copy(known[diff_id], folder) if diff_id in known else _compress(saved, name, diff_id, folder)
            for name, diff_id in zip(names, diff_ids, strict=True)
        ]
    manifest = dump_json(
        {
            "schemaVersion": 2,
            "mediaType": media.MANIFEST,
            "config": descriptor_to_json(describe(media.CONFIG, config)),
            "layers": [descriptor_to_json(layer) for layer in layers],
        }
    )
    for document in (config, manifest):
        (folder / blob_path(Digest.of(document))).write_bytes(document)
    plain = describe(media.MANIFEST, manifest)
    return Descriptor(media_type=plain.media_type, digest=plain.digest, size=plain.size, platform=platform)


def _copy(blob: tuple[Descriptor, Path], folder: Path) -> Descriptor:
    descriptor, path = blob
    shutil.copyfile(path, folder / blob_path(descriptor.digest))
    return descriptor


def _compress(saved: tarfile.TarFile, name: str, diff_id: Digest, folder: Path) -> Descriptor:
    """Compress a layer as it is; what docker calls a link to an equal layer is followed."""
    inner, outer, size = hashlib.sha256(), hashlib.sha256(), 0

    def plain(stream: IO[bytes]) -> Iterator[bytes]:
        while chunk := stream.read(_CHUNK):
            inner.update(chunk)
            yield chunk

    stream = saved.extractfile(name)
    if stream is None:
        raise IntegrityError("is no file", context=f"docker save: {name}")
    temporary = folder / "blobs/sha256/.new"
    with stream, temporary.open("wb") as target:
        for chunk in make_compressor("zstd").compress(plain(stream)):
            outer.update(chunk)
            size += target.write(chunk)
    if inner.hexdigest() != diff_id.hex:
        raise IntegrityError(
            f"is sha256:{inner.hexdigest()}, the config says {diff_id}", context=f"docker save: {name}"
        )
    digest = Digest(outer.hexdigest())
    temporary.rename(folder / blob_path(digest))
    return Descriptor(media_type=media.LAYER_ZSTD, digest=digest, size=size)


def _member(saved: tarfile.TarFile, name: str) -> bytes:
    stream = saved.extractfile(name)
    if stream is None:
        raise IntegrityError("is no file", context=f"docker save: {name}")
    with stream:
        return stream.read()


def _ask(argv: Sequence[str], environment: Mapping[str, str]) -> str:
    """Run a program whose failure is an answer; empty for one."""
    try:
        done = subprocess.run(argv, env=dict(environment), capture_output=True, text=True, check=False, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip()


def _run(argv: Sequence[str], environment: Mapping[str, str], what: str) -> None:
    try:
        done = subprocess.run(
            argv,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=_TIMEOUT_S,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ToolError(f"{what}: {error}", argv=argv) from error
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip())[-_SHOWN:]
        raise ToolError(
            f"{what} failed:\n{said}",
            argv=argv,
            exit_status=done.returncode,
            stderr=said,
            hint="look at the Dockerfile, and whether the daemon runs: `docker version`",
        )
