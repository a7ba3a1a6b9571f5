"""What a container's first process is: the image's config with the caller's wishes applied. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from builder.errors import BuildError
from builder.oci.config import RunConfig
from builder.run.model import RunWish


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """A process to start in a root folder."""

    argv: tuple[str, ...]
    env: tuple[tuple[str, str], ...]
    """Unique names, sorted."""
    workdir: str
    uid: int
    gid: int


def make_process(config: RunConfig, wish: RunWish) -> Process:
    """Apply wishes to an image's config."""
    env = dict(line.split("=", 1) for line in config.env)
    if wish.terminal:
        env.setdefault("TERM", "xterm")
    env.update(wish.env)
    uid, gid = _user(config.user)
    return Process(
        argv=(*config.entrypoint, *(wish.command or config.cmd)),
        env=tuple(sorted(env.items())),
        workdir=wish.workdir or config.working_dir or "/",
        uid=uid,
        gid=gid,
    )


def _user(user: str) -> tuple[int, int]:
    uid, _, gid = user.partition(":")
    if not (uid.isdecimal() and gid.isdecimal()):
        raise BuildError(f"user {user!r} is not written as numbers", context="config: User")
    return int(uid), int(gid)
