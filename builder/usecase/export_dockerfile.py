"""Export a lock as the context of `docker build`: a Dockerfile, the base's layers as tars, the verified wheels."""

from __future__ import annotations

import posixpath
import shutil
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from builder.buildkit.dockerfile import Recipe, Step, folder_name, render_dockerfile
from builder.canonical import dump_json
from builder.errors import BuildError
from builder.image.assemble import BuiltLayer, ensure_platforms, total_size
from builder.image.compress import decompress
from builder.image.contract import DUMB_INIT, PREFIX, contract_config
from builder.image.output import iter_blob
from builder.image.parts import LayerParts, plan_parts, python_minor
from builder.image.sources import WheelSource
from builder.image.tarball import MTIME_EPOCH
from builder.oci import media
from builder.usecase.build import BuildTools, Locks, load_locks, open_assembly
from builder.wheel import bytecode
from builder.wheel.wheel import read_wheel

if TYPE_CHECKING:
    from builder.platform import Platform

_INSTALLER: Final = Path(__file__).parents[1] / "buildkit/install_wheels.py"
_COMPRESSIONS: Final = {media.LAYER_ZSTD: "zstd", media.LAYER_GZIP: "gzip", media.LAYER_TAR: "none"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportRequest:
    """What is to be exported."""

    stack: str
    locks: Path
    """The folder of locks."""
    platform: Platform


def show_dockerfile(request: ExportRequest) -> str:
    """Write the Dockerfile alone, from the locks alone."""
    return render_dockerfile(_recipe(load_locks(request.locks, request.stack), request.platform))


def export_dockerfile(request: ExportRequest, tools: BuildTools, output: Path) -> dict[str, Any]:
    """Write a context that `docker build` builds as it is.

    Args:
        request: what.
        tools: the store, and what makes the layers under and over the distributions.
        output: a folder that is empty or not there.

    Raises:
        BuildError: the folder holds something, or the lock cannot be a Dockerfile.
        IntegrityError: a wheel is refused: nothing that the engine refuses reaches a daemon.
    """
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise BuildError("holds something", context=str(output), hint="name an empty folder")
    locks = load_locks(request.locks, request.stack)
    return write_context(locks, request.platform, tools, output)


def write_context(locks: Locks, platform: Platform, tools: BuildTools, output: Path) -> dict[str, Any]:
    """Write a context into an empty folder; raises as `export_dockerfile`."""
    dockerfile = render_dockerfile(_recipe(locks, platform))
    planned = plan_parts(locks.stack, locks.base, platform)
    steps = [layer for layer in planned if _is_step(layer)]
    others = tuple(layer for layer in planned if not _is_step(layer))
    for folder in ("base", "files", "install", "layers"):
        (output / folder).mkdir(parents=True)
    _write_tars(locks, platform, others, tools, output)
    for number, layer in enumerate(steps):
        _write_step(locks, layer, tools, output / "layers" / folder_name(number))
    shutil.copyfile(_INSTALLER, output / "install/install_wheels.py")
    shutil.copyfile(bytecode.WORKER, output / "install/compile_worker.py")
    (output / "Dockerfile").write_text(dockerfile)
    return {
        "stack": locks.stack.stack,
        "platform": platform.name,
        "folder": str(output),
        "layers": len(steps),
        "distributions": sum(len(layer.sources) for layer in steps),
    }


def _recipe(locks: Locks, platform: Platform) -> Recipe:
    planned = plan_parts(locks.stack, locks.base, platform)
    image = locks.base.image_for(platform)
    under = [f"base-{number}" for number in range(len(image.layers))] if image else []
    first = next((number for number, layer in enumerate(planned) if _is_step(layer)), len(planned))
    python = python_minor(locks.base.python_version)
    return Recipe(
        stack=locks.stack.stack,
        platform=platform.name,
        below=(*under, *(layer.name for layer in planned[:first])),
        steps=tuple(Step(name=layer.name, distributions=layer.distributions) for layer in planned if _is_step(layer)),
        above=tuple(layer.name for layer in planned[first:] if not _is_step(layer)),
        interpreter=image.python if image else f"/usr/bin/python{python}",
        config=contract_config(locks.stack, locks.stack_digest, image.init if image else DUMB_INIT),
        epoch=locks.stack.created,
    )


def _is_step(layer: LayerParts) -> bool:
    return bool(layer.distributions)


def _write_step(locks: Locks, layer: LayerParts, tools: BuildTools, folder: Path) -> None:
    """Write the wheels of a layer, each read and checked as for the engine, and their list."""
    folder.mkdir()
    wheels = []
    for source in layer.sources:
        assert isinstance(source, WheelSource)  # noqa: S101  # `plan_parts` puts wheels into layers of their own.
        data = tools.files.read(source.wheel)
        read_wheel(data, file_name=source.wheel.name)
        (folder / source.wheel.name).write_bytes(data)
        wheels.append({"name": source.wheel.name, "sha256": source.wheel.sha256.hex})
    settings = {
        "mtime": MTIME_EPOCH,
        "prefix": PREFIX.removeprefix("/"),
        "python": python_minor(locks.base.python_version),
        "wheels": wheels,
    }
    (folder / "layer.json").write_bytes(dump_json(settings))


def _write_tars(locks: Locks, platform: Platform, parts: Sequence[LayerParts], tools: BuildTools, output: Path) -> None:
    compression = locks.stack.compression
    total = total_size(locks.stack, locks.base, (platform,))
    with open_assembly(locks.base, compression, tools, total) as assembly:
        built = ensure_platforms({platform: tuple(parts)}, locks.base, assembly)[platform]
    above = [layer for layer in built if layer.name == "files"]
    below = [layer for layer in built if layer.name != "files"]
    for folder, layers in (("base", below), ("files", above)):
        for number, layer in enumerate(layers):
            path = output / folder / f"{folder_name(number)}.tar"
            with path.open("wb") as target:
                target.writelines(iter_tar(layer, compression))
            if locks.base.images and folder == "base":
                _refuse_whiteouts(path, locks.base.name, layer)


def _refuse_whiteouts(path: Path, base: str, layer: BuiltLayer) -> None:
    """Refuse what a Dockerfile cannot say: `ADD` lays a layer over the others, and hides nothing of them."""
    with tarfile.open(path) as tar:
        hidden = next((member.name for member in tar if posixpath.basename(member.name).startswith(".wh.")), None)
    if hidden is not None:
        raise BuildError(
            f"layer {layer.layer.digest} hides files of lower layers ({hidden}), which no Dockerfile can take over",
            context=f"base {base}",
            hint="build it by the own engine (without --engine), or make the base's image of one layer",
        )


def iter_tar(layer: BuiltLayer, compression: str) -> Iterator[bytes]:
    """Read a layer unpacked."""
    return decompress(_COMPRESSIONS.get(layer.media_type, compression), iter_blob(layer.layer))
