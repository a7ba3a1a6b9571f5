"""Build by BuildKit: the same lock by a second implementation, and a comparison of what comes out with the engine's."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from builder.buildkit.base import DockerfileBuild, build_layout, write_index
from builder.buildkit.filesystem import BUILT_BY_BUILDKIT, flatten, name_differences
from builder.digest import Digest
from builder.errors import BuildError, IntegrityError
from builder.image.compress import decompress
from builder.image.contract import DUMB_INIT, contract_config
from builder.image.layout_reader import FolderLayout
from builder.oci import media
from builder.oci.config import Config, History, RunConfig, dump_config
from builder.oci.descriptor import Descriptor, describe, verify_bytes
from builder.oci.fields import parse_object
from builder.oci.index import parse_index
from builder.oci.layout import INDEX_FILE, LAYOUT_FILE, blob_path
from builder.oci.manifest import Manifest, dump_manifest, parse_manifest
from builder.platform import Platform
from builder.usecase.build import BuildRequest, BuildTools, Locks, assemble_image, load_locks
from builder.usecase.export_dockerfile import iter_tar, write_context


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildkitRequest:
    """What is to be built, and whether it is compared."""

    build: BuildRequest
    platform: Platform
    environment: Mapping[str, str]
    """Of the docker client."""
    check: bool = False
    """Compare the file system with the engine's."""


def build_by_buildkit(request: BuildkitRequest, tools: BuildTools) -> dict[str, Any]:
    """Build an image by docker into an OCI layout.

    Returns:
        As `build`, and `differences` by path where they were looked for.

    Raises:
        ToolError: docker fails.
        BuildError: the output holds something that is no layout.
        IntegrityError: an input is refused, or what docker saves is.
    """
    wanted, platform = request.build, request.platform
    _refuse_other(wanted.output)
    locks = load_locks(wanted.locks, wanted.stack)
    wanted.output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=wanted.output.parent, prefix=".buildkit-") as name:
        context, layout = Path(name) / "context", Path(name) / "layout"
        context.mkdir()
        layout.mkdir()
        write_context(locks, platform, tools, context)
        job = DockerfileBuild(
            dockerfile=(context / "Dockerfile").read_bytes(),
            platform=platform,
            foundations=(),
            args=(),
            secrets={},
            epoch=locks.stack.created,
            network="none",
            context=context,
        )
        built = build_layout(job, request.environment, layout)
        manifest = settle_config(layout, built, locks, platform)
        index = write_index(layout, wanted.stack, (manifest,))
        if wanted.output.exists():
            shutil.rmtree(wanted.output)
        layout.chmod(0o755)
        layout.rename(wanted.output)
    summary = _summarise(wanted, platform, manifest, index)
    if request.check:
        summary["differences"] = list(compare_filesystems(request, tools))
    return summary


def settle_config(layout: Path, built: Descriptor, locks: Locks, platform: Platform) -> Descriptor:
    """Write the config as the engine writes it, in the place of docker's, whose times and history are of the moment.

    So whatever reads images of ours reads this one. What docker's config says on how the image runs must be the same.

    Raises:
        IntegrityError: it is not.
    """
    manifest = parse_manifest((layout / blob_path(built.digest)).read_bytes())
    said = parse_object((layout / blob_path(manifest.config.digest)).read_bytes(), context="docker's config")
    image = locks.base.image_for(platform)
    run = contract_config(locks.stack, locks.stack_digest, image.init if image else DUMB_INIT)
    _check_run(said.get("config") or {}, run)
    created = locks.stack.created
    line = History(created=created, created_by="airflow-kubler buildkit:", comment=BUILT_BY_BUILDKIT)
    diff_ids = tuple(Digest.parse(text) for text in said["rootfs"]["diff_ids"])
    config = dump_config(
        Config(platform=platform, created=created, run=run, diff_ids=diff_ids, history=(line,) * len(diff_ids))
    )
    document = dump_manifest(Manifest(config=describe(media.CONFIG, config), layers=manifest.layers))
    for old in {built.digest, manifest.config.digest}:
        (layout / blob_path(old)).unlink()
    for new in (config, document):
        (layout / blob_path(Digest.of(new))).write_bytes(new)
    plain = describe(media.MANIFEST, document)
    return Descriptor(media_type=plain.media_type, digest=plain.digest, size=plain.size, platform=platform)


def _check_run(said: Mapping[str, Any], run: RunConfig) -> None:
    expected = {
        "User": run.user,
        "Env": sorted(run.env),
        "Entrypoint": list(run.entrypoint),
        "WorkingDir": run.working_dir,
        "Labels": dict(run.labels),
        "ExposedPorts": sorted(run.exposed_ports),
    }
    for key, value in expected.items():
        found = said.get(key)
        if (sorted(found or ()) if key in {"Env", "ExposedPorts"} else found) != value:
            raise IntegrityError(f"{key} is {found!r:.300}, the lock gives {value!r:.300}", context="docker's config")


def compare_filesystems(request: BuildkitRequest, tools: BuildTools) -> tuple[str, ...]:
    """Name what differs between the layout at the request's output and what the engine gives: type, bytes, mode, owner, link."""
    wanted = request.build
    locks = load_locks(wanted.locks, wanted.stack)
    one = BuildRequest(stack=wanted.stack, locks=wanted.locks, output=wanted.output, platforms=(request.platform,))
    (image,) = assemble_image(locks, one, tools).platforms
    ours = flatten(iter_tar(layer, locks.stack.compression) for layer in image.layers)
    return name_differences(ours, flatten(_layers(wanted.output)))


def _layers(folder: Path) -> Iterator[Iterator[bytes]]:
    """Read the layers by the manifest alone: docker's config has times of its own writing."""
    reader = FolderLayout(folder)
    (root,) = parse_index(reader.read(INDEX_FILE)).manifests
    (platform,) = parse_index(verify_bytes(root, reader.read(blob_path(root.digest)))).manifests
    for layer in parse_manifest(verify_bytes(platform, reader.read(blob_path(platform.digest)))).layers:
        yield decompress("zstd", reader.chunks(blob_path(layer.digest)))


def _refuse_other(output: Path) -> None:
    if output.suffix == ".tar":
        raise BuildError("is a file: BuildKit's image goes into a folder", context=str(output), hint="name a folder")
    # All that is there is removed: nothing but a layout may be.
    if output.is_symlink() or (output.exists() and not (output.is_dir() and _is_layout(output))):
        raise BuildError("holds something that is no image", context=str(output), hint="name another folder")


def _is_layout(folder: Path) -> bool:
    names = {entry.name for entry in folder.iterdir()}
    return not names or ({INDEX_FILE, LAYOUT_FILE} <= names <= {INDEX_FILE, LAYOUT_FILE, "blobs"})


def _summarise(request: BuildRequest, platform: Platform, manifest: Descriptor, index: Descriptor) -> dict[str, Any]:
    read = parse_manifest((request.output / blob_path(manifest.digest)).read_bytes())
    layers = [{"digest": str(layer.digest), "size_bytes": layer.size, "distributions": []} for layer in read.layers]
    image = {"manifest_digest": str(manifest.digest), "config_digest": str(read.config.digest), "layers": layers}
    return {"stack": request.stack, "index_digest": str(index.digest), "platforms": {platform.name: image}}
