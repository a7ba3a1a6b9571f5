"""What is installed here, as JSON on standard output: every distribution, and where its files are not as RECORD says.

`airflow-kubler drift script` prints this file; it runs inside a container, by whatever Python 3.9 or newer is there, and
needs nothing but the standard library. It writes nothing.

{"format": "airflow-kubler inside 1", "machine": "x86_64", "python": "3.13.5", "prefix": "/home/airflow/.local",
 "distributions": [{"name": "idna", "version": "3.11", "place": ".../site-packages", "installer": "airflow-kubler",
                    "changed": ["idna/core.py"], "missing": []}],
 "strays": [".../site-packages/extra.py"], "more_strays": 0}
"""

from __future__ import annotations

import base64
import csv
import hashlib
import json
import os
import platform
import sys
from collections.abc import Iterator
from importlib import metadata
from typing import Any

FORMAT = "airflow-kubler inside 1"
MOST = 50
"""Of each list of files; how many more there are is told by `more_...`."""
CHUNK = 1 << 20
UNTOLD = ("RECORD", "REQUESTED", "direct_url.json", "INSTALLER")


def main() -> None:
    """Print what is installed."""
    distributions: list[dict[str, Any]] = []
    places: list[str] = []
    owned: set[str] = set()
    for path in sys.path:
        # The current folder comes first in sys.path of `python -` and of nothing that Airflow starts.
        if not path or not os.path.isdir(path):
            continue
        found = list(metadata.distributions(path=[path]))
        if found:
            places.append(os.path.realpath(path))
        distributions += [look(one, owned) for one in found]
    distributions.sort(key=lambda one: (one["name"].lower(), one["place"]))
    strays = sorted(path for place in places if inside_prefix(place) for path in iter_strays(place, owned))
    told = {
        "format": FORMAT,
        "machine": platform.machine(),
        "python": platform.python_version(),
        "prefix": sys.prefix,
        "distributions": distributions,
        "strays": strays[:MOST],
        "more_strays": max(0, len(strays) - MOST),
    }
    sys.stdout.write(json.dumps(told) + "\n")


def look(distribution: metadata.Distribution, owned: set[str]) -> dict[str, Any]:
    """Hold a distribution's files against its RECORD; adds them to `owned`."""
    place = os.path.realpath(str(distribution.locate_file("")))
    changed: list[str] = []
    missing: list[str] = []
    for name, promise in iter_record(distribution):
        path = os.path.normpath(os.path.join(place, name))
        owned.add(path)
        if promise:
            try:
                if hash_file(path, promise.partition("=")[0]) != promise:
                    changed.append(name)
            except (OSError, ValueError):
                missing.append(name)
    name, version = identify(distribution)
    return {
        "name": name,
        "version": version,
        "place": place,
        "installer": (distribution.read_text("INSTALLER") or "").strip(),
        "changed": changed[:MOST],
        "missing": missing[:MOST],
        "more_changed": max(0, len(changed) - MOST) + max(0, len(missing) - MOST),
    }


def identify(distribution: metadata.Distribution) -> tuple[str, str]:
    """Find name and version; of one whose metadata cannot be read, what its folder says."""
    try:
        fields: Any = distribution.metadata
        name, version = fields.get("Name"), fields.get("Version")
    except (OSError, ValueError, TypeError, AttributeError):
        name = version = None
    if name:
        return str(name), str(version or "")
    folder = os.path.splitext(os.path.basename(str(getattr(distribution, "_path", ""))))[0]
    said = folder.partition("-")
    return said[0], said[2]


def iter_record(distribution: metadata.Distribution) -> Iterator[tuple[str, str]]:
    """Iterate over path and hash of each line of RECORD; the hash is empty where none is promised."""
    for row in csv.reader((distribution.read_text("RECORD") or "").splitlines()):
        if row:
            yield row[0], row[1] if len(row) > 1 else ""


def hash_file(path: str, algorithm: str) -> str:
    """Hash a file, as RECORD writes it."""
    digest = hashlib.new(algorithm)
    with open(path, "rb") as stream:
        while True:
            chunk = stream.read(CHUNK)
            if not chunk:
                break
            digest.update(chunk)
    return algorithm + "=" + base64.urlsafe_b64encode(digest.digest()).rstrip(b"=").decode()


def inside_prefix(place: str) -> bool:
    """Tell whether a folder is of this environment: what else is on the path has no RECORD for everything."""
    prefix = os.path.realpath(sys.prefix)
    return os.path.commonpath([place, prefix]) == prefix


def iter_strays(place: str, owned: set[str]) -> Iterator[str]:
    """Iterate over files that no RECORD names; bytecode goes with its source."""
    for folder, folders, files in os.walk(place):
        folders[:] = [name for name in folders if name != "__pycache__"]
        for name in files:
            path = os.path.join(folder, name)
            if path not in owned and not (folder.endswith(".dist-info") and name in UNTOLD):
                yield path


if __name__ == "__main__":
    main()
