"""Runs one PEP 517 hook inside the cell; `/build/driver.py REQUEST`, by the base's Python in a virtual environment.

It is shut in with the build and as little trusted: what it writes to /build/result is checked outside. Standard library
only, of any Python that a base has.
"""

from __future__ import annotations

import importlib
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any, TypedDict

_ORIGINAL = Path("/build/sdist")
_SOURCE = Path("/build/src")
_OUT = Path("/build/out")
_RESULT = Path("/build/result")


class Request(TypedDict):
    """What is asked of the build backend."""

    hook: str
    """`requires` or `wheel`."""
    backend: str
    backend_path: list[str]
    epoch: int


def main(request: Request) -> None:
    """Copy the source, call the hook, write its answer: a line of JSON, then the wheel's bytes."""
    _copy(request["epoch"])
    os.chdir(_SOURCE)
    sys.path[:0] = [str(_SOURCE / path) for path in request["backend_path"]]
    backend = _load(request["backend"])
    if request["hook"] == "requires":
        hook = getattr(backend, "get_requires_for_build_wheel", None)
        answer, body = {"requires": list(hook(None)) if hook else []}, b""
    else:
        name = os.fspath(backend.build_wheel(str(_OUT), None, None))
        answer, body = {"name": name}, (_OUT / name).read_bytes()
    with _RESULT.open("wb") as stream:
        stream.write(json.dumps(answer).encode() + b"\n" + body)


def _copy(epoch: int) -> None:
    """Copy in the order of names, so that folders list alike on every machine, and with one time."""
    for folder, names, files in os.walk(_ORIGINAL):
        names.sort()
        target = _SOURCE / Path(folder).relative_to(_ORIGINAL)
        for name in names:
            (target / name).mkdir()
        for name in sorted(files):
            shutil.copyfile(Path(folder) / name, target / name)
            shutil.copymode(Path(folder) / name, target / name)
            os.utime(target / name, (epoch, epoch))


def _load(name: str) -> Any:
    module, _, path = name.partition(":")
    found: Any = importlib.import_module(module)
    for part in filter(None, path.split(".")):
        found = getattr(found, part)
    return found


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
