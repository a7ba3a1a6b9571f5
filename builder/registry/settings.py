"""What the user's config file says of registries: `[registries."host:port"]` of `airflow-kubler/config.toml`.

- `insecure = true`: plain http, and nothing else; without it only loopback hosts are asked so.
- `certificate`: a file of authorities for this host.
- `token-hosts`: other hosts that this registry's users may send their password to for a token.
"""

from __future__ import annotations

import ipaddress
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from builder.errors import InvalidInputError
from builder.registry.model import parse_repository

DOCKER_HUB: Final = "docker.io"
"""The one registry whose name, address and token service are three hosts; its documents say so."""
_DOCKER_HUB_ADDRESS: Final = "registry-1.docker.io"
_DOCKER_HUB_TOKENS: Final = "auth.docker.io"
_KEYS: Final = ("insecure", "certificate", "token-hosts")


@dataclass(frozen=True, slots=True, kw_only=True)
class HostSettings:
    """How one registry is talked to."""

    insecure: bool | None = None
    """Plain http; None where the user does not say."""
    certificate: Path | None = None
    token_hosts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrySettings:
    """How all registries are talked to."""

    hosts: Mapping[str, HostSettings] = field(default_factory=dict)
    certificate: Path | None = None
    """Of authorities, for hosts without their own; None for the system's."""

    def of(self, registry: str) -> HostSettings:
        """Give what is said of one host."""
        return self.hosts.get(registry, HostSettings())

    def is_plain(self, registry: str) -> bool:
        """Tell whether a registry is asked over plain http."""
        said = self.of(registry)
        if said.insecure is not None:
            return said.insecure
        return said.certificate is None and is_loopback(registry)

    def address(self, registry: str) -> str:
        """Give scheme and host of a registry."""
        host = _DOCKER_HUB_ADDRESS if registry == DOCKER_HUB else registry
        return f"{'http' if self.is_plain(registry) else 'https'}://{host}"

    def token_hosts(self, registry: str) -> tuple[str, ...]:
        """List the other hosts that may be asked for this registry's tokens with its password."""
        built_in = (_DOCKER_HUB_TOKENS,) if registry == DOCKER_HUB else ()
        return (*built_in, *self.of(registry).token_hosts)


def is_loopback(registry: str) -> bool:
    """Tell whether a host, with or without port, is this machine by its very name.

    >>> is_loopback("127.0.0.1:5000"), is_loopback("[::1]"), is_loopback("127.evil.example.org")
    (True, True, False)
    """
    host = registry if registry.endswith("]") else registry.rpartition(":")[0] or registry
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def load_registry_settings(config: Path, *, certificate: Path | None = None) -> RegistrySettings:
    """Read the `registries` of a config file; an absent file says nothing.

    Args:
        config: the file.
        certificate: the user's authorities for every host without its own.

    Raises:
        InvalidInputError: it cannot be read, or says something impossible.
    """
    try:
        value = tomllib.loads(config.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return RegistrySettings(certificate=certificate)
    except (OSError, ValueError, RecursionError) as error:
        raise InvalidInputError(f"cannot be read: {error}", context=str(config)) from error
    table = value.get("registries", {})
    if not isinstance(table, dict):
        raise InvalidInputError("must be a table", context=f"{config}: registries")
    hosts = {host.lower(): _host(host, said, f'{config}: registries."{host}"') for host, said in table.items()}
    return RegistrySettings(hosts=hosts, certificate=certificate)


def _host(host: str, said: Any, context: str) -> HostSettings:
    try:
        parse_repository(f"{host}/x")
    except InvalidInputError as error:
        raise InvalidInputError("not a registry's host and port", context=context, hint=error.hint) from error
    if not isinstance(said, dict):
        raise InvalidInputError("must be a table", context=context)
    for key in said:
        if key not in _KEYS:
            raise InvalidInputError("unknown key", context=f"{context}.{key}", hint=f"known keys: {', '.join(_KEYS)}")
    insecure, certificate, tokens = said.get("insecure"), said.get("certificate"), said.get("token-hosts", [])
    if insecure is not None and not isinstance(insecure, bool):
        raise InvalidInputError("must be true or false", context=f"{context}.insecure")
    if certificate is not None and not (isinstance(certificate, str) and Path(certificate).is_file()):
        raise InvalidInputError("must name a file of certificates", context=f"{context}.certificate")
    if not isinstance(tokens, list) or not all(isinstance(item, str) for item in tokens):
        raise InvalidInputError("must be a list of hosts", context=f"{context}.token-hosts")
    return HostSettings(
        insecure=insecure,
        certificate=Path(certificate) if certificate else None,
        token_hosts=tuple(item.lower() for item in tokens),
    )
