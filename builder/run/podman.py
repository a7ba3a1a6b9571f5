"""The engine podman: the image is pulled from its layout into podman's own store once."""

from __future__ import annotations

import os
import shutil

from builder.errors import ToolError
from builder.run.client import run_arguments
from builder.run.foreground import Quiet, capture, run_foreground
from builder.run.model import RunnableImage, RunWish


class PodmanEngine:
    """Runs containers with podman, as root or rootless."""

    name = "podman"

    def unavailable(self) -> str | None:
        """Ask podman about this machine."""
        if shutil.which("podman") is None:
            return "is not installed"
        try:
            capture(["podman", "info", "--format", "{{.Host.Arch}}"], "asking about this machine", timeout_s=20)
        except ToolError as error:
            return f"does not work here: {(error.stderr.strip() or error.message).splitlines()[-1]}"
        return None

    def run(self, image: RunnableImage, wish: RunWish) -> int:
        """Run to the end in the foreground."""
        image_id = image.image.manifest.config.digest.hex
        try:
            capture(["podman", "image", "exists", image_id], "looking for the image")
        except ToolError:
            platform = f"--platform={image.image.platform.name}"
            capture(
                ["podman", "pull", "--quiet", platform, f"oci:{image.layout}:{image.reference}"], "taking the image"
            )
        # Limits above this machine's own, podman's default, cannot be set everywhere.
        options: tuple[str, ...] = ("--ulimit=host",)
        if wish.home is not None and os.geteuid() != 0:
            # The image's user is the caller, who then owns what is written to the folder.
            options += ("--userns=keep-id:uid=50000,gid=0",)
        arguments = run_arguments(wish, image_id, options=options)
        if wish.home:
            wish.home.mkdir(mode=0o775, parents=True, exist_ok=True)
        quiet = Quiet(log=wish.log, timeout_s=wish.timeout_s)
        return run_foreground(["podman", *arguments], env=dict(os.environ) | dict(wish.env), quiet=quiet)
