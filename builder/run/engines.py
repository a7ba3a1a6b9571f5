"""The engines there are, and the choice between them."""

from __future__ import annotations

from collections.abc import Sequence

from builder.errors import BuilderError
from builder.run.model import Engine

AUTO = "auto"
NAMES = ("runc", "crun", "userns", "podman", "docker")
"""In the order that `auto` tries them: those that need no copy of the image in another store come first."""


def choose_engine(engines: Sequence[Engine], wanted: str) -> Engine:
    """Take the engine of that name, or with `auto` the first that can be used.

    Raises:
        BuilderError: it cannot be used here, with the reason; or none can, with every reason.
    """
    reasons: list[str] = []
    for engine in engines:
        if wanted not in {AUTO, engine.name}:
            continue
        reason = engine.unavailable()
        if reason is None:
            return engine
        reasons.append(f"{engine.name}: {reason}")
    raise BuilderError(
        f"no engine can run containers here ({'; '.join(reasons)})" if wanted == AUTO else reasons[0],
        hint="install one of runc, crun, podman or docker, or allow user namespaces",
    )
