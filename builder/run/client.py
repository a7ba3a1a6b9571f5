"""What docker's and podman's command lines have in common. Pure."""

from __future__ import annotations

from builder.run.model import AIRFLOW_HOME, SCRATCH, RunWish


def run_arguments(wish: RunWish, image: str, *, options: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Make the arguments of `run`.

    Values of variables are not among them, since other users see arguments: they go by the client's own environment.

    Args:
        wish: what the caller wants.
        image: the image's ID or name.
        options: the engine's own.
    """
    return (
        "run",
        "--rm",
        "--interactive",
        *(("--tty",) if wish.terminal else ()),
        *(("--read-only",) if wish.read_only else ()),
        f"--network={wish.network}",
        "--cap-drop=ALL",
        "--security-opt=no-new-privileges",
        "--pull=never",
        *(f"--tmpfs={path}:rw,exec,nosuid,nodev,mode=1777" for path in SCRATCH),
        # Without a folder of its own AIRFLOW_HOME is a nameless volume: filled from the image, gone with the container.
        f"--volume={wish.home}:{AIRFLOW_HOME}" if wish.home else f"--volume={AIRFLOW_HOME}",
        *(f"--volume={volume.source}:{volume.target}{':ro' if volume.read_only else ''}" for volume in wish.volumes),
        *(f"--env={name}" for name in dict(wish.env)),
        *((f"--workdir={wish.workdir}",) if wish.workdir else ()),
        *options,
        image,
        *wish.command,
    )
