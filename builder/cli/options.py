"""Options and arguments that several verbs share."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from builder.errors import InvalidInputError
from builder.platform import PLATFORMS, Platform, parse_platform, platform_of_machine

DEFAULT_STACK = "core"
DEFAULT_FOLDER = "build"
"""Of images in a project: each in the folder of its stack's name."""

if TYPE_CHECKING:
    from builder.registry.model import Reference, Repository

_F = TypeVar("_F", bound=Callable[..., Any])


def _parse_platforms(ctx: click.Context, param: click.Parameter, value: Sequence[str]) -> tuple[Platform, ...]:
    del ctx, param
    found: list[Platform] = []
    for name in value:
        if name == "host":
            found.append(host_platform())
            continue
        try:
            found.append(parse_platform(name))
        except InvalidInputError as error:
            raise click.BadParameter(f"{error.message}; {error.hint}, or host") from error
    return tuple(sorted(set(found)))


def host_platform() -> Platform:
    """Find the platform of this machine; raises InvalidInputError where images are not built for it."""
    return platform_of_machine(os.uname().machine)


def default_jobs() -> int:
    """Count the processors that this process may use."""
    return len(os.sched_getaffinity(0))


def stack_argument(function: _F) -> _F:
    """Add the argument STACK, one stack's name; `core` where none is given."""
    return click.argument("stack", default=DEFAULT_STACK, metavar="[STACK]")(function)


def stacks_argument(function: _F) -> _F:
    """Add the argument STACKS, a tuple of names; empty means all."""
    return click.argument("stacks", nargs=-1, metavar="[STACK]...")(function)


def _normalise_projects(ctx: click.Context, param: click.Parameter, value: Sequence[str]) -> frozenset[str]:
    from packaging.utils import canonicalize_name

    del ctx, param
    return frozenset(canonicalize_name(name) for name in value)


def upgrade_options(function: _F) -> _F:
    """Add `--upgrade` and `--upgrade-package`, the latter given as `upgrade_packages`: normalised names."""
    upgrade = click.option(
        "--upgrade", is_flag=True, help="Take the newest of everything; else what the lock has is kept."
    )
    packages = click.option(
        "-P",
        "--upgrade-package",
        "upgrade_packages",
        multiple=True,
        metavar="PROJECT",
        callback=_normalise_projects,
        help="Take the newest of this; may be repeated.",
    )
    return upgrade(packages(function))


def json_option(function: _F) -> _F:
    """Add `--json`, given to the verb as `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(function)


def channel_option(name: str) -> Callable[[_F], _F]:
    """Add the option that names a channel, as `--to`, given as `channel`."""
    return click.option(name, "channel", required=True, metavar="CHANNEL", help="A channel of stacks/channels.toml.")


def push_tag_option(function: _F) -> _F:
    """Add `--push-tag`, given as `push_tag`."""
    return click.option(
        "--push-tag", is_flag=True, help="Then move the channel's tag in the repositories that have the image."
    )(function)


def platform_option(function: _F) -> _F:
    """Add `--platform`, repeatable, given as `platforms`: sorted, without repeats, empty where not given."""
    return click.option(
        "--platform",
        "platforms",
        multiple=True,
        metavar="PLATFORM",
        callback=_parse_platforms,
        help=f"One of {', '.join(PLATFORMS)}, or host for this machine's; may be repeated. Default: all of the lock's.",
    )(function)


def jobs_option(function: _F) -> _F:
    """Add `--jobs`, the most processes or connections at work at a time, given as `jobs`."""
    return click.option(
        "--jobs",
        "-j",
        type=click.IntRange(min=1),
        default=default_jobs,
        metavar="N",
        help="Most processes or connections at a time. Default: the processors of this machine.",
    )(function)


def workers_option(function: _F) -> _F:
    """Add `--workers`, the most blobs on the way at a time."""
    return click.option(
        "--workers",
        type=click.IntRange(min=1, max=64),
        default=4,
        metavar="N",
        help="Most blobs on the way at a time. Default: 4.",
    )(function)


def html_option(function: _F) -> _F:
    """Add `--html`, the file of a page that needs nothing from outside, given as `html`; None where none is wanted."""
    return click.option(
        "--html",
        metavar="FILE",
        type=click.Path(path_type=Path, dir_okay=False),
        help="Write a page that needs nothing from outside instead.",
    )(function)


def parse_since(ctx: click.Context, param: click.Parameter, value: str | None) -> int | None:
    """Read a moment, or how long ago it was, as a callback of click: seconds since the epoch."""
    import datetime as dt
    import re

    from builder.wiring.ledgers import clock

    del ctx, param
    if value is None:
        return None
    ago = re.fullmatch(r"(\d{1,6})([mhdw])", value)
    if ago:
        return clock() - int(ago[1]) * {"m": 60, "h": 3600, "d": 86_400, "w": 604_800}[ago[2]]
    try:
        moment = dt.datetime.fromisoformat(value)
    except ValueError as error:
        raise click.BadParameter("write 90m, 12h, 7d or 4w for ago, else 2026-11-30 or 2026-11-30T07:23Z") from error
    return int((moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)).timestamp())


def parse_reference_argument(ctx: click.Context, param: click.Parameter, value: str) -> Reference:
    """Read a reference that an argument gives, as a callback of click."""
    from builder.registry.model import parse_reference

    del ctx, param
    return parse_reference(value)


def reference_or_repository(ctx: click.Context, param: click.Parameter, value: str) -> tuple[Repository, str | None]:
    """Read a repository, with or without a tag, that an argument gives, as a callback of click.

    Raises:
        InvalidInputError: it is none, or names a digest, which decides itself what is pushed.
    """
    from builder.registry.model import parse_reference, parse_repository

    del ctx, param
    if "@" in value:
        raise InvalidInputError("names a digest, but the image decides that", context=value, hint="leave it out")
    if ":" not in value.rpartition("/")[2]:
        return parse_repository(value), None
    found = parse_reference(value)
    return found.repository, found.tag


def key_option(*, required: bool = True) -> Callable[[_F], _F]:
    """Add `--key`, what signs; None where it is not given."""
    return click.option(
        "--key",
        required=required,
        metavar="KEY",
        help="File of a private key, env:NAME, pkcs11:..., command:PROGRAM..., or keyless.",
    )
