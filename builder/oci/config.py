"""An image config: how a container of the image runs, and its layers' diff_ids. Its digest is the image ID.

Source: opencontainers/image-spec, config.md.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from builder.canonical import dump_json
from builder.digest import Digest
from builder.errors import IntegrityError, InvalidInputError
from builder.oci.fields import Fields, parse_object
from builder.oci.platform import platform_from_fields, platform_to_json
from builder.platform import Platform


@dataclass(frozen=True, slots=True, kw_only=True)
class RunConfig:
    """How a container of the image runs: the `config` object."""

    user: str
    """As `50000:0`."""
    env: tuple[str, ...]
    """As `NAME=value`, in this order."""
    entrypoint: tuple[str, ...]
    cmd: tuple[str, ...] = ()
    working_dir: str
    labels: tuple[tuple[str, str], ...] = ()
    exposed_ports: tuple[str, ...] = ()
    """As `8080/tcp`."""
    stop_signal: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """One line on how a layer came to be."""

    created: int
    """Seconds since the epoch."""
    created_by: str
    comment: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """One platform's image config."""

    platform: Platform
    created: int
    """Seconds since the epoch."""
    run: RunConfig
    diff_ids: tuple[Digest, ...]
    history: tuple[History, ...]
    """One for each layer."""


def format_time(epoch: int) -> str:
    """Write RFC 3339 in UTC.

    >>> format_time(1790000000)
    '2026-09-21T14:13:20Z'
    """
    return dt.datetime.fromtimestamp(epoch, tz=dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _parse_time(text: str) -> int:
    try:
        return int(dt.datetime.fromisoformat(text).timestamp())
    except ValueError as exc:
        raise IntegrityError(f"not a time: {text}", context="config") from exc


def _run_to_json(run: RunConfig) -> dict[str, Any]:
    value: dict[str, Any] = {
        "User": run.user,
        "Env": list(run.env),
        "Entrypoint": list(run.entrypoint),
        "WorkingDir": run.working_dir,
    }
    optional: dict[str, Any] = {
        "Cmd": list(run.cmd),
        "Labels": dict(sorted(run.labels)),
        "ExposedPorts": {port: {} for port in sorted(run.exposed_ports)},
        "StopSignal": run.stop_signal,
    }
    return value | {key: item for key, item in optional.items() if item}


def _history_to_json(line: History) -> dict[str, Any]:
    value = {"created": format_time(line.created), "created_by": line.created_by}
    return value | ({"comment": line.comment} if line.comment else {})


def dump_config(config: Config) -> bytes:
    """Write a config; bytes are stable, and their sha256 is the image ID."""
    return dump_json(
        platform_to_json(config.platform)
        | {
            "created": format_time(config.created),
            "config": _run_to_json(config.run),
            "rootfs": {"type": "layers", "diff_ids": [str(diff_id) for diff_id in config.diff_ids]},
            "history": [_history_to_json(line) for line in config.history],
        },
    )


def _parse_run(fields: Fields) -> RunConfig:
    fields.only(("User", "Env", "Entrypoint", "WorkingDir", "Cmd", "Labels", "ExposedPorts", "StopSignal"))
    return RunConfig(
        user=fields.optional_text("User"),
        env=fields.texts("Env"),
        entrypoint=fields.texts("Entrypoint"),
        cmd=fields.texts("Cmd"),
        working_dir=fields.optional_text("WorkingDir"),
        labels=fields.text_map("Labels"),
        exposed_ports=fields.key_set("ExposedPorts"),
        stop_signal=fields.optional_text("StopSignal"),
    )


def _parse_history(fields: Fields) -> History:
    fields.only(("created", "created_by", "comment"))
    return History(
        created=_parse_time(fields.time("created")),
        created_by=fields.optional_text("created_by"),
        comment=fields.optional_text("comment"),
    )


def parse_config(raw: bytes) -> Config:
    """Read a config; keep `raw` for its digest.

    Raises:
        IntegrityError: it is no image config as this project writes them, or history and layers do not fit.
    """
    fields = Fields(parse_object(raw, context="config"), context="config")
    fields.only(("architecture", "os", "created", "config", "rootfs", "history"))
    rootfs = fields.child("rootfs")
    rootfs.exactly("type", "layers")
    try:
        diff_ids = tuple(Digest.parse(item) for item in rootfs.texts("diff_ids"))
    except InvalidInputError as exc:
        raise IntegrityError(exc.message, context="config: rootfs: diff_ids") from exc
    history = tuple(_parse_history(line) for line in fields.objects("history"))
    if len(history) != len(diff_ids):
        raise IntegrityError(f"{len(history)} lines of history for {len(diff_ids)} layers", context="config")
    return Config(
        platform=platform_from_fields(fields),
        created=_parse_time(fields.time("created")),
        run=_parse_run(fields.child("config")),
        diff_ids=diff_ids,
        history=history,
    )
