"""Imports all that the providers of an image say they have, and writes what came of it as JSON to CHECK_RESULT.

    python inside_providers.py TIMEOUT_S [OPTIONAL_MODULE...]

Runs inside images, needs nothing but Airflow. Airflow is imported once; each provider then in a process of its own, which is
forked: they do not see each other's modules, and a crash of native code is one provider's.

[{"provider": "http", "imported": 6, "seconds": 0.1, "failed": ["airflow....: ImportError: ..."], "optional": [], "ended": ""}]
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import re
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from importlib import metadata
from typing import Any

PREFIX = "apache-airflow-providers-"
GROUP = "apache_airflow_provider"
OPTIONAL_ERROR = "AirflowOptionalProviderFeatureException"
LISTS = ("executors", "auth-managers", "db-managers", "notifications", "secrets-backends", "logging", "extra-links")
MORE_LISTS = ("filesystems", "queues", "email-backends", "cli", "python-modules")
LEAVES = ("python-module", "hook-class-name", "class-name", "dialect-class-name", "plugin-class", "handler", "factory")
NAME = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+")


def main() -> int:
    """Import all providers."""
    timeout_s, optional = int(sys.argv[1]), sys.argv[2:]
    importlib.import_module("airflow")
    found = sorted(metadata.entry_points(group=GROUP), key=lambda point: (point.value, point.name))
    answers = [in_process_of_its_own(point, optional, timeout_s) for point in found]
    with open(os.environ["CHECK_RESULT"], "w", encoding="utf-8") as stream:
        json.dump(answers, stream)
    return 0


def in_process_of_its_own(point: Any, optional: Sequence[str], timeout_s: int) -> dict[str, Any]:
    """Look at one provider in a fork of this process; says how that ended, if not well."""
    name = point.dist.name if point.dist else point.value
    reader, writer = os.pipe()
    began = time.monotonic()
    child = os.fork()
    if child == 0:
        signal.alarm(timeout_s)
        answer = json.dumps(look(point, optional)).encode()
        with os.fdopen(writer, "wb") as stream:
            stream.write(answer)
        sys.stdout.flush()
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as stream:
        said = stream.read()
    status = os.waitpid(child, 0)[1]
    ended = ""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        ended = "timed out" if number == signal.SIGALRM else f"died of signal {number}"
    elif not said:
        ended = "ended the process"
    told = json.loads(said) if said and not ended else {"imported": 0, "failed": [], "optional": []}
    seconds = time.monotonic() - began
    return {
        "provider": name.replace("_", "-").lower().replace(PREFIX, "", 1),
        "seconds": seconds,
        "ended": ended,
        **told,
    }


def look(point: Any, optional: Sequence[str]) -> dict[str, Any]:
    """Import what one provider says it has."""
    failed: list[str] = []
    needless: list[str] = []
    imported = 0
    try:
        names = sorted(set(iter_names(point.load()())))
        absent = absent_extras(point.dist)
    except Exception as error:
        return {"imported": 0, "failed": [describe(point.value, error)], "optional": []}
    for name in names:
        try:
            import_name(name)
            imported += 1
        # Also SystemExit: a module that ends the process at import is broken.
        except (Exception, SystemExit) as error:
            good = name in optional or is_optional(error, absent)
            if not good:
                failed.append(describe(name, error))
            else:
                needless.append(getattr(error, "name", None) or name)
    return {"imported": imported, "failed": failed, "optional": sorted(set(needless))}


def iter_names(value: Any, key: str = "") -> Iterator[str]:
    """Iterate over the modules and classes in what `get_provider_info` says."""
    if isinstance(value, dict):
        for name, below in value.items():
            if isinstance(below, str):
                if name in LEAVES and NAME.fullmatch(below):
                    yield below
            else:
                yield from iter_names(below, name)
    elif isinstance(value, list):
        for below in value:
            if not isinstance(below, str):
                yield from iter_names(below, "")
            elif key in (*LISTS, *MORE_LISTS) and NAME.fullmatch(below):
                yield below


def import_name(name: str) -> None:
    """Import a module, or the module of a class, which must be there."""
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        parent, _, attribute = name.rpartition(".")
        if error.name not in {name, parent}:
            raise
        if not hasattr(importlib.import_module(parent), attribute):
            raise


def is_optional(error: BaseException, absent: frozenset[str]) -> bool:
    """Tell whether an import failed for want of what the provider itself says need not be there.

    That is Airflow's own error for it, or a module of an extra that is not installed. Extras name projects, not modules, and
    other providers, whose own requirements bring the modules: so where some extra is absent, any project that is not there at
    all may be of it. What the provider needs in any case is not forgiven by this: inside_requirements.py finds it missing.

    Args:
        error: of the import.
        absent: projects that the provider's extras want and that are not installed.
    """
    if any(kind.__name__ == OPTIONAL_ERROR for kind in type(error).__mro__):
        return True
    before = error.__cause__ or error.__context__
    if before is not None and is_optional(before, absent):
        # A module that catches it, to say in its own words what must be installed.
        return True
    if not isinstance(error, ModuleNotFoundError) or not error.name:
        return False
    top = error.name.partition(".")[0]
    if absent and top != "airflow" and importlib.util.find_spec(top) is None:
        return True
    missing = error.name.lower().replace(".", "-").replace("_", "-")
    if missing.startswith("airflow-providers-"):
        missing = f"apache-{missing}"
    return any(missing == name or missing.startswith(f"{name}-") or name.startswith(f"{missing}-") for name in absent)


def absent_extras(dist: Any) -> frozenset[str]:
    """List the projects that extras of a distribution want and that are not installed, normalised."""
    wanted = (re.match(r"[A-Za-z0-9._-]+", line) for line in (dist.requires or ()) if "extra" in line)
    names = {re.sub(r"[-_.]+", "-", found[0]).lower() for found in wanted if found}
    return frozenset(name for name in names if not is_installed(name))


def is_installed(name: str) -> bool:
    """Tell whether a distribution is there."""
    try:
        metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def describe(name: str, error: BaseException) -> str:
    """Say in a line what went wrong."""
    return " ".join(f"{name}: {type(error).__name__}: {error}".split())[:300]


if __name__ == "__main__":
    sys.exit(main())
