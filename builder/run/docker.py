"""The engine docker: the image is loaded into the daemon once, under a name made from its ID."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import IO

from builder.canonical import dump_json
from builder.errors import ToolError
from builder.image.compress import decompress
from builder.oci import media
from builder.oci.layout import blob_path
from builder.run.client import run_arguments
from builder.run.foreground import Quiet, capture, run_foreground
from builder.run.model import RunnableImage, RunWish

_IN_MEMORY = 16 << 20
_CHUNK = 1 << 20


class DockerEngine:
    """Runs containers with docker."""

    name = "docker"

    def unavailable(self) -> str | None:
        """Ask the daemon for its version."""
        if shutil.which("docker") is None:
            return "is not installed"
        try:
            capture(["docker", "version", "--format", "{{.Server.Version}}"], "asking for the version", timeout_s=20)
        except ToolError as error:
            return f"its daemon does not answer: {error.stderr.strip() or error.message}"
        return None

    def run(self, image: RunnableImage, wish: RunWish) -> int:
        """Run to the end in the foreground."""
        name = _ensure_loaded(image)
        # Files in a folder of the user's are written as the user; docker's root may write anywhere.
        mine = wish.home is not None and os.geteuid() != 0
        arguments = run_arguments(wish, name, options=(f"--user={os.geteuid()}:0",) if mine else ())
        if wish.home:
            wish.home.mkdir(mode=0o775, parents=True, exist_ok=True)
        quiet = Quiet(log=wish.log, timeout_s=wish.timeout_s)
        return run_foreground(["docker", *arguments], env=dict(os.environ) | dict(wish.env), quiet=quiet)


def _ensure_loaded(image: RunnableImage) -> str:
    name = f"airflow-kubler/{image.stack}:{image.image.manifest.config.digest.hex[:16]}"
    try:
        capture(["docker", "image", "inspect", "--format", "{{.Id}}", name], "looking for the image")
    except ToolError:
        _load(image, name)
    return name


def _load(image: RunnableImage, name: str) -> None:
    argv = ["docker", "load", "--quiet"]
    with tempfile.TemporaryFile() as answer:
        with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=answer, stderr=answer) as process:
            assert process.stdin is not None  # noqa: S101 - for mypy: it is a pipe
            try:
                write_docker_archive(image, name, process.stdin)
                process.stdin.close()
            except BrokenPipeError:
                process.kill()
        if process.returncode:
            answer.seek(0)
            said = answer.read().decode(errors="replace")[-2000:]
            raise ToolError("loading the image", argv=argv, exit_status=process.returncode, stderr=said)


def write_docker_archive(image: RunnableImage, name: str, sink: IO[bytes]) -> None:
    """Write the archive that `docker load` takes, with layers unpacked: docker before 23 does not know zstd.

    Source: moby, image/spec/v1.2: manifest.json, the config, a tar for each layer.
    """
    manifest = image.image.manifest
    config_name = f"{manifest.config.digest.hex}.json"
    layer_names = [f"{number:03d}.tar" for number in range(len(manifest.layers))]
    entry = {"Config": config_name, "RepoTags": [name], "Layers": layer_names}
    with tarfile.open(fileobj=sink, mode="w|", format=tarfile.PAX_FORMAT) as archive:
        _add(archive, config_name, io.BytesIO((image.layout / blob_path(manifest.config.digest)).read_bytes()))
        for layer_name, layer in zip(layer_names, manifest.layers, strict=True):
            with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as plain:
                for chunk in decompress(
                    media.COMPRESSION_OF[layer.media_type], _chunks(image.layout / blob_path(layer.digest))
                ):
                    plain.write(chunk)
                _add(archive, layer_name, plain)
        _add(archive, "manifest.json", io.BytesIO(dump_json([entry])))


def _add(archive: tarfile.TarFile, name: str, content: IO[bytes]) -> None:
    member = tarfile.TarInfo(name)
    member.size = content.seek(0, io.SEEK_END)
    content.seek(0)
    archive.addfile(member, content)


def _chunks(path: Path) -> list[bytes]:
    with path.open("rb") as handle:
        return list(iter(lambda: handle.read(_CHUNK), b""))
