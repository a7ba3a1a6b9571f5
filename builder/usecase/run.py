"""Run: a command in a stack's image, built now if it was not yet, in whichever engine works here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from builder.errors import BuildError, InvalidInputError
from builder.image.contract import STACK_LABEL
from builder.image.layout_reader import FolderLayout
from builder.oci.layout import INDEX_FILE, parse_layout
from builder.platform import Platform
from builder.run.engines import choose_engine
from builder.run.model import Engine, RunnableImage, RunWish, Volume

BuildImage = Callable[[str, Platform], RunnableImage]
"""Builds a stack for a platform from its lock, or finds what was built, and says where it lies."""


def run_stack(
    stack: str, platform: Platform, wish: RunWish, *, engines: Sequence[Engine], engine: str, build: BuildImage
) -> int:
    """Run a command in a stack's image to its end.

    Args:
        stack: the stack's name.
        platform: the platform; another one than this machine's needs the kernel to know an emulator.
        wish: command, environment, volumes.
        engines: those there are, best first.
        engine: a name, or `auto`.
        build: gives the image.

    Returns:
        The command's exit status; 128 + N where signal N ended it.

    Raises:
        BuilderError: the engine, or with `auto` any, cannot be used here.
    """
    chosen = choose_engine(engines, engine)
    return chosen.run(build(stack, platform), wish)


def read_image(layout: Path, stack: str, platform: Platform) -> RunnableImage:
    """Find a stack's image in a layout: as `build` wrote it by either engine, or as `pull` brought it.

    Layers are not read: engines that unpack them check each against its digest and diff_id.

    Raises:
        BuildError: there is no image, or it is of another stack or platform.
        IntegrityError: it is no image as this program writes them.
    """
    if not (layout / INDEX_FILE).is_file():
        raise BuildError("there is no image", context=str(layout), hint="build it, or name a folder by --layout")
    found = parse_layout(FolderLayout(layout))
    stacks = {dict(image.config.run.labels).get(STACK_LABEL, "") for image in found.platforms}
    if stacks != {stack}:
        named = ", ".join(sorted(stacks)) or "no stack"
        raise BuildError(f"holds an image of {named}, not of {stack}", context=str(layout), hint="name its stack")
    fitting = [image for image in found.platforms if image.platform == platform]
    if not fitting:
        there = ", ".join(image.platform.name for image in found.platforms)
        raise BuildError(f"holds no image for {platform}", context=str(layout), hint=f"it is for {there}")
    return RunnableImage(stack=stack, layout=layout.absolute(), reference=found.name, image=fitting[0])


def parse_volume(text: str) -> Volume:
    """Read `SOURCE:TARGET`, or `SOURCE:TARGET:ro`.

    >>> parse_volume("/srv/dags:/opt/airflow/dags:ro").target
    '/opt/airflow/dags'
    """
    source, _, rest = text.partition(":")
    target, _, option = rest.partition(":")
    if not source or not target.startswith("/") or option not in {"", "ro", "rw"}:
        raise InvalidInputError(f"not a volume: {text!r}", hint="write it as SOURCE:/TARGET, or SOURCE:/TARGET:ro")
    return Volume(source=Path(source).absolute(), target=target.rstrip("/") or "/", read_only=option == "ro")


def parse_env(texts: Sequence[str], environment: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Read `NAME=value` as it is, and `NAME` with the caller's own value; left out where there is none."""
    found: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not name:
            raise InvalidInputError(
                f"not a variable: {text!r}", hint="write it as NAME=value, or NAME to hand yours on"
            )
        if equals:
            found[name] = value
        elif name in environment:
            found[name] = environment[name]
    return tuple(found.items())
