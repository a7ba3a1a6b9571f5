"""Where a wheel's files go, and where none may go.

`purelib` and `platlib` are one folder in our images: the site-packages of the virtual environment.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from builder.wheel.names import fold
from builder.wheel.refusal import Refusal, WheelRefusedError

_STARTUP_HOOK = re.compile(r"(?:sitecustomize|usercustomize)(?:\.|/|\Z)", re.IGNORECASE)
"""Modules that Python imports at each start, before any of ours."""
_RESERVED_SCRIPT = re.compile(
    r"(?:(?:python|pypy)[0-9.]*w?|(?:de)?activate(?:\.\w+)?|activate_this\.py)\Z", re.IGNORECASE
)
"""Names in bin/ that belong to the virtual environment."""


class Scheme(StrEnum):
    """The destinations of the binary distribution format."""

    SITE = "site"
    """`purelib` and `platlib`."""
    SCRIPTS = "scripts"
    HEADERS = "headers"
    DATA = "data"


_SCHEMES = {
    "purelib": Scheme.SITE,
    "platlib": Scheme.SITE,
    "scripts": Scheme.SCRIPTS,
    "headers": Scheme.HEADERS,
    "data": Scheme.DATA,
}


@dataclass(frozen=True, slots=True)
class Destination:
    """A scheme and a path below it."""

    scheme: Scheme
    path: str


def locate(name: str, *, data_dir: str) -> Destination | None:
    """Find where an entry goes; None for what stands in the data folder without a known scheme.

    >>> locate("dill-0.4.1.data/scripts/get_gprof", data_dir="dill-0.4.1.data")
    Destination(scheme=<Scheme.SCRIPTS: 'scripts'>, path='get_gprof')
    """
    if not name.startswith(f"{data_dir}/"):
        return Destination(Scheme.SITE, name)
    scheme, _, path = name[len(data_dir) + 1 :].partition("/")
    if scheme not in _SCHEMES or not path:
        return None
    return Destination(_SCHEMES[scheme], path)


def check_destinations(names: Sequence[str], *, data_dir: str, scripts: Sequence[str], wheel: str) -> None:
    """Refuse files that would land on one another, on the virtual environment's own, or that run at each start.

    Args:
        names: the entries of the wheel.
        data_dir: its folder for other schemes.
        scripts: names of its console and GUI scripts.
        wheel: its file name, for errors.

    Raises:
        WheelRefusedError: naming the entry.
    """
    taken: dict[tuple[Scheme, str], str] = {
        _place(Destination(Scheme.SCRIPTS, script)): f"script {script}" for script in scripts
    }
    for script in scripts:
        if _RESERVED_SCRIPT.match(script):
            raise WheelRefusedError(
                Refusal.RESERVED_PATH, "the script would replace the interpreter", wheel=wheel, entry=script
            )
    for name in names:
        destination = _locate_checked(name, data_dir, wheel)
        other = taken.setdefault(_place(destination), name)
        if other is not name:
            raise WheelRefusedError(Refusal.SAME_DESTINATION, f"installed where {other!r} is", wheel=wheel, entry=name)


def _place(destination: Destination) -> tuple[Scheme, str]:
    """Name a destination so that two are equal where they are one file: scripts are data in `bin`."""
    if destination.scheme is Scheme.SCRIPTS:
        return Scheme.DATA, fold(f"bin/{destination.path}")
    return destination.scheme, fold(destination.path)


def _locate_checked(name: str, data_dir: str, wheel: str) -> Destination:
    top, slash, _ = name.partition("/")
    if slash and top.lower().endswith(".data") and top != data_dir:
        message = f"a data folder that is not {data_dir}: installers differ in where it goes"
        raise WheelRefusedError(Refusal.DATA_SCHEME, message, wheel=wheel, entry=name)
    destination = locate(name, data_dir=data_dir)
    if destination is None:
        raise WheelRefusedError(
            Refusal.DATA_SCHEME, "not below purelib, platlib, scripts, headers or data", wheel=wheel, entry=name
        )
    path = destination.path
    if destination.scheme is Scheme.SITE and _STARTUP_HOOK.match(path):
        raise WheelRefusedError(Refusal.STARTUP_HOOK, "Python would run it at each start", wheel=wheel, entry=name)
    if destination.scheme is Scheme.SCRIPTS and ("/" in path or _RESERVED_SCRIPT.match(path)):
        message = "a script that is in a folder, or that would replace the interpreter"
        raise WheelRefusedError(Refusal.RESERVED_PATH, message, wheel=wheel, entry=name)
    if destination.scheme is Scheme.DATA and path.lower().partition("/")[0] in {
        "bin",
        "lib",
        "lib64",
        "include",
        "pyvenv.cfg",
    }:
        # NOTE: data goes to the prefix itself, so it could reach scripts, site-packages and the environment's own files.
        _check_data(path, name, wheel)
    return destination


def _check_data(path: str, name: str, wheel: str) -> None:
    folder, _, rest = path.lower().partition("/")
    if folder in {"lib", "lib64"} and not rest.startswith("python"):
        return  # Shared libraries and the like: nothing that Python looks at.
    if folder == "include" and rest.partition("/")[0] != "site":
        return  # `include/site` is where the scheme `headers` leads to.
    if folder == "bin" and rest and not _RESERVED_SCRIPT.match(rest):
        return
    message = "data that would land among the environment's own files or in site-packages"
    raise WheelRefusedError(Refusal.RESERVED_PATH, message, wheel=wheel, entry=name)
