"""What a run is asked for, and what an engine is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from builder.oci.layout import PlatformImage

AIRFLOW_HOME = "/opt/airflow"
SCRATCH = ("/tmp", "/var/tmp")  # noqa: S108 - paths in the container
"""Memory file systems of every container, since the root may be read-only."""
SHARED_MEMORY = "/dev/shm"  # noqa: S108 - as above
"""One more, which docker and podman have by themselves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """A folder or file of this machine, seen in the container."""

    source: Path
    """Absolute."""
    target: str
    """Absolute path in the container."""
    read_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RunWish:
    """What the caller wants."""

    command: tuple[str, ...]
    """Handed to the image's entrypoint; empty runs `airflow` alone."""
    env: tuple[tuple[str, str], ...] = ()
    """On top of the image's own; later ones win."""
    volumes: tuple[Volume, ...] = ()
    workdir: str | None = None
    home: Path | None = None
    """A folder that keeps AIRFLOW_HOME; None gives a fresh one that goes with the container."""
    read_only: bool = True
    """Whether the root file system is read-only; AIRFLOW_HOME and /tmp are writable either way."""
    network: str = "host"
    """`host` or `none`."""
    terminal: bool = False
    """Whether standard input and output are a terminal."""
    log: Path | None = None
    """A file that takes all output, in place of this process's own streams; there is no input then."""
    timeout_s: float | None = None
    """When the container is ended, whatever it does; None for never."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnableImage:
    """An image of one platform, in a layout on disk."""

    stack: str
    layout: Path
    """An OCI image layout folder."""
    reference: str
    """The `ref.name` of the image index in the layout."""
    image: PlatformImage


class Engine(Protocol):
    """One way to run a container."""

    @property
    def name(self) -> str:
        """The word for it on the command line."""

    def unavailable(self) -> str | None:
        """Say why it cannot be used here, or None where it can. Quick, and without effects."""

    def run(self, image: RunnableImage, wish: RunWish) -> int:
        """Run to the end in the foreground and give the command's exit status, 128 + N where signal N ended it.

        With a `log`, any thread may call it.

        Raises:
            ToolError: it did not end in its time, and was ended.
        """
