"""Where a ledger is: a file, or the address of a service."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from builder.errors import InvalidInputError

TOKEN_VARIABLE = "AIRFLOW_KUBLER_TOKEN"  # noqa: S105  the name of a variable
"""Holds the token that the service knows a client by."""


@dataclass(frozen=True, slots=True)
class Scope:
    """One piece of work that may be tried again: what a try appends, and the next one that cannot know of it, counts once."""

    name: str
    """As `20261130.1 stack:core`."""
    tries: tuple[tuple[str, int], ...] = ()
    """Kind of event, and how many tries have ended that append such: another try is asked for by somebody, and tells anew."""


@dataclass(frozen=True, slots=True)
class ServiceAddress:
    """Of a ledger's service."""

    url: str
    """As `https://ledger.example.org`, without a slash at its end."""
    scope: Scope | None = None
    """What is done by it; None: each event counts."""

    def __str__(self) -> str:
        return self.url


LedgerPlace = Path | ServiceAddress


def parse_place(text: str) -> LedgerPlace:
    """Read where a ledger is.

    Raises:
        InvalidInputError: an address of http or https that nothing can be sent to, or a token would be sent to in the open.

    >>> parse_place("https://ledger.example.org/")
    ServiceAddress(url='https://ledger.example.org', scope=None)
    """
    scheme, separator, _ = text.partition("://")
    if not separator or scheme.lower() not in {"http", "https"}:
        return Path(text)
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname or "", parts.port
    except ValueError as error:
        raise InvalidInputError(f"is no address: {error}", context="--ledger") from error
    if not host or parts.query or parts.fragment:
        raise InvalidInputError(
            "is no address of a service", context="--ledger", hint="write it as https://ledger.example.org"
        )
    if parts.username is not None or parts.password is not None:
        raise InvalidInputError(
            "holds a name or password", context="--ledger", hint=f"put the service's token into {TOKEN_VARIABLE}"
        )
    if parts.scheme == "http" and not _is_loopback(host):
        raise InvalidInputError(
            "would send a token in the open",
            context="--ledger",
            hint="serve it by https: airflow-kubler serve --certificate --key, or a proxy before it",
        )
    return ServiceAddress(text.rstrip("/"))


def _is_loopback(host: str) -> bool:
    """Tell whether a host is this machine by its very name."""
    if host.lower() == "localhost":
        return True
    import ipaddress

    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
